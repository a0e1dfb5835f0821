import { Callout, stateOffset } from '@godwit/cpu';
import { decode, type FeatureName, type Instruction, memoryOperandSize, type Row, Seg } from '@godwit/isa';
import { type Context, Mode, type Outcome } from './context';
import { Emitter, HOST } from './emitter';
import { emitSoftMiss, type SoftAccess } from './first-touch';
import { endWithJump, flowHandlers, jumpThroughTable } from './flow';
import { addressRex, emitModrm } from './host-address';
import { hostAddress } from './memory-operand';
import { emitSelf, shapeOf } from './self';
import { stackHandlers } from './stack';
import { adjustLazily, isTooFarBehind, mapGuestOffset, settlePositions } from './stack-pointer';
import { stringHandlers } from './strings';
import { emitInterpret, emitStub } from './stubs';
import { systemHandlers } from './system';

/**
 * Guest code to host code, one block at a time.
 *
 * A block is a straight run of guest instructions within one page. It goes on
 * past conditional branches that are not taken and ends at a jump, a callout or
 * a limit. An instruction that crosses a page border makes a block of its own,
 * since its validity hangs on two pages.
 *
 * For every guest instruction the pair (host offset, guest offset) is recorded,
 * so that a fault at any host instruction names one guest eip and one esp. The code emitted
 * for an instruction does nothing that the guest could see before its last
 * access that can fault.
 *
 * Any backward jump is preceded by a poll, placed before the instruction that
 * sets its flags so that compare and branch stay fused.
 */

/** Guest instructions per block: long enough for straight code, short enough that little is translated in vain. */
const MAX_INSTRUCTIONS = 64;
/** Host bytes a block may take: guest offsets and host offsets are kept in 16 bits. */
const MAX_HOST_BYTES = 16384;

export interface TranslateRequest {
  eip: number;
  mode: number;
  /** Guest bytes; the block starts at `offset`. `available` bytes may be read, all of one page, unless `crossing`. */
  guest: Uint8Array;
  offset: number;
  available: number;
  /** The first instruction crosses into the next page, whose bytes follow: translate it alone. */
  crossing: boolean;
  /** Where in the code cache to write, 16-byte aligned. */
  hostStart: number;
  /** Where in `meta` (u16 index) the map goes. */
  mapStart: number;
  /** True for a supervisor instruction at this eip that was seen to reach user memory. */
  reachesUser(eip: number): boolean;
  /** True for a user instruction that keeps touching new pages. */
  touchesFirst(eip: number): boolean;
}

export interface TranslateResult {
  hostBytes: number;
  mapCount: number;
  instructions: number;
  guestBytes: number;
}

export interface TranslatorPorts {
  code: Uint8Array;
  meta: Uint16Array;
  featureAllowed(feature: FeatureName): boolean;
  onFeature(row: Row): void;
  hostBmi2: boolean;
}

export class Translator {
  private readonly e: Emitter;
  private readonly allowed = new Map<FeatureName, boolean>();

  constructor(private readonly ports: TranslatorPorts) {
    this.e = new Emitter(ports.code);
  }

  /** 'truncated': the first instruction needs the next page's bytes (ask again with `crossing`). */
  translate(request: TranslateRequest): TranslateResult | 'truncated' {
    const list = this.decodeBlock(request);
    if (list === 'truncated') return 'truncated';
    return this.emit(request, list);
  }

  private decodeBlock(request: TranslateRequest): Instruction[] | 'truncated' {
    const list: Instruction[] = [];
    let at = 0;
    while (list.length < (request.crossing ? 1 : MAX_INSTRUCTIONS)) {
      const ins = decode(request.guest, request.offset + at, request.available - at, true);
      if (ins === 'truncated') return list.length === 0 ? 'truncated' : list;
      if (ins === 'invalid' || ins === 'too-long') return list;
      list.push(ins);
      at += ins.length;
      if (endsBlock(ins)) return list;
    }
    return list;
  }

