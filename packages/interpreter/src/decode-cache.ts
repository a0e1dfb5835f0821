/**
 * Decoded code, keyed by physical address and code size.
 *
 * A block is a straight run of instructions within one page (one that crosses
 * into the next page is a block of its own and is listed under both). It ends
 * where eip may change and after anything that changes mode, privilege,
 * segments or devices. Being keyed by physical address it survives address
 * space switches; it dies when its bytes are written, which `count = 0` makes
 * known even to the loop that is running it.
 *
 * Our own writes are seen as they happen. Others (translated code, devices)
 * write between two calls or while a port or device register is accessed: each
 * of those begins a new epoch, and a block is compared with memory once in
 * each epoch before it runs. So a missing notice costs nothing but time.
 */
import { decode, type Instruction } from '@godwit/isa';
import type { Core } from './core';
import { generalProtection, undefinedOpcode } from './fault';
import { BLOCK_INSTRUCTIONS, CACHED_BLOCKS, FRONT_ENTRIES } from './limits';
import { type Mmu, PPN_SHIFT } from './mmu';
import { Op } from './op';
import { handlerFor } from './operations';

export interface Block {
  /** gpa * 8 + mode; -1 when not kept. */
  readonly key: number;
  readonly gpa: number;
  /** Code size in bytes (2, 4), plus 1 for a block of one instruction only. */
  readonly mode: number;
  readonly ops: readonly Op[];
  /** Bytes. */
  readonly length: number;
  /** Instructions; 0 once the bytes have been written. */
  count: number;
  /** Physical page of the second half, or -1. */
  readonly secondPage: number;
  /** What memory held when it was decoded. */
  readonly bytes: Uint8Array;
  /** The last epoch in which it was found to be so still. */
  epoch: number;
}

const endsBlock = new Set(['flow', 'io', 'system', 'flags', 'string']);

function isLast(ins: Instruction): boolean {
  if (endsBlock.has(ins.row.kind) || ins.row.changesFlow) return true;
  return ins.row.kind === 'segment' && ins.row.mnemonic !== 'movfromseg' && ins.row.mnemonic !== 'pushseg';
}

const MAX_LENGTH = 15;

export class DecodeCache {
  private readonly front: (Block | undefined)[] = new Array<Block | undefined>(FRONT_ENTRIES).fill(undefined);
  private readonly blocks = new Map<number, Block>();
  private readonly pages = new Map<number, Block[]>();
  private readonly window = new Uint8Array(MAX_LENGTH);
  private readonly mem: Mmu;

  constructor(private readonly core: Core) {
    this.mem = core.mem;
    this.mem.codeWritten = (gpa, size) => this.written(gpa, size);
  }

  /** The block at cs:eip, decoded if need be; throws #PF, #GP or #UD. With `one` it holds a single instruction: stepping neither decodes nor compares what it will not run. */
  at(eip: number, one: boolean): Block {
    const { core, mem, front } = this;
    const linear = (core.codeBase + eip) | 0;
    const entry = mem.tlb[linear >>> 12];
    const gpa = (entry & mem.executeMask) === mem.executeMask
      ? ((entry >>> PPN_SHIFT) * 4096) + (linear & 0xfff)
      : mem.translate(linear, false, true, mem.user);
    const mode = core.codeSize + (one ? 1 : 0);
    const slot = (gpa ^ (gpa >>> 16) ^ (mode << 12)) & (FRONT_ENTRIES - 1);
    const key = gpa * 8 + mode;
    let block = front[slot];
    if (block === undefined || block.gpa !== gpa || block.mode !== mode || block.count === 0) {
      block = this.blocks.get(key);
      if (block === undefined) block = this.decode(eip, linear, gpa, key, one ? 1 : BLOCK_INSTRUCTIONS);
      if (block.key === key) front[slot] = block;
    }
    if (block.epoch !== mem.epoch && !this.stillSame(block)) {
      this.drop(block);
      block = this.decode(eip, linear, gpa, key, one ? 1 : BLOCK_INSTRUCTIONS);
    }
    if (block.secondPage >= 0 && Math.floor(mem.translate((linear | 0xfff) + 1, false, true, mem.user) / 4096) !== block.secondPage) {
      this.drop(block);
      block = this.decode(eip, linear, gpa, key, one ? 1 : BLOCK_INSTRUCTIONS);
    }
    if (!core.codeFlat && !this.withinLimit(eip, block.length)) block = this.single(eip, linear, gpa);
    return block;
  }

  private stillSame(block: Block): boolean {
    const { ram, epoch } = this.mem;
    const { bytes, gpa, secondPage } = block;
    const first = secondPage < 0 ? bytes.length : 4096 - (gpa % 4096);
    for (let n = 0; n < first; n++) if (ram[gpa + n] !== bytes[n]) return false;
    for (let n = first; n < bytes.length; n++) if (ram[secondPage * 4096 + n - first] !== bytes[n]) return false;
    block.epoch = epoch;
    return true;
  }

  private withinLimit(eip: number, length: number): boolean {
    return (eip >>> 0) + length - 1 <= this.core.state.limit(1);
  }

