/**
 * All VMMs of this host. Starts them, finds those that an earlier agent has started, and notices their ends. They
 * outlive every agent: nothing here ends a process that holds a VM unless it was ordered.
 *
 * Events: `changed` (Vmm), `record` (Vmm, MigrationRecord), `counters` (Vmm), `ended` (Vmm).
 */
import { EventEmitter } from 'node:events';
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import type { Logger } from 'pino';
import type { VmmConfig } from '@godwit/vmm';
import type { MigrationRecord, VmmReport, VmmStatus } from '../messages';
import { lineOf } from '../errors';
import { VMM_ANSWER_MS } from '../limits';
import { Peer } from '../rpc';
import { writeJson } from '../state/json-file';
import { identify, isAlive, type ProcessId, withArguments } from '../state/processes';
import { decide } from './adoption';
import { type About, VmmFolders } from './folders';
import { launch } from './launch';
import { Vmm } from './vmm';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface SupervisorOptions {
  readonly stateDir: string;
  readonly host: { readonly hostId: string; readonly hostName: string };
  /** Program and first arguments; the configuration's path is added. */
  readonly command: readonly string[];
  readonly log: Logger;
}

/** What the one who starts a VMM decides; the rest is this host's. */
export type VmmPlan = Omit<VmmConfig, 'schema' | 'hostId' | 'hostName' | 'vmmId' | 'control'>;

export class Supervisor extends EventEmitter {
  private readonly folders: VmmFolders;
  private readonly vmms = new Map<string, Vmm>();

  constructor(private readonly options: SupervisorOptions) {
    super();
    this.folders = new VmmFolders(options.stateDir);
  }

  get all(): Vmm[] {
    return [...this.vmms.values()];
  }

  find(vmmId: string): Vmm | undefined {
    return this.vmms.get(vmmId);
  }

  /** The one that has, or is about to have, that VM; not one that waits for it. */
  runnerOf(vmId: string): Vmm | undefined {
    return this.all.find((vmm) => vmm.vmId === vmId && !vmm.arriving && !vmm.over);
  }

  /** Until no process of this VM winds down here any more: disks and adapters are free then. @throws the signal's reason */
  async leftBy(vmId: string, signal: AbortSignal): Promise<void> {
    for (const vmm of this.all) if (vmm.vmId === vmId && vmm.leaving) await vmm.until(() => false, signal);
  }

  waiterFor(migrationId: string): Vmm | undefined {
    return this.all.find((vmm) => vmm.about.migrationId === migrationId && !vmm.over);
  }

  /** Finds what earlier agents have started; reports of those that have ended meanwhile. */
  async adopt(): Promise<VmmReport[]> {
    const entries = this.folders.list();
    const running = withArguments(new Set(entries.map((entry) => this.folders.configFile(entry))));
    const ended: VmmReport[] = [];
    for (const entry of entries) {
      try {
        const report = await this.adoptOne(entry, running.get(this.folders.configFile(entry)));
        if (report) ended.push(report);
      } catch (error) {
        this.options.log.warn(
          { entry, error: lineOf(error) },
          'an entry of the VMs in the state folder cannot be looked at: it stays as it is',
        );
      }
    }
    return ended;
  }

  /** @throws Error when the process cannot be started; nothing of it remains then */
  async start(about: Omit<About, 'vmmId' | 'startedAtMs'>, plan: VmmPlan): Promise<Vmm> {
    const { folders, options } = this;
    const vmmId = randomUUID();
    const whole: About = { ...about, vmmId, startedAtMs: Date.now() };
    folders.create(whole);
    try {
      const config: VmmConfig = { ...plan, schema: 1, ...options.host, vmmId, control: folders.socket(vmmId) };
      writeJson(folders.configFile(vmmId), config);
      const { id, exited } = await launch(options.command, folders.configFile(vmmId), folders.logFile(vmmId));
      folders.setPid(vmmId, id);
      options.log.info({ vm: about.name, vmId: about.vmId, vmmId, orderId: about.orderId, ...(about.migrationId ? { migrationId: about.migrationId } : {}), pid: id.pid, mode: plan.mode }, 'a VMM was started');
      return this.watch(whole, id, exited);
    } catch (error) {
      folders.remove(vmmId);
      throw error;
    }
  }