  private emit(request: TranslateRequest, list: Instruction[]): TranslateResult {
    const { e } = this;
    const { meta } = this.ports;
    e.pos = request.hostStart;
    e.stackOffset = 0;
    const c: Context = {
      e,
      ins: list[0],
      eip: request.eip,
      nextEip: request.eip,
      mode: request.mode,
      guest: request.guest,
      offset: request.offset,
      stubs: [],
      page: request.eip >>> 12,
      shadow: false,
      hostBmi2: this.ports.hostBmi2,
    };
    const polls = pollPositions(list, request.eip);
    const settles = settlePositions(list);
    let mapCount = 0;
    let outcome: Outcome = 'next';
    let guestBytes = 0;
    let done = 0;
    for (; done < list.length && outcome === 'next'; done++) {
      if (e.pos - request.hostStart > MAX_HOST_BYTES) break;
      const ins = list[done];
      c.ins = ins;
      c.eip = (request.eip + guestBytes) >>> 0;
      c.nextEip = (c.eip + ins.length) >>> 0;
      c.offset = request.offset + guestBytes;
      // Before the map's entry: at the instruction's own code the offset of the entry is in force.
      const begins = e.pos - request.hostStart;
      const before = mapGuestOffset(guestBytes, e);
      if (!polls[done] && !c.shadow && adjustLazily(e, ins, list[done + 1], polls[done + 1])) {
        meta[request.mapStart + mapCount * 2] = begins;
        meta[request.mapStart + mapCount * 2 + 1] = before;
        mapCount++;
        guestBytes += ins.length;
        continue;
      }
      if (settles[done] || isTooFarBehind(e) || this.maySoftMiss(request, ins, c.eip)) e.settleStackPointer();
      const { stackOffset } = e;
      meta[request.mapStart + mapCount * 2] = e.pos - request.hostStart;
      meta[request.mapStart + mapCount * 2 + 1] = mapGuestOffset(guestBytes, e);
      mapCount++;
      if (polls[done]) e.poll();
      const afterSti = c.shadow;
      c.shadow = false;
      const at = e.pos;
      const missesBefore = e.softMisses.length;
      e.soft = this.softAccess(request, ins, c.eip, at);
      e.userAccess = (request.mode & Mode.User) === 0 && ins.hasMemory && request.reachesUser(c.eip);
      outcome = this.emitInstruction(c);
      e.userAccess = false;
      e.soft = null;
      if (outcome === 'interpret') {
        e.softMisses.length = missesBefore;
        e.pos = at;
        e.stackOffset = stackOffset;
        emitInterpret(e, c.eip);
        outcome = 'end';
      }
      guestBytes += ins.length;
      if (c.shadow && (done === list.length - 1 || afterSti || polls[done + 1])) {
        // sti with nothing after it in this block, or a poll, which would let an interrupt in: the interpreter keeps the shadow exactly.
        e.pos = at;
        c.shadow = false;
        emitInterpret(e, c.eip);
        outcome = 'end';
      } else if (afterSti && outcome === 'next') {
        e.settleStackPointer();
        emitAttention(c);
      }
    }
    if (outcome === 'next') {
      e.settleStackPointer();
      const next = (request.eip + guestBytes) >>> 0;
      if (mapCount === 0) {
        meta[request.mapStart] = 0;
        meta[request.mapStart + 1] = 0;
        mapCount = 1;
        emitInterpret(e, request.eip); // not an instruction: the interpreter raises #UD or #PF
      } else if (next >>> 12 !== c.page) jumpThroughTable(c, next);
      else endWithJump(c, next);
    }
    for (const stub of c.stubs) emitStub(e, stub);
    for (const miss of e.softMisses) emitSoftMiss(e, miss);
    e.softMisses.length = 0;
    return { hostBytes: e.pos - request.hostStart, mapCount, instructions: done, guestBytes };
  }

  private emitInstruction(c: Context): Outcome {
    let { ins } = c;
    if (!this.isAllowed(ins.row.feature)) {
      const legacy = ins.row.legacyRow;
      if (!legacy) return 'interpret';
      ins = { ...ins, row: legacy };
      c.ins = ins;
    }
    const { row } = ins;
    if (row.unit !== 'int') {
      if (c.mode & Mode.FpuTrap) return 'interpret';
      if (row.unit === 'sse' && c.mode & Mode.NoSse) return 'interpret';
      if (row.unit === 'avx' && c.mode & (Mode.NoAvx | Mode.NoSse)) return 'interpret';
    }
    if (row.feature !== 'base') this.ports.onFeature(row);
    if (ins.hasMemory && ins.memorySegment === Seg.CS && shapeOf(row).memoryWritten) return 'interpret';
    if (row.kind === 'self') {
      const special = selfHandlers[row.mnemonic];
      if (special) return special(c);
      return emitSelf(c.e, ins, c.guest, c.offset) ? 'next' : 'interpret';
    }
    const handler = handlers[row.mnemonic];
    if (!handler) return 'interpret';
    if (ins.operandSize === 2 && needs32[row.mnemonic]) return 'interpret';
    return handler(c);
  }

  private maySoftMiss(request: TranslateRequest, ins: Instruction, eip: number): boolean {
    return (request.mode & Mode.User) !== 0 && ins.hasMemory && this.ports.hostBmi2 && request.touchesFirst(eip);
  }

