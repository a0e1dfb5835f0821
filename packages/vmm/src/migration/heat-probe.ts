import type { Vm } from '../vm';

/** Heat is measured for so long before the first list is made, milliseconds: some ticks of the guest. */
const FIRST_AFTER_MS = 100;
/** Between two lists, milliseconds. */
const AGAIN_AFTER_MS = 100;

/**
 * Which blocks of a moving VM are hot: all it has at first, those that ran lately
 * before the others; then what has become hot since.
 */
export class HeatProbe {
  private beganMs: number | undefined;
  private listedMs: number | undefined;
  /** The first list waits for its time; calling this makes it now. */
  private hurry: (() => void) | undefined;

  constructor(private readonly vm: Pick<Vm, 'measureHeat' | 'hotBlocks'>) {}

  /** With the first round. Idempotent. */
  begin(): void {
    if (this.beganMs !== undefined) return;
    this.beganMs = performance.now();
    this.vm.measureHeat();
  }

  /** Null: nothing new. A second call while the first one waits says that time is short, and ends its wait. */
  async list(): Promise<Uint8Array | null> {
    if (this.beganMs === undefined) return null;
    if (this.hurry) {
      this.hurry();
      return null;
    }
    const first = this.listedMs === undefined;
    const now = performance.now();
    if (!first && now - this.listedMs! < AGAIN_AFTER_MS) return null;
    this.listedMs = now;
    if (first) await this.time(this.beganMs + FIRST_AFTER_MS - now);
    return this.vm.hotBlocks(first);
  }

  private time(ms: number): Promise<void> {
    if (ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.hurry?.(), ms);
      this.hurry = () => {
        clearTimeout(timer);
        this.hurry = undefined;
        resolve();
      };
    });
  }
}
