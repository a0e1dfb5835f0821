/**
 * MSI-X: interrupts as writes to addresses that the guest chose, one for each
 * vector. Table and pending bits lie in a memory BAR of the function; enable
 * and mask-all lie in its capability, thus in configuration space. Source: PCI
 * Local Bus Specification 3.0, chapter 6.8.2.
 *
 * A vector that is masked is remembered as pending and sent when unmasked.
 */
import { list, record, StateFormatError, u32, u8, type ValuesOf } from '../state-format';
import type { PciCapability, PciFunction } from './pci-function';

/** A message-signalled interrupt on its way to the interrupt controller. */
export type MsiSink = (address: number, data: number) => void;

/** The most a device here has: table and pending bits fit into one page. */
export const MSIX_MAX_VECTORS = 64;

const WORDS = 4;
const MASKED = 1;
const ENABLE = 0x80;
const MASK_ALL = 0x40;

const fields = {
  table: list(u32('address, upper address, data, vector control of each vector'), { maxLength: MSIX_MAX_VECTORS * WORDS }),
  pending: list(u8('1: the vector waits for its mask to go'), { maxLength: MSIX_MAX_VECTORS }),
};
export const msixState = record(fields, 'MSI-X table and pending bits');
export type MsixState = ValuesOf<typeof fields>;

/** Message control, then where table and pending bits lie. Offsets in bytes within the BAR. */
export function msixCapability(vectors: number, bar: number, tableAt: number, pendingAt: number): PciCapability {
  const le32 = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
  const body = [(vectors - 1) & 0xff, (vectors - 1) >> 8, ...le32(tableAt | bar), ...le32(pendingAt | bar)];
  return { id: 0x11, body, writable: [0, ENABLE | MASK_ALL] };
}

export class Msix {
  private readonly table: Uint32Array;
  private readonly pending: Uint8Array;
  private owner: { function: PciFunction; controlAt: number } | undefined;

  constructor(
    readonly vectors: number,
    private readonly sink: MsiSink,
  ) {
    if (vectors < 1 || vectors > MSIX_MAX_VECTORS) throw new RangeError(`MSI-X with ${vectors} vectors`);
    this.table = new Uint32Array(vectors * WORDS);
    this.pending = new Uint8Array(vectors);
    this.reset();
  }

  /** Byte of the control word that holds enable and mask-all. */
  bind(owner: PciFunction, capabilityAt: number): void {
    this.owner = { function: owner, controlAt: capabilityAt + 3 };
  }

  get enabled(): boolean {
    return (this.control & ENABLE) !== 0;
  }

  /** To be called when the guest wrote to the capability: vectors may have been unmasked. */
  controlWritten(): void {
    for (let vector = 0; vector < this.vectors; vector++) this.sendPending(vector);
  }

  /** Sends a vector's message, now or when it may. Numbers out of range are no vector. */
  raise(vector: number): void {
    if (vector >= this.vectors || !this.enabled) return;
    this.pending[vector] = 1;
    this.sendPending(vector);
  }

  /** Offset in bytes from the start of the table. */
  readTable(offset: number, size: 1 | 2 | 4): number {
    const word = this.table[offset >> 2] ?? 0;
    return (word >>> (8 * (offset & 3))) & (size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff);
  }

  /** Only whole aligned words: narrower writes have no defined meaning. */
  writeTable(offset: number, size: 1 | 2 | 4, value: number): void {
    const word = offset >> 2;
    if (size !== 4 || (offset & 3) !== 0 || word >= this.table.length) return;
    const writable = [0xfffffffc, 0xffffffff, 0xffffffff, MASKED][word % WORDS];
    this.table[word] = value & writable;
    this.sendPending(Math.floor(word / WORDS));
  }

  /** Pending bits, eight vectors a byte. */
  readPending(offset: number, size: 1 | 2 | 4): number {
    let bits = 0;
    for (let bit = 0; bit < 8 * size; bit++) if (this.pending[offset * 8 + bit]) bits |= 1 << bit;
    return bits >>> 0;
  }

  reset(): void {
    this.table.fill(0);
    for (let vector = 0; vector < this.vectors; vector++) this.table[vector * WORDS + 3] = MASKED;
    this.pending.fill(0);
  }

  save(): MsixState {
    return { table: [...this.table], pending: [...this.pending] };
  }

  /** @throws StateFormatError when the state is that of another number of vectors. */
  restore(state: MsixState): void {
    if (state.table.length !== this.table.length || state.pending.length !== this.pending.length) {
      throw new StateFormatError(`MSI-X: the saved table has ${state.table.length / WORDS} vectors, this device ${this.vectors}`);
    }
    this.table.set(state.table);
    this.pending.set(state.pending);
  }

  private get control(): number {
    return this.owner ? this.owner.function.read8(this.owner.controlAt) : 0;
  }

  private sendPending(vector: number): void {
    if (this.pending[vector] === 0 || (this.control & (ENABLE | MASK_ALL)) !== ENABLE) return;
    const at = vector * WORDS;
    if (this.table[at + 3] & MASKED) return;
    this.pending[vector] = 0;
    // A message is a write to memory: it needs bus mastering, and there is nothing above 4 GiB that listens.
    if (this.owner?.function.busMaster && this.table[at + 1] === 0) this.sink(this.table[at], this.table[at + 2]);
  }
}