  private softAccess(request: TranslateRequest, ins: Instruction, eip: number, instructionStart: number): SoftAccess | null {
    if (!this.maySoftMiss(request, ins, eip)) return null;
    // A pending x87 exception comes before any page fault: the instruction itself must make both.
    if (ins.row.unit === 'x87' || ins.row.unit === 'mmx') return null;
    // It reads the stack first, and may fault there.
    if (ins.row.mnemonic === 'pop') return null;
    const sizeLog2 = [1, 2, 4, 8].indexOf(memoryOperandSize(ins));
    if (sizeLog2 < 0 || ins.memorySegment === Seg.CS || bitTests.has(ins.row.mnemonic)) return null;
    return { write: shapeOf(ins.row).memoryWritten, sizeLog2, instructionStart, eip };
  }

  private isAllowed(feature: FeatureName): boolean {
    let known = this.allowed.get(feature);
    if (known === undefined) {
      known = this.ports.featureAllowed(feature);
      this.allowed.set(feature, known);
    }
    return known;
  }
}

const handlers: Record<string, (c: Context) => Outcome> = {
  ...flowHandlers,
  ...stackHandlers,
  ...stringHandlers,
  ...systemHandlers,
};

/** Handlers that know the 32-bit operand size only (stack and flow); the 16-bit forms are rare. */
const needs32: Record<string, boolean> = {};
for (const name of [...Object.keys(flowHandlers), 'push', 'pop', 'pusha', 'popa', 'leave', 'pushf', 'popf', 'pushseg', 'popseg'])
  if (name !== 'int' && name !== 'sysenter' && name !== 'sysexit') needs32[name] = true;

/** Their bit offset moves the access away from the operand's address, maybe to another page. */
const bitTests = new Set(['bt', 'bts', 'btr', 'btc']);

const nothing = (): Outcome => 'next';
const selfHandlers: Record<string, (c: Context) => Outcome> = {
  nop: nothing,
  prefetch: nothing,
  prefetchw: nothing,
  prefetchnta: nothing,
  prefetcht0: nothing,
  prefetcht1: nothing,
  prefetcht2: nothing,
  lea: ({ e, ins }) => {
    const address = hostAddress(e, ins, 0, true);
    const reg = ins.reg === 4 ? HOST.ESP : ins.reg;
    e.u8(0x67);
    if (ins.operandSize === 2) e.u8(0x66);
    const rex = 0x40 | ((reg >> 3) << 2) | addressRex(address);
    if (rex !== 0x40) e.u8(rex);
    e.u8(0x8d);
    emitModrm(e, reg, address);
    return 'next';
  },
};

/** Callouts end a block as jumps do: control comes back through the block table. */
const enders = new Set([
  'jmp',
  'call',
  'ret',
  'int',
  'iret',
  'sysenter',
  'sysexit',
  'popf',
  'popseg',
  'movtoseg',
  'movtocr',
  'invlpg',
  'rdtsc',
  'verr',
  'verw',
  'callf',
  'jmpf',
  'retf',
  'int3',
  'int1',
  'hlt',
]);

function endsBlock(ins: Instruction): boolean {
  return enders.has(ins.row.mnemonic) || ins.row.kind === 'io' || (ins.row.kind === 'system' && !(ins.row.mnemonic in systemHandlers));
}

/** Which instructions are preceded by a poll: those before a backward direct jump. */
function pollPositions(list: Instruction[], eip: number): boolean[] {
  const polls: boolean[] = [];
  let at = eip;
  for (let i = 0; i < list.length; i++) {
    const ins = list[i];
    at += ins.length;
    const relative = ins.row.immediate === 'Jb' || ins.row.immediate === 'Jz';
    if (!relative || (at + ins.immediate) >>> 0 > at - ins.length) continue;
    const fusable = i > 0 && list[i - 1].row.kind === 'self' && list[i - 1].row.flagsWritten !== 0 && !list[i - 1].hasMemory;
    polls[fusable ? i - 1 : i] = true;
  }
  return polls;
}

/** After the instruction that follows sti: leave if an interrupt waits. jrcxz tests without flags. */
function emitAttention({ e, nextEip }: Context): void {
  e.move64(HOST.R9, 1);
  e.loadState(1, stateOffset.interruptPending);
  e.u8(0xe3, 0); // jrcxz: patched below
  const from = e.pos;
  e.move64(1, HOST.R9);
  e.storeStateImm(stateOffset.eip, nextEip);
  e.jumpCallout(Callout.Attention);
  e.bytes[from - 1] = e.pos - from;
  e.move64(1, HOST.R9);
}
