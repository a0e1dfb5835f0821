/** The VM at both ends of a simulated migration: a guest that writes pages, a dirty log, and what can go wrong with them. */
import type { HostFacts } from '../facts';
import { PAGE_BYTES } from '../limits';
import type { PageRun, SavedState, SourceVmmPort, TargetVmmPort } from '../ports';
import { hostFacts } from './facts';
import type { Process } from './process';

export const RAM_PAGES = 24;
const POPULATED = 18;

export type Fault = 'reserve' | 'restore' | 'saveState' | 'start' | 'announce' | 'lossyLog' | 'slowPause';
const OP_MS = 3;

export class SourceVm implements SourceVmmPort {
  readonly ram = new Uint8Array(RAM_PAGES * PAGE_BYTES);
  readonly freshlyDirty = new Uint8Array(RAM_PAGES);
  private readonly touched = Array.from({ length: RAM_PAGES }, (_, page) => page < POPULATED);
  logging = false;
  running = true;
  throttle = 0;
  discarded = false;
  userPaused = false;
  private migrationPaused = false;
  /** A pause under way is taken back by counting on. */
  private pauses = 0;
  private ended = false;
  private lastAt = 0;

  constructor(
    private readonly process: Process,
    private readonly fault: Fault | undefined,
    private readonly writeEveryMs: number,
  ) {
    const { random } = process.times;
    for (let page = 0; page < POPULATED; page++) {
      if (random.chance(0.8)) this.ram.fill(random.below(256), page * PAGE_BYTES, page * PAGE_BYTES + random.below(PAGE_BYTES));
    }
    process.onKill = () => {
      this.running = false;
    };
    this.writeSoon();
  }

  populated(): readonly PageRun[] {
    return this.touched.flatMap((touched, page) => (touched ? [{ firstPage: page, pages: 1 }] : []));
  }

  beginRound(): Promise<Uint8Array> {
    return this.inOrder(() => {
      const map = this.freshlyDirty.slice();
      this.freshlyDirty.fill(0);
      this.logging = true;
      return map;
    });
  }

  stopLog(): Promise<void> {
    return this.inOrder(() => {
      this.logging = false;
    });
  }

  setThrottle(percent: number): void {
    this.throttle = percent;
  }

  pause(): Promise<void> {
    const serial = ++this.pauses;
    return this.process.soon(this.fault === 'slowPause' ? 20_000 : OP_MS, () => {
      if (serial !== this.pauses) return;
      this.migrationPaused = true;
      this.update();
    });
  }

  saveState(): Promise<SavedState> {
    return this.process.soon(OP_MS, () =>
      this.fault === 'saveState' ? new Error('a disk could not be flushed') : { bytes: stateOf(this.ram), userPaused: this.userPaused },
    );
  }

  resume(): Promise<void> {
    this.pauses++;
    return this.process.soon(OP_MS, () => {
      this.migrationPaused = false;
      this.update();
    });
  }

  discard(): Promise<void> {
    return this.process.soon(OP_MS, () => {
      this.discarded = true;
      this.ended = true;
      this.update();
    });
  }

  hotBlocks(): Promise<Uint8Array | null> {
    return this.process.soon(OP_MS, () => new Uint8Array([1, 2, 3]));
  }

  powerOff(): void {
    this.ended = true;
    this.update();
  }

  pauseByUser(): void {
    this.userPaused = true;
    this.update();
  }

  /** Orders to the vCPU's thread arrive as they were given. */
  private inOrder<T>(act: () => T): Promise<T> {
    const { times } = this.process;
    this.lastAt = Math.max(this.lastAt, times.now) + times.random.between(0, OP_MS);
    return new Promise((resolve) => this.process.tell(this.lastAt, () => resolve(act())));
  }

  private update(): void {
    this.running = !this.ended && !this.userPaused && !this.migrationPaused && this.process.alive;
  }

  private writeSoon(): void {
    const { times } = this.process;
    const pace = this.writeEveryMs / Math.max(0.01, 1 - this.throttle / 100);
    this.process.tell(times.now + times.random.between(0.2, 1.8) * pace, () => {
      if (this.running) this.write();
      if (!this.ended) this.writeSoon();
    });
  }

  private write(): void {
    const { random } = this.process.times;
    const page = random.below(RAM_PAGES);
    const from = page * PAGE_BYTES;
    this.touched[page] = true;
    const lost = this.fault === 'lossyLog' && random.chance(0.3);
    if (this.logging && !lost) this.freshlyDirty[page] = 1;
    if (random.chance(0.2)) this.ram.fill(0, from, from + PAGE_BYTES);
    else if (random.chance(0.3))
      for (let at = from; at < from + PAGE_BYTES; at += 1 + random.below(40)) this.ram[at] = at ^ (random.next() * 256);
    else this.ram[from + random.below(PAGE_BYTES)]++;
  }
}

export class TargetVm implements TargetVmmPort {
  readonly ram = new Uint8Array(RAM_PAGES * PAGE_BYTES);
  running = false;
  started = 0;
  epoch = 0;
  restored: Uint8Array | undefined;
  reserved = false;
  hints = 0;
  onStart: () => void = () => {};
  private failures: number;

  constructor(
    private readonly process: Process,
    private readonly fault: Fault | undefined,
  ) {
    this.failures = fault === 'start' ? 1 + process.times.random.below(5) : 0;
    process.onKill = () => {
      this.running = false;
      this.reserved = false;
    };
  }

  facts(): Promise<HostFacts> {
    return this.process.soon(OP_MS, () => hostFacts());
  }

  reserve(): Promise<{ ram: Uint8Array }> {
    return this.process.soon(OP_MS, () => {
      if (this.fault === 'reserve') return new Error('a disk cannot be opened');
      this.reserved = true;
      return { ram: this.ram };
    });
  }

  warm(): void {
    this.hints++;
  }

  restore(state: Uint8Array): Promise<void> {
    return this.process.soon(OP_MS, () => {
      if (this.fault === 'restore') return new Error('the section "vga" has a version unknown here');
      this.restored = state.slice();
      return undefined;
    });
  }

  start({ epoch, userPaused }: { epoch: number; userPaused: boolean }): Promise<void> {
    return this.process.soon(OP_MS, () => {
      if (this.failures-- > 0) return new Error('the disk is busy');
      this.running = !userPaused;
      this.started++;
      this.epoch = epoch;
      this.onStart();
      return undefined;
    });
  }

  announce(): Promise<void> {
    return this.process.soon(OP_MS, () => (this.fault === 'announce' ? new Error('the bridge is down') : undefined));
  }

  discard(): Promise<void> {
    return this.process.soon(OP_MS, () => {
      this.reserved = false;
      this.running = false;
    });
  }
}

/** What stands for the machine's state: depends on all of RAM. */
export function stateOf(ram: Uint8Array): Uint8Array {
  const state = new Uint8Array(37);
  for (let at = 0; at < ram.length; at += 61) state[at % 37] += ram[at];
  return state;
}