  /** The agent ends; the VMMs go on. */
  leave(): void {
    for (const vmm of this.vmms.values()) vmm.leave();
    this.vmms.clear();
  }

  private async adoptOne(entry: string, byArguments: ProcessId | undefined): Promise<VmmReport | undefined> {
    const { folders, options } = this;
    const { log } = options;
    const ours = UUID.test(entry) && folders.isFolder(entry);
    const about = ours ? folders.about(entry) : undefined;
    const noted = ours ? folders.pid(entry) : undefined;
    const process = noted && isAlive(noted) ? noted : byArguments;
    const answers = ours && !process && (await isServed(folders.socket(entry)));
    const ended = ours ? folders.ended(entry) : undefined;
    switch (decide({ ours, about: about !== undefined, alive: process !== undefined, answers, ended: ended !== undefined })) {
      case 'leave':
        log.warn({ entry }, 'something in the state folder among the VMs is none: it stays as it is');
        return undefined;
      case 'remove':
        folders.remove(entry);
        return undefined;
      case 'adopt': {
        const known = about ?? (await this.ask(entry));
        const id = process ?? (await this.askProcess(entry));
        this.watch(known, id);
        log.info({ vm: known.name, vmId: known.vmId, vmmId: entry, pid: id?.pid }, 'a VMM that runs here was found again');
        return undefined;
      }
      default: {
        // Only to tell of its end: its process is gone.
        const dead = new Vmm({ about: about!, host: options.host, process: undefined, exited: Promise.resolve(undefined), folders });
        await new Promise<void>((resolve) => (dead.over ? resolve() : dead.once('ended', resolve)));
        this.finish(dead);
        return dead.report();
      }
    }
  }

  private watch(about: About, process: ProcessId | undefined, exited?: Vmm['parts']['exited']): Vmm {
    const vmm = new Vmm({ about, host: this.options.host, process, exited, folders: this.folders });
    this.vmms.set(about.vmmId, vmm);
    vmm.on('changed', () => this.emit('changed', vmm));
    vmm.on('counters', () => this.emit('counters', vmm));
    vmm.on('record', (record: MigrationRecord) => this.emit('record', vmm, record));
    vmm.once('ended', () => this.finish(vmm));
    return vmm;
  }

  private finish(vmm: Vmm): void {
    const { ended, line } = vmm.status;
    this.vmms.delete(vmm.vmmId);
    this.folders.retire(vmm.vmmId);
    this.options.log[ended === 'error' ? 'warn' : 'info']({ vm: vmm.about.name, vmId: vmm.vmId, vmmId: vmm.vmmId, ended, line }, 'a VMM has ended');
    this.emit('ended', vmm);
  }

  /** Of a VMM whose about.json is lost: what it says itself. */
  private async ask(vmmId: string): Promise<About> {
    const { vm, startedAtMs } = await this.statusOf(vmmId);
    return {
      vmmId,
      vmId: vm?.vmId ?? '',
      name: vm?.name ?? '',
      place: { datastoreId: '', folder: vm?.name ?? '' },
      orderId: '',
      migrationId: '',
      memoryBytes: vm?.memoryBytes ?? 0,
      startedAtMs,
    };
  }

  private async askProcess(vmmId: string): Promise<ProcessId | undefined> {
    const { pid } = await this.statusOf(vmmId);
    return identify(pid);
  }

  private async statusOf(vmmId: string): Promise<VmmStatus> {
    const peer = new Peer('Vmm', `unix:${this.folders.socket(vmmId)}`);
    try {
      const status = await peer.call<VmmStatus>('GetStatus', {}, { deadlineMs: VMM_ANSWER_MS });
      if (status.vmmId !== vmmId) throw new Error(`its socket is served by VMM ${status.vmmId}`);
      return status;
    } finally {
      peer.close();
    }
  }
}

function isServed(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
