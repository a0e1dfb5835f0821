import { loadNative } from '@godwit/metal';
import type { PageRun, SavedState, SourceVmmPort } from '@godwit/migration';
import type { SavedVm } from '../engine';
import { populatedRuns } from '../state-file';
import type { Vm } from '../vm';
import { DiskSettler } from './disk-settler';
import { HeatProbe } from './heat-probe';
import { encodeState } from './state-bytes';

/** A running VM as the source's side of a migration needs it. */
export class SourceVmm implements SourceVmmPort {
  readonly ram: Uint8Array;
  readonly freshlyDirty: Uint8Array;
  /** Two in turn: the one handed out stays as it is until the next round. */
  private readonly logs: SharedArrayBuffer[];
  private round = 0;
  private readonly disks: DiskSettler;
  private readonly heat: HeatProbe;
  /** What `pause` found, until it is asked for: the last round's log, the state, the disks' last flush. */
  private standing: { log: Uint8Array | undefined; state: SavedVm; settled: Promise<void> } | undefined;

  constructor(private readonly vm: Vm) {
    this.ram = vm.ram();
    this.disks = new DiskSettler(vm);
    this.heat = new HeatProbe(vm);
    this.freshlyDirty = new Uint8Array(loadNative().dirtyPages());
    const pages = this.ram.length / 4096;
    this.logs = [new SharedArrayBuffer(pages), new SharedArrayBuffer(pages)];
  }

  populated(): PageRun[] {
    return populatedRuns();
  }

  async beginRound(): Promise<Uint8Array> {
    const log = this.standing?.log;
    if (this.standing && log) {
      this.standing.log = undefined;
      return log;
    }
    this.disks.early();
    this.heat.begin();
    const next = this.nextLog();
    await this.vm.dirtyRound(next);
    return new Uint8Array(next);
  }

  async stopLog(): Promise<void> {
    this.vm.endDirtyLog();
  }

  hotBlocks(): Promise<Uint8Array | null> {
    return this.heat.list();
  }

  setThrottle(percent: number): void {
    this.vm.setThrottle(percent);
  }

  async pause(): Promise<void> {
    await this.disks.beforePause();
    // Once it stands nothing writes to its memory: the last round's log comes with the state, and the disks are flushed while pages go.
    const log = this.nextLog();
    const state = await this.vm.save(log);
    const settled = this.disks.final();
    settled.catch(() => {});
    this.standing = { log: new Uint8Array(log), state, settled };
  }

  async saveState(): Promise<SavedState> {
    if (!this.standing) throw new Error('the VM was not paused for its state');
    const bytes = encodeState(this.standing.state);
    await this.standing.settled;
    return { bytes, userPaused: this.vm.pauses.includes('operator') };
  }

  async resume(): Promise<void> {
    // A log that nobody asked for is lost only to a migration that is over: rounds begin anew with the next one.
    this.standing = undefined;
    this.vm.resume('save');
  }

  lateFrames(): Promise<Uint8Array | null> {
    return this.vm.takeFrames();
  }

  private nextLog(): SharedArrayBuffer {
    return this.logs[this.round++ & 1];
  }

  async discard(): Promise<void> {
    // Settled before: closing the disks writes nothing more.
    this.vm.stop();
    await this.vm.ended;
  }
}