  private decode(eip: number, linear: number, gpa: number, key: number, most: number): Block {
    if (!this.mem.memory.isRam(gpa)) return this.single(eip, linear, gpa);
    const { ram } = this.mem;
    const pageEnd = gpa - (gpa % 4096) + 4096;
    const ops: Op[] = [];
    let at = gpa;
    let boundary = false;
    while (ops.length < most && at < pageEnd && !boundary) {
      const ins = decode(ram, at, pageEnd - at, this.core.codeSize === 4);
      if (typeof ins === 'string') {
        if (ops.length > 0) break;
        if (ins === 'truncated') return this.crossing(eip, linear, gpa, key);
        throw ins === 'too-long' ? generalProtection() : undefinedOpcode();
      }
      ops.push(this.makeOp(ins, ram.slice(at, at + ins.length), at - gpa));
      at += ins.length;
      boundary = isLast(ins);
    }
    const block: Block = { key, gpa, mode: key % 8, ops, length: at - gpa, count: ops.length, secondPage: -1, bytes: ram.slice(gpa, at), epoch: this.mem.epoch };
    this.insert(block);
    return block;
  }

  private makeOp(ins: Instruction, bytes: Uint8Array, start: number): Op {
    return new Op(ins, bytes, start, handlerFor(ins, this.core.ports));
  }

  /** One instruction whose bytes lie in two pages. */
  private crossing(eip: number, linear: number, gpa: number, key: number): Block {
    const first = 4096 - (gpa % 4096);
    const second = this.mem.translate((linear + first) | 0, false, true, this.mem.user);
    const { ops, length } = this.fetch(eip, linear, gpa, MAX_LENGTH);
    const block: Block = { key, gpa, mode: key % 8, ops, length, count: 1, secondPage: Math.floor(second / 4096), bytes: ops[0].bytes, epoch: this.mem.epoch };
    if (this.mem.memory.isRam(second)) this.insert(block);
    return block;
  }

  /** One instruction, decoded for this once: near the segment's end, or from a page that is not RAM. */
  private single(eip: number, linear: number, gpa: number): Block {
    const { ops, length } = this.fetch(eip, linear, gpa, MAX_LENGTH);
    return { key: -1, gpa, mode: 0, ops, length, count: 1, secondPage: -1, bytes: ops[0].bytes, epoch: this.mem.epoch };
  }

  private fetch(eip: number, linear: number, gpa: number, wanted: number): { ops: Op[]; length: number } {
    const { mem, window, core } = this;
    const room = core.codeFlat ? wanted : Math.min(wanted, core.state.limit(1) - (eip >>> 0) + 1);
    const first = Math.min(room, 4096 - (gpa % 4096));
    let available = 0;
    for (; available < first; available++) window[available] = mem.physicalRead(gpa + available, 1);
    let ins = decode(window, 0, available, core.codeSize === 4);
    if (ins === 'truncated' && first < room) {
      const second = mem.translate((linear + first) | 0, false, true, mem.user);
      for (; available < room; available++) window[available] = mem.physicalRead(second + available - first, 1);
      ins = decode(window, 0, available, core.codeSize === 4);
    }
    if (typeof ins === 'string') throw ins === 'invalid' ? undefinedOpcode() : generalProtection();
    return { ops: [this.makeOp(ins, window.slice(0, ins.length), 0)], length: ins.length };
  }

  private insert(block: Block): void {
    if (this.blocks.size >= CACHED_BLOCKS) this.clear();
    this.blocks.set(block.key, block);
    this.list(Math.floor(block.gpa / 4096), block);
    if (block.secondPage >= 0) this.list(block.secondPage, block);
  }

  private list(page: number, block: Block): void {
    const listed = this.pages.get(page);
    if (listed === undefined) this.pages.set(page, [block]);
    else listed.push(block);
    this.mem.hasCode[page] = 1;
  }

  private drop(block: Block): void {
    block.count = 0;
    if (this.blocks.get(block.key) === block) this.blocks.delete(block.key);
  }

  /** Bytes of a page with code are about to change: blocks that hold any of them go. */
  written(gpa: number, size: number): void {
    const page = Math.floor(gpa / 4096);
    const listed = this.pages.get(page);
    if (listed === undefined) return;
    const kept: Block[] = [];
    for (const block of listed) {
      if (block.count === 0) continue;
      const overlaps = block.secondPage >= 0 || (gpa < block.gpa + block.length && block.gpa < gpa + size);
      if (overlaps) this.drop(block);
      else kept.push(block);
    }
    if (kept.length > 0) this.pages.set(page, kept);
    else {
      this.pages.delete(page);
      this.mem.hasCode[page] = 0;
    }
  }

  invalidatePage(gpa: number): void {
    this.written(gpa - (gpa % 4096), 4096);
  }

  clear(): void {
    for (const block of this.blocks.values()) block.count = 0;
    this.blocks.clear();
    this.pages.clear();
    this.mem.hasCode.fill(0);
    this.front.fill(undefined);
  }
}
