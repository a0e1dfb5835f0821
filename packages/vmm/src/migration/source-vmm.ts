import { loadNative } from '@godwit/metal';
import type { PageRun, SavedState, SourceVmmPort } from '@godwit/migration';
import type { SavedVm } from '../engine';
import { populatedRuns } from '../state-file';
import type { Vm } from '../vm';
import { encodeState } from './state-bytes';

/** A running VM as the source's side of a migration needs it. */
export class SourceVmm implements SourceVmmPort {
  readonly ram: Uint8Array;
  readonly freshlyDirty: Uint8Array;
  /** Two in turn: the one handed out stays as it is until the next round. */
  private readonly logs: SharedArrayBuffer[];
  private round = 0;
  private saved: SavedVm | undefined;

  constructor(private readonly vm: Vm) {
    this.ram = vm.ram();
    this.freshlyDirty = new Uint8Array(loadNative().dirtyPages());
    const pages = this.ram.length / 4096;
    this.logs = [new SharedArrayBuffer(pages), new SharedArrayBuffer(pages)];
  }

  populated(): PageRun[] {
    return populatedRuns();
  }

  async beginRound(): Promise<Uint8Array> {
    const log = this.logs[this.round++ & 1];
    await this.vm.dirtyRound(log);
    return new Uint8Array(log);
  }

  async stopLog(): Promise<void> {
    this.vm.endDirtyLog();
  }

  setThrottle(percent: number): void {
    this.vm.setThrottle(percent);
  }

  async pause(): Promise<void> {
    // What the disks hold goes out while the guest still runs: little is left for the pause.
    await this.vm.settleDisks();
    this.saved = await this.vm.save();
  }

  async saveState(): Promise<SavedState> {
    if (!this.saved) throw new Error('the VM was not paused for its state');
    await this.vm.settleDisks();
    return { bytes: encodeState(this.saved), userPaused: this.vm.pauses.includes('operator') };
  }

  async resume(): Promise<void> {
    this.saved = undefined;
    this.vm.resume('save');
  }

  lateFrames(): Promise<Uint8Array | null> {
    return this.vm.takeFrames();
  }

  async discard(): Promise<void> {
    // Settled before: closing the disks writes nothing more.
    this.vm.stop();
    await this.vm.ended;
  }
}
