/**
 * A split virtqueue, the device's side. Source: VIRTIO 1.1, 2.6.
 *
 *   driver: descriptor table, available ring ──► pop ──► device works
 *   driver ◄── used ring ◄── push, publish ◄────────────┘
 *
 * A visit begins with `open`, which takes views of the three areas and reads
 * how far the driver got; `pop`, `push` and the rest belong to that visit. The
 * vCPU stands still meanwhile, so once a visit found nothing more to do, the
 * driver has to notify again: nothing can slip in between.
 *
 * The driver is not trusted. Entries popped and not yet pushed, plus those
 * that wait, never exceed the queue's size, however often the driver offers
 * one; what breaks a rule breaks the queue (`onBroken`), which then stops.
 */
import type { BusMaster } from '../../ports/bus-master';
import { flag, list, record, u16, u32, type ValuesOf } from '../../state-format';
import { get16, set16, set32 } from './bytes';
import type { Chain } from './chain';

export const NO_VECTOR = 0xffff;
const NO_INTERRUPT = 1;
const NO_NOTIFY = 1;
const LEGACY_ALIGN = 4096;

const fields = {
  size: u16('entries, a power of two'),
  enabled: flag('the driver set the queue up'),
  vector: u16('MSI-X vector; FFFF for none'),
  addresses: list(u32('descriptor table, available ring, used ring: low and high word of each'), { length: 6 }),
  lastAvailable: u16('available entries taken, modulo 65536'),
  usedIndex: u16('used entries given back, modulo 65536'),
  signalled: u16('used entries at the last decision about an interrupt'),
  kicks: flag('the driver was asked to notify'),
};
export const queueState = record(fields, 'one virtqueue');
export type QueueState = ValuesOf<typeof fields>;

/** Which of a queue's three areas a driver's register sets: index of its low word. */
export const Area = { descriptors: 0, available: 2, used: 4 } as const;

export class Virtqueue {
  size: number;
  enabled = false;
  vector = NO_VECTOR;
  readonly addresses = new Uint32Array(6);
  /** Negotiated features that change the rings. */
  eventIndex = false;
  indirect = false;
  lastAvailable = 0;
  private usedIndex = 0;
  private signalled = 0;
  private kicks = true;
  private table!: Uint8Array;
  private available!: Uint8Array;
  private used!: Uint8Array;
  private availableIndex = 0;

  constructor(
    readonly maxSize: number,
    private readonly bus: BusMaster,
    private readonly onInterrupt: (vector: number) => void,
    private readonly onBroken: (why: string) => void,
  ) {
    this.size = maxSize;
  }

  /** Takes the views. False when the queue is not set up or its areas are not RAM. */
  open(): boolean {
    if (!this.enabled) return false;
    const { size, bus } = this;
    const table = bus.view(this.address(Area.descriptors), 16 * size);
    const available = bus.view(this.address(Area.available), 6 + 2 * size);
    const used = bus.writable(this.address(Area.used), 6 + 8 * size);
    if (!table || !available || !used) return this.fail('its areas are not in RAM');
    this.table = table;
    this.available = available;
    this.used = used;
    this.availableIndex = get16(available, 2);
    const held = (this.availableIndex - this.usedIndex) & 0xffff;
    if (held > size || this.waiting > size) return this.fail(`${Math.max(held, this.waiting)} entries offered, its size is ${size}`);
    return true;
  }

  /** Entries the driver has offered and the device not taken, as of `open`. */
  get waiting(): number {
    return (this.availableIndex - this.lastAvailable) & 0xffff;
  }

  /** Next chain: its head, or -1 when there is none or the queue broke. */
  pop(chain: Chain): number {
    if (this.waiting === 0) return -1;
    const head = get16(this.available, 4 + 2 * (this.lastAvailable & (this.size - 1)));
    this.lastAvailable = (this.lastAvailable + 1) & 0xffff;
    return this.load(head, chain) ? head : -1;
  }

  /** Takes a chain apart that was popped earlier. */
  load(head: number, chain: Chain): boolean {
    const wrong = chain.load(this.table, head, this.indirect);
    return wrong === undefined || this.fail(wrong);
  }

  /** The chains popped last were not used: they come again. */
  unpop(count: number): void {
    this.lastAvailable = (this.lastAvailable - count) & 0xffff;
  }

