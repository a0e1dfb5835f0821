import { EventEmitter } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { loadNative } from '@godwit/metal';
import { createFrameRing, openBell, type NetBackend, type NetPump, startNetPump } from '@godwit/network';
import { DiskHost, type DiskMark, type ImageSpec } from './block/disk-host';
import type { DiskConfig, EngineStats, NicConfig, Outcome, PauseReason, ShellMessage, VcpuMessage, VmConfig } from './config';
import type { SavedVm } from './engine';
import { encodeWarmList, listRoom } from './warm-list';
import { PAGE_MARKED } from './warm-target';

export interface DiskSpec {
  adapter: DiskConfig['adapter'];
  image: ImageSpec;
}

export interface NicSpec {
  adapter: NicConfig['adapter'];
  mac: Uint8Array;
  backend: NetBackend;
  /** The backend takes unfinished checksums and large TCP segments. */
  offloads: boolean;
}

/** A VM as its shell wants it: files and networks are not open yet. */
export interface VmSpec extends Omit<VmConfig, 'disks' | 'nics'> {
  disks?: readonly DiskSpec[];
  nics?: readonly NicSpec[];
  /** It comes from another host: its disks are only looked at until `takeDisks`. */
  incoming?: boolean;
}

export interface Ended {
  outcome: Outcome;
  stats: EngineStats;
}

/**
 * One virtual machine as its process sees it: starts the threads of the vCPU
 * and of each disk, and passes messages.
 *
 * Events: `serial` (Uint8Array), `trace` (string), `paused` (reasons, held),
 * `held` (disk number, why: string | null), `link` (adapter number, up, why), `reset`.
 */
export class Vm extends EventEmitter {
  private worker: Worker | undefined;
  private readonly disks: DiskHost[];
  private pumps: NetPump[] = [];
  /** Capacity of each disk, in 512-byte sectors; after `start`. */
  diskSectors: number[] = [];
  private over = false;
  /** Why it stands still; empty while it runs. */
  pauses: readonly PauseReason[] = [];
  private nextSave = 1;
  private readonly saves = new Map<number, (state: SavedVm) => void>();
  private readonly rounds = new Map<number, () => void>();
  private readonly statistics = new Map<number, (stats: EngineStats) => void>();
  private readonly userAccesses = new Map<number, (list: Uint32Array) => void>();
  private readonly arrivals: Uint8Array | undefined;
  private readonly frames = new Map<number, (frames: Uint8Array | null) => void>();
  private readonly rehearsals: ((instructions: number) => void)[] = [];
  private onRestored: ((error: string | undefined) => void) | undefined;
  private created!: () => void;
  /** RAM is there. */
  private readonly whenCreated = new Promise<void>((resolve) => {
    this.created = resolve;
  });
  /** Resolves when the guest has ended and its disks are closed; rejects with the error of a thread. */
  readonly ended: Promise<Ended>;
  private settle!: { resolve(value: Ended): void; reject(error: Error): void };

  constructor(readonly spec: VmSpec) {
    super();
    this.disks = (spec.disks ?? []).map((disk) => new DiskHost(disk.image, spec.incoming));
    this.ended = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.ended.catch(() => {});
    if (spec.incoming) this.arrivals = new Uint8Array(new SharedArrayBuffer(spec.memoryBytes / 4096));
  }

  /** Opens disks and networks and lets the vCPU go. @throws DiskError, or an Error with code GODWIT_NETWORK */
  async start(): Promise<void> {
    try {
      const nics = this.openNetworks();
      const disks = await this.openDisks();
      this.run({ ...this.spec, disks, nics, arrivals: this.arrivals?.buffer as SharedArrayBuffer | undefined });
      await Promise.race([this.whenCreated, this.ended]);
    } catch (error) {
      await this.release().catch(() => {});
      this.settle.reject(error as Error);
      throw error;
    }
  }

  /** Guest RAM: shared with the running guest. */
  ram(): Uint8Array {
    return new Uint8Array(loadNative().ram());
  }

  input(bytes: Uint8Array): void {
    this.send({ type: 'input', bytes });
  }

  powerButton(): void {
    this.send({ type: 'powerButton' });
  }

  /** The VM is about to arrive: its thread is to be free for it. */
  holdWarm(): void {
    this.send({ type: 'holdWarm' });
  }

