/**
 * One VMM as its agent sees it: what it says of itself (WatchStatus), whether its process is there, and the
 * migrations away from it. Events: `changed`, `record` (MigrationRecord), `counters` (new ones have come), `ended` (once; the
 * process is gone).
 */
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationRecord, VmmReport, VmmStatus } from '../messages';
import { ALIVE_INTERVAL_MS, RECONNECT_MS, SILENT_MS, STATUS_INTERVAL_MS, VMM_ANSWER_MS, VMM_END_MS } from '../limits';
import { Peer } from '../rpc';
import { isAlive, type ProcessId, signalProcess, statOf } from '../state/processes';
import type { About, VmmFolders } from './folders';
import { endOf, type Exit, keptRecord } from './endings';

/** Clock ticks a second in /proc (USER_HZ, fixed by the kernel's ABI). */
const USER_HZ = 100;

export interface VmmParts {
  readonly about: About;
  readonly host: { readonly hostId: string; readonly hostName: string };
  /** Undefined: it serves its socket, but its process cannot be seen. */
  readonly process: ProcessId | undefined;
  /** Of an own child. Undefined in it: it ended when nobody looked. */
  readonly exited?: Promise<Exit | undefined>;
  readonly folders: VmmFolders;
}

export class Vmm extends EventEmitter {
  readonly about: About;
  status: VmmStatus;
  silent = false;
  /** It has spoken: its socket is served. */
  up = false;
  /** After its end: the code of what it ended with; empty: none. */
  causeCode = '';
  /** After its end: how often its lease was found to be another's. */
  leaseLosses = 0;
  /** The process is gone. */
  over = false;
  /** Of the migration away from here: the latest. */
  record: MigrationRecord | undefined;
  cpuUsed = 0;
  counters: Readonly<Record<string, number>> = {};
  private readonly peer: Peer;
  private readonly stopped = new AbortController();
  private heardAt = Date.now();
  private endSaidAt: number | undefined;
  private readonly following = new Map<string, Promise<void>>();
  private exit: Exit | undefined;
  private cpu = { ticks: 0, at: 0 };

  constructor(private readonly parts: VmmParts) {
    super();
    const { about, host, folders, process } = parts;
    this.about = about;
    this.peer = new Peer('Vmm', `unix:${folders.socket(about.vmmId)}`);
    this.status = {
      vm: {
        vmId: about.vmId,
        name: about.name,
        state: about.migrationId ? 'VM_STATE_INCOMING' : 'VM_STATE_STARTING',
        memoryBytes: about.memoryBytes,
      },
      pauses: [],
      line: '',
      ...host,
      vmmId: about.vmmId,
      pid: process?.pid ?? 0,
      startedAtMs: about.startedAtMs,
      leaseEpoch: 0,
      migrationId: '',
      migrationAddress: '',
      ended: '',
    };
    void parts.exited?.then((exit) => {
      this.exit = exit;
      this.gone();
    });
    void this.watch();
    void this.lookAfter();
  }

  get vmmId(): string {
    return this.about.vmmId;
  }
  get vmId(): string {
    return this.about.vmId;
  }
  get state(): string {
    return this.status.vm?.state ?? '';
  }
  /** It holds the VM: runs it, or has it paused. */
  get hasVm(): boolean {
    return !this.over && this.status.leaseEpoch > 0 && (this.state === 'VM_STATE_RUNNING' || this.state === 'VM_STATE_PAUSED');
  }
  get arriving(): boolean {
    return !this.over && this.state === 'VM_STATE_INCOMING';
  }
  /** Its VM has moved away: it only winds down, and never has a VM again. */
  get leaving(): boolean {
    return !this.over && this.record?.outcome === 'completed';
  }
  /** Bytes of the guest's memory that it has promised and not taken yet. */
  get untakenBytes(): number {
    const resident = (this.parts.process ? (statOf(this.parts.process.pid)?.residentPages ?? 0) : 0) * 4096;
    return Math.max(0, (this.status.vm?.memoryBytes || this.about.memoryBytes) - resident);
  }

  report(): VmmReport {
    const { about, status, silent, record } = this;
    const moving = record && record.outcome === '' ? record : undefined;
    return {
      vmmId: about.vmmId,
      place: about.place,
      status,
      silent: silent && status.ended === '',
      orderId: about.orderId,
      incomingMigrationId: about.migrationId,
      cpuUsed: this.cpuUsed,
      dirtyBytesPerSecond: moving?.dirtyBytesPerSecond ?? 0,
    };
  }

  call<T>(method: string, request: object = {}, deadlineMs = VMM_ANSWER_MS, signal?: AbortSignal): Promise<T> {
    return this.peer.call<T>(method, request, { deadlineMs, signal });
  }

  console() {
    return this.peer.duplex<{ data: Uint8Array }, { data: Uint8Array }>('Console');
  }