  /** Gives a chain back with the number of bytes written into it; seen by the driver after `publish`. */
  push(head: number, bytesWritten: number): void {
    const at = 4 + 8 * (this.usedIndex & (this.size - 1));
    set32(this.used, at, head);
    set32(this.used, at + 4, bytesWritten);
    this.usedIndex = (this.usedIndex + 1) & 0xffff;
  }

  /** Shows the driver what was pushed, and interrupts it if it wants to know. */
  publish(): void {
    this.show();
    this.signal();
  }

  /** Shows the driver what was pushed: one that looks sees it. */
  show(): void {
    set16(this.used, 2, this.usedIndex);
  }

  /** Entries shown since the last decision about an interrupt. */
  get unsignalled(): number {
    return (this.usedIndex - this.signalled) & 0xffff;
  }

  /** Interrupts the driver if it wants to know of what was shown. */
  signal(): void {
    const before = this.signalled;
    if (this.usedIndex === before) return;
    this.signalled = this.usedIndex;
    if (this.interruptWanted(before)) this.onInterrupt(this.vector);
  }

  /** Asks to be notified of the next entry beyond those offered, or not to be. Each `open` sees them all the same. */
  wantKicks(wanted: boolean): void {
    if (this.eventIndex) {
      // Left behind, the event is passed only once in 65536 entries.
      if (wanted) set16(this.used, 4 + 8 * this.size, this.availableIndex);
    } else if (wanted !== this.kicks) {
      set16(this.used, 0, wanted ? 0 : NO_NOTIFY);
    }
    this.kicks = wanted;
  }

  /** Breaks the queue. Always false. */
  fail(why: string): false {
    this.onBroken(why);
    return false;
  }

  /** Legacy: one page number places all three areas (VIRTIO 1.1, 2.6.2). 0 takes the queue down. */
  placeLegacy(page: number): void {
    this.start(page !== 0);
    const descriptors = page * LEGACY_ALIGN;
    const available = descriptors + 16 * this.size;
    const used = Math.ceil((available + 6 + 2 * this.size) / LEGACY_ALIGN) * LEGACY_ALIGN;
    for (const [index, gpa] of [descriptors, available, used].entries()) {
      this.addresses[index * 2] = gpa % 2 ** 32;
      this.addresses[index * 2 + 1] = Math.floor(gpa / 2 ** 32);
    }
  }

  legacyPage(): number {
    return this.enabled ? Math.floor(this.address(Area.descriptors) / LEGACY_ALIGN) : 0;
  }

  start(enabled: boolean): void {
    this.enabled = enabled;
    this.lastAvailable = this.usedIndex = this.signalled = 0;
    this.kicks = true;
  }

  reset(): void {
    this.start(false);
    this.size = this.maxSize;
    this.vector = NO_VECTOR;
    this.addresses.fill(0);
  }

  save(): QueueState {
    const { size, enabled, vector, lastAvailable, usedIndex, signalled, kicks } = this;
    return { size, enabled, vector, addresses: [...this.addresses], lastAvailable, usedIndex, signalled, kicks };
  }

  /** False when the size is none that a queue can have. */
  restore(state: QueueState): boolean {
    if (!this.validSize(state.size)) return false;
    const { size, enabled, vector, lastAvailable, usedIndex, signalled, kicks } = state;
    Object.assign(this, { size, enabled, vector, lastAvailable, usedIndex, signalled, kicks });
    this.addresses.set(state.addresses);
    return true;
  }

  validSize(size: number): boolean {
    return size > 0 && size <= this.maxSize && (size & (size - 1)) === 0;
  }

  private address(area: number): number {
    return this.addresses[area] + this.addresses[area + 1] * 2 ** 32;
  }

  /** VIRTIO 1.1, 2.6.7: with event index, when the driver's event lies among the entries since the last decision. */
  private interruptWanted(before: number): boolean {
    if (!this.eventIndex) return (get16(this.available, 0) & NO_INTERRUPT) === 0;
    const event = get16(this.available, 4 + 2 * this.size);
    return ((this.usedIndex - event - 1) & 0xffff) < ((this.usedIndex - before) & 0xffff);
  }
}