  /** As the machine's reset line. */
  reset(): void {
    this.send({ type: 'reset' });
  }

  /** The engine's counters as they stand. */
  stats(): Promise<EngineStats> {
    const id = this.nextSave++;
    return new Promise((resolve, reject) => {
      this.statistics.set(id, resolve);
      this.ended.then(({ stats }) => resolve(stats), reject);
      this.send({ type: 'stats', id });
    });
  }

  stop(): void {
    this.send({ type: 'stop' });
  }

  pause(reason: PauseReason): void {
    this.send({ type: 'pause', reason });
  }

  resume(reason: PauseReason): void {
    this.send({ type: 'resume', reason });
  }

  /**
   * Pauses the VM for 'save' and gives its state once no disk request is on its way. `resume('save')` lets
   * it go on; called before the state is there, it takes the order back.
   * @param into as in `dirtyRound`: a round that begins once the VM stands.
   */
  save(into?: SharedArrayBuffer): Promise<SavedVm> {
    const id = this.nextSave++;
    return new Promise((resolve, reject) => {
      this.saves.set(id, resolve);
      this.ended.then(({ outcome }) => reject(new Error(`the VM ended before it was saved: ${outcome.detail}`)), reject);
      this.send({ type: 'save', id, into });
    });
  }

  /**
   * For a VM made with `waitForState`, before any of its memory comes: runs a small guest of our own for so
   * long, so that all that the VM will need has been compiled. What the VM has is as it was.
   * @returns guest instructions that it translated
   */
  rehearse(milliseconds: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.rehearsals.push(resolve);
      this.ended.then(({ outcome }) => reject(new Error(outcome.detail)), reject);
      this.send({ type: 'rehearse', milliseconds });
    });
  }

  /** The disks are this host's now. @throws DiskError */
  async takeDisks(): Promise<void> {
    await Promise.all(this.disks.map((disk) => disk.openForWriting()));
  }

  /** For a VM made with `waitForState`, once its RAM is filled: takes the state over; `resume('restore')` lets it run. @throws Error naming what does not fit */
  restore(state: SavedVm): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onRestored = (error) => (error === undefined ? resolve() : reject(new Error(error)));
      this.ended.then(({ outcome }) => reject(new Error(outcome.detail)), reject);
      this.send({ type: 'restore', state });
    });
  }

  /** Begins a round of the dirty log: one byte a page into `into`, 1 = written since the last one. */
  dirtyRound(into: SharedArrayBuffer): Promise<void> {
    const id = this.nextSave++;
    return new Promise((resolve, reject) => {
      this.rounds.set(id, resolve);
      this.ended.then(({ outcome }) => reject(new Error(outcome.detail)), reject);
      this.send({ type: 'dirtyRound', id, into });
    });
  }

  endDirtyLog(): void {
    this.send({ type: 'endDirtyLog' });
  }

  /** 0 to 99: the share of time that the vCPU rests. */
  setThrottle(percent: number): void {
    this.send({ type: 'throttle', percent });
  }

  /** Begins to find out which blocks are hot; the guest notices nothing. Some 100 ms later `hotBlocks` can tell. */
  measureHeat(): void {
    this.send({ type: 'measureHeat' });
  }

  /** The hot blocks since `measureHeat` or the last call, then with `all` the others (warm-list.ts); null: none. */
  async hotBlocks(all: boolean): Promise<Uint8Array | null> {
    const id = this.nextSave++;
    const userAccesses = await new Promise<Uint32Array>((resolve, reject) => {
      this.userAccesses.set(id, resolve);
      this.ended.then(({ outcome }) => reject(new Error(outcome.detail)), reject);
      this.send({ type: 'userAccesses', id });
    });
    const room = new Uint32Array(listRoom(userAccesses.length));
    const native = loadNative();
    const words = native.listHot(room, all);
    return words === 0 ? null : encodeWarmList({ userAccesses, blocks: room.subarray(0, words), hotWords: native.listedHot() });
  }

  /** What `hotBlocks` gave on another host: untrusted. For a VM that waits for its state, whose memory is still coming. */
  warm(hotBlocks: Uint8Array): void {
    this.send({ type: 'hotBlocks', list: hotBlocks });
  }

  /** Pages of a VM that waits for its state are about to be written. */
  noteArrival(firstPage: number, pages: number): void {
    this.arrivals?.fill(PAGE_MARKED, firstPage, firstPage + pages);
  }

  /** Frames from the network that the paused guest has not seen, for another host to give; each once. Null: none now. */
  takeFrames(): Promise<Uint8Array | null> {
    const id = this.nextSave++;
    return new Promise((resolve, reject) => {
      this.frames.set(id, resolve);
      this.ended.then(({ outcome }) => reject(new Error(outcome.detail)), reject);
      this.send({ type: 'takeFrames', id });
    });
  }

  /** What `takeFrames` gave on another host; untrusted. */
  giveFrames(frames: Uint8Array): void {
    this.send({ type: 'giveFrames', frames });
  }

  /** The guest's adapters tell their networks where they are now. */
  announce(): void {
    this.send({ type: 'announce' });
  }

  /** Every disk's `settle`: nothing may be on its way (`save` sees to that). */
  settleDisks(): Promise<DiskMark[]> {
    return Promise.all(this.disks.map((disk) => disk.settle()));
  }

  private openNetworks(): NicConfig[] {
    return (this.spec.nics ?? []).map(({ adapter, mac, backend, offloads }, index) => {
      const toNetwork = createFrameRing();
      const fromNetwork = createFrameRing();
      const bell = openBell();
      const wake = (): void => loadNative().kick();
      const onLink = (up: boolean, why: string): void => {
        this.send({ type: 'link', nic: index, up });
        this.emit('link', index, up, why);
      };
      this.pumps.push(startNetPump({ backend, tx: toNetwork, rx: fromNetwork, bell, wake, onLink }));
      return { adapter, mac, offloads, toNetwork, fromNetwork, bell, tapFd: backend.kind === 'tap' ? backend.fd : undefined };
    });
  }

  private async openDisks(): Promise<DiskConfig[]> {
    const shapes = await Promise.all(this.disks.map((disk) => disk.open()));
    this.diskSectors = shapes.map((shape) => shape.sectors);
    return this.disks.map((disk, index) => {
      disk.on('held', (why: string | null) => this.emit('held', index, why));
      return { adapter: this.spec.disks![index].adapter, channel: disk.channel, shape: shapes[index] };
    });
  }

  private run(config: VmConfig): void {
    const worker = new Worker(path.join(__dirname, 'vcpu-worker.js'), { workerData: config });
    this.worker = worker;
    worker.on('message', (message: VcpuMessage) => this.receive(message));
    worker.on('error', (error) => this.settle.reject(error));
    worker.on('exit', (code) => this.over || this.settle.reject(new Error(`the vCPU thread ended unexpectedly (code ${code})`)));
  }

  private receive(message: VcpuMessage): void {
    switch (message.type) {
      case 'serial':
        return void this.emit('serial', message.bytes);
      case 'trace':
        return void this.emit('trace', message.line);
      case 'created':
        return this.created();
      case 'paused':
        this.pauses = message.reasons;
        return void this.emit('paused', message.reasons, message.held);
      case 'saved':
        this.saves.get(message.id)?.(message.state);
        return void this.saves.delete(message.id);
      case 'dirtyRound':
        this.rounds.get(message.id)?.();
        return void this.rounds.delete(message.id);
      case 'stats':
        this.statistics.get(message.id)?.(message.stats);
        return void this.statistics.delete(message.id);
      case 'reset':
        return void this.emit('reset');
      case 'userAccesses':
        this.userAccesses.get(message.id)?.(message.list);
        return void this.userAccesses.delete(message.id);
      case 'frames':
        this.frames.get(message.id)?.(message.frames);
        return void this.frames.delete(message.id);
      case 'rehearsed':
        return this.rehearsals.shift()?.(message.instructions);
      case 'restored':
        return this.onRestored?.(message.error);
      case 'ended':
        this.over = true;
        this.release().then(
          () => this.settle.resolve({ outcome: message.outcome, stats: message.stats }),
          (error: Error) => this.settle.reject(error),
        );
    }
  }

  /** Closes disks and networks. @throws DiskError when a disk could not be flushed */
  private async release(): Promise<void> {
    for (const pump of this.pumps) pump.stop();
    this.pumps = [];
    for (const disk of this.disks) disk.abandonHeld();
    const closed = await Promise.allSettled(this.disks.map((disk) => disk.close()));
    const failed = closed.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private send(message: ShellMessage): void {
    this.worker?.postMessage(message);
    loadNative().kick();
  }
}