  /** Begins a migration; its first record. @throws WireError when it does not begin: the VM runs on here */
  migrate(request: { readonly migrationId: string }): Promise<MigrationRecord> {
    return new Promise((resolve, reject) => {
      this.following.set(
        request.migrationId,
        this.take(this.peer.stream<MigrationRecord>('Migrate', request, this.stopped.signal), resolve).catch(reject),
      );
    });
  }

  /** Until `holds`, or the process is gone. @throws the signal's reason */
  until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!signal.aborted && !this.over && !holds()) return;
        for (const event of ['changed', 'ended']) this.off(event, look);
        signal.removeEventListener('abort', look);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      for (const event of ['changed', 'ended']) this.on(event, look);
      signal.addEventListener('abort', look);
      look();
    });
  }

  /** Only for a process that holds no VM, or whose VM is to end: its lease then runs out by itself. False: it is gone already. */
  kill(): boolean {
    return this.parts.process !== undefined && signalProcess(this.parts.process, 'SIGKILL');
  }

  /** The agent ends; the VMM goes on. */
  leave(): void {
    this.stopped.abort();
    this.peer.close();
  }

  async refreshCounters(): Promise<void> {
    const { counters } = await this.call<{ counters: Record<string, number> }>('GetStats');
    this.counters = counters;
    this.emit('counters');
  }

  measureCpu(now: number): void {
    const ticks = this.parts.process ? statOf(this.parts.process.pid)?.cpuTicks : undefined;
    if (ticks === undefined) return;
    const seconds = (now - this.cpu.at) / 1000;
    if (this.cpu.at > 0 && seconds > 0) this.cpuUsed = Math.min(1, Math.max(0, (ticks - this.cpu.ticks) / USER_HZ / seconds));
    this.cpu = { ticks, at: now };
  }

  private async watch(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        for await (const status of this.peer.stream<VmmStatus>('WatchStatus', { intervalMs: STATUS_INTERVAL_MS }, signal))
          this.hear(status);
      } catch {
        // Not up yet, or gone: lookAfter knows.
      }
      if (!this.parts.process && !this.over && Date.now() - this.heardAt > SILENT_MS) this.gone();
      await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** As a call answered it: ahead of the stream. */
  hear(status: VmmStatus): void {
    // Whoever has taken the socket's place is not this VMM.
    if (status.vmmId !== this.vmmId || this.over) return;
    this.heardAt = Date.now();
    const first = !this.up;
    this.up = true;
    const { migrationId } = status;
    if (migrationId !== '' && migrationId !== this.about.migrationId && !this.following.has(migrationId)) this.follow(migrationId);
    if (status.ended !== '') {
      // Told once the process is gone: this is then its last report.
      this.endSaidAt ??= Date.now();
      return;
    }
    const same = !first && !this.silent && JSON.stringify(status) === JSON.stringify(this.status);
    this.silent = false;
    this.status = status;
    if (!same) this.emit('changed');
  }

  private follow(migrationId: string): void {
    const done = this.take(this.peer.stream<MigrationRecord>('WatchMigration', { migrationId }, this.stopped.signal));
    // A broken stream: the next status that names it has it followed again.
    this.following.set(
      migrationId,
      done.catch(() => undefined).then(() => void this.following.delete(migrationId)),
    );
  }

  private async take(records: AsyncIterable<MigrationRecord>, first?: (record: MigrationRecord) => void): Promise<void> {
    for await (const record of records) {
      this.setRecord(record);
      first?.(record);
    }
    if (first && !this.record) throw new Error('the migration has ended before it began');
  }

  private setRecord(record: MigrationRecord): void {
    this.record = record;
    this.emit('record', record);
  }

  /** Looks whether it is still there, and whether it speaks. */
  private async lookAfter(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      await sleep(ALIVE_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || this.over) return;
      const { process } = this.parts;
      if (process && !this.parts.exited && !isAlive(process)) return this.gone();
      if (this.endSaidAt !== undefined && Date.now() - this.endSaidAt > VMM_END_MS) this.kill();
      const silent = Date.now() - this.heardAt > SILENT_MS;
      if (silent && !this.silent) {
        this.silent = true;
        this.emit('changed');
      }
    }
  }

  private gone(): void {
    if (this.over) return;
    this.over = true;
    this.stopped.abort();
    this.peer.close();
    const { folders } = this.parts;
    const ended = folders.ended(this.vmmId);
    const words = folders.lastWords(this.vmmId);
    this.causeCode = words.code;
    this.leaseLosses = ended?.leaseLosses ?? 0;
    this.status = endOf(this.status, ended, { exit: this.exit, words });
    for (const kept of ended?.migrations ?? []) {
      const record = keptRecord(kept);
      if (record && !(this.record?.migrationId === record.migrationId && this.record.outcome !== '')) this.setRecord(record);
    }
    this.emit('changed');
    this.emit('ended');
  }
}
