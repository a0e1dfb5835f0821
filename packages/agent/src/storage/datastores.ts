/**
 * The datastores of this host: each is looked at now and then by a process of its own. One that hangs is reported
 * as that, and nothing else waits for it. Event: `changed` (name).
 */
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DatastoreReport, VmFolder, VmPlace } from '../messages';
import { lineOf, refusal } from '../errors';
import { LIST_TIMEOUT_MS, PROBE_INTERVAL_MS, PROBE_TIMEOUT_MS, PROBER_RESTART_MS, STORAGE_UP_MS, VMS_A_REPORT } from '../limits';
import type { Probe, StoreRef } from './protocol';
import { StorageProcess } from './storage-process';

interface Known {
  readonly name: string;
  readonly where: string;
  /** The last answer; its identity is remembered while it hangs. */
  probe: Probe | undefined;
  reachable: boolean;
  line: string;
  process: StorageProcess | undefined;
}

export class Datastores extends EventEmitter {
  private readonly known: Known[];
  private readonly stopped = new AbortController();
  private first: Promise<void>[] = [];

  constructor(
    places: Readonly<Record<string, string>>,
    private readonly log: Logger,
    private readonly intervalMs = PROBE_INTERVAL_MS,
  ) {
    super();
    this.known = Object.entries(places).map(([name, where]) => ({
      name,
      where,
      probe: undefined,
      reachable: false,
      line: 'it has not been looked at yet',
      process: undefined,
    }));
  }

  /** Begins to look; resolves when each has answered or proved to hang. */
  async start(): Promise<void> {
    this.first = this.known.map((one) => new Promise<void>((resolve) => void this.lookAfter(one, resolve)));
    await Promise.all(this.first);
  }

  stop(): void {
    this.stopped.abort();
    for (const { process } of this.known) process?.kill();
  }

  /** Identities of those that answer. */
  get reachable(): string[] {
    return this.known.flatMap(({ probe, reachable }) => (probe && reachable ? [probe.id] : [])).sort();
  }

  /** Where each lies here, by identity, also of those that hang at the moment. */
  get places(): Record<string, string> {
    return Object.fromEntries(this.known.flatMap(({ probe, where }) => (probe ? [[probe.id, where]] : [])));
  }

  get warnings(): string[] {
    return this.known.filter(({ reachable }) => !reachable).map(({ name, line }) => `datastore ${name}: ${line}`);
  }

  /** @throws OrderError when this host does not have it, or it does not answer */
  ref({ datastoreId }: VmPlace): StoreRef {
    const one = this.known.find(({ probe }) => probe?.id === datastoreId);
    if (!one) {
      const away = this.known.filter(({ probe }) => !probe).map(({ name, line }) => `${name}: ${line}`);
      throw refusal(
        'storage',
        `this host has no datastore ${datastoreId}${away.length > 0 ? `; unless it is one of these: ${away.join('; ')}` : ": add it to the agent's configuration"}`,
      );
    }
    if (!one.reachable) throw refusal('storage', `datastore ${one.name} (${one.where}): ${one.line}`);
    return { where: one.where, id: datastoreId };
  }

  reports(): DatastoreReport[] {
    return this.known.map((one) => reportOf(one));
  }

  reportOf(name: string): DatastoreReport | undefined {
    const one = this.known.find((each) => each.name === name);
    return one && reportOf(one);
  }

  /** With every VM in it, in parts. */
  async list(datastoreId: string): Promise<DatastoreReport[]> {
    const one = this.known.find(({ probe }) => probe?.id === datastoreId);
    if (!one?.probe) return [];
    try {
      if (!one.process?.alive || !one.reachable) throw new Error(one.line);
      const { vms } = await one.process.ask('list', { store: { where: one.where, id: datastoreId } }, { timeoutMs: LIST_TIMEOUT_MS });
      return inParts(reportOf(one), vms);
    } catch (error) {
      return [{ ...reportOf(one), line: lineOf(error) }];
    }
  }

  /** @throws OrderError */
  async look(place: VmPlace, signal?: AbortSignal): Promise<VmFolder> {
    const store = this.ref(place);
    const one = this.known.find(({ probe }) => probe?.id === store.id)!;
    if (!one.process?.alive) throw refusal('storage', `datastore ${one.name}: ${one.line}`);
    return one.process.ask('look', { store, folder: place.folder }, { timeoutMs: PROBE_TIMEOUT_MS, signal });
  }

  private async lookAfter(one: Known, looked: () => void): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const process = new StorageProcess();
      one.process = process;
      await Promise.race([process.up, this.pause(process, STORAGE_UP_MS)]);
      while (process.alive && !signal.aborted) {
        const began = Date.now();
        try {
          this.note(one, await process.ask('probe', { where: one.where }, { timeoutMs: PROBE_TIMEOUT_MS, signal }), '');
        } catch (error) {
          if (signal.aborted) return;
          this.note(one, undefined, lineOf(error));
          // An answer, though a bad one, is no hang.
          if (Date.now() - began >= PROBE_TIMEOUT_MS) process.kill();
        }
        looked();
        await this.pause(process, one.reachable ? this.intervalMs : Math.min(this.intervalMs, PROBER_RESTART_MS));
      }
      // One that cannot die yet is waited for: at most one process hangs for a datastore.
      await this.pause(process, Infinity);
      await sleep(PROBER_RESTART_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private note(one: Known, probe: Probe | undefined, line: string): void {
    const before = `${one.reachable} ${one.line} ${one.probe?.id} ${roughly(one.probe)}`;
    const was = one.reachable;
    if (probe) one.probe = probe;
    one.reachable = probe !== undefined;
    one.line = line;
    if (was && !one.reachable) this.log.warn({ datastore: one.name, where: one.where, line }, 'a datastore does not answer');
    if (!was && one.reachable) this.log.info({ datastore: one.name, where: one.where, id: probe!.id }, 'a datastore is there');
    if (before !== `${one.reachable} ${one.line} ${one.probe?.id} ${roughly(one.probe)}`) this.emit('changed', one.name);
  }

  /** For that time, or until the process or this object has ended. */
  private pause(process: StorageProcess, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.stopped;
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = Number.isFinite(ms) ? setTimeout(done, ms) : undefined;
      signal.addEventListener('abort', done);
      void process.ended.then(done);
      if (signal.aborted) done();
    });
  }
}

/** Space is told of anew when it has changed by a hundredth. */
const roughly = (probe: Probe | undefined): number =>
  probe && probe.totalBytes > 0 ? Math.round((probe.freeBytes / probe.totalBytes) * 100) : 0;

const reportOf = ({ name, where, probe, reachable, line }: Known): DatastoreReport => ({
  datastoreId: probe?.id ?? '',
  where,
  name,
  reachable,
  line,
  totalBytes: probe?.totalBytes ?? 0,
  freeBytes: probe?.freeBytes ?? 0,
  vms: [],
  vmsListed: false,
  vmsMore: false,
});

export function inParts(report: DatastoreReport, vms: readonly VmFolder[]): DatastoreReport[] {
  const parts: DatastoreReport[] = [];
  for (let at = 0; at === 0 || at < vms.length; at += VMS_A_REPORT) {
    parts.push({ ...report, vms: vms.slice(at, at + VMS_A_REPORT), vmsListed: true, vmsMore: at + VMS_A_REPORT < vms.length });
  }
  return parts;
}
