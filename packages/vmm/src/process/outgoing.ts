/** Migrations away from this process: one at a time, with their records, live and kept. */
import { EventEmitter } from 'node:events';
import { randomUUID } from 'node:crypto';
import { DEFAULT_SETTINGS, type LeaseOwner, type MigrationRecord, MigrationRegistry, type Settings, SourceSession, type TransportPort, type VmFacts } from '@godwit/migration';
import type { LeaseHolder } from '@godwit/storage';
import { clockPort, codecPort, nativePageWork, sourceLease } from '../migration/ports';
import { SourceVmm } from '../migration/source-vmm';
import type { Vm } from '../vm';
import { WireError } from '@godwit/wire';
import type { OnPhase } from './fault-points';
import type { MigrationLink } from './link';
import { offeredMachine } from './machine-offer';

/** The target's call comes at once or never. */
const CALL_TIMEOUT_MS = 15_000;
/** How often a record that has changed is told of. */
const TELL_MS = 100;
const MAX_KEPT = 64;

/** Ready for what the VM does, after a semicolon or, behind a question, as a sentence. */
const ended = (line: string): string => (/[.?!]$/.test(line) ? `${line} The` : `${line}; the`);

/** A record with what the session does not know. */
export interface KeptRecord extends MigrationRecord {
  /** Wall clock, milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly sourceHost: string;
  readonly targetHost: string;
}

export interface Order {
  readonly migrationId?: string;
  readonly target: string;
  readonly token: string;
  readonly settings: Partial<Settings>;
  readonly targetHost?: string;
}

export interface OutgoingParts {
  readonly vm: Vm;
  readonly holder: LeaseHolder | undefined;
  readonly link: () => Promise<MigrationLink>;
  readonly owner: LeaseOwner;
  readonly facts: () => Promise<VmFacts>;
  readonly onPhase: OnPhase;
  readonly log: (line: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** One under way. Events: `record` (KeptRecord), the last one when it is over. */
export class Running extends EventEmitter {
  over = false;
  constructor(
    private readonly session: SourceSession,
    private readonly about: Pick<KeptRecord, 'startedAtMs' | 'sourceHost' | 'targetHost'>,
  ) {
    super();
  }

  record(): KeptRecord {
    return { ...this.session.record(), ...this.about };
  }

  cancel(why: string): void {
    this.session.cancel(why);
  }

  /** @throws RangeError naming the field */
  configure(changes: Partial<Settings>): void {
    this.session.configure(changes);
  }

  vmEnded(why: string): void {
    this.session.vmEnded(why);
  }

  vmReset(): void {
    this.session.vmReset();
  }

  async run(): Promise<KeptRecord> {
    let told = '';
    const tell = (): void => {
      const record = this.record();
      const { totalMs: _, ...rest } = record;
      const text = JSON.stringify(rest);
      if (text === told) return;
      told = text;
      this.emit('record', record);
    };
    const timer = setInterval(tell, TELL_MS);
    tell();
    await this.session.run();
    clearInterval(timer);
    this.over = true;
    const last = this.record();
    this.emit('record', last);
    return last;
  }
}

export class Outgoing {
  private readonly registry = new MigrationRegistry();
  private readonly kept: KeptRecord[] = [];
  private starting: AbortController | undefined;
  running: Running | undefined;

  constructor(private readonly parts: OutgoingParts) {}

  /** The newest first, the one under way included. */
  get records(): KeptRecord[] {
    return [...(this.running && !this.running.over ? [this.running.record()] : []), ...this.kept];
  }

  /** The migration under way, or the kept record. */
  find(migrationId: string): KeptRecord | undefined {
    return this.records.find((record) => record.migrationId === migrationId);
  }

  /** Starts one; `done` gives its record. @throws WireError when it cannot begin: the VM runs on here */
  async start(order: Order): Promise<{ running: Running; done: Promise<KeptRecord> }> {
    const { holder, owner, vm } = this.parts;
    if (!holder) throw new WireError('precondition', 'a VM without a lease on shared storage cannot be moved: run it with --vm DATASTORE/NAME');
    const facts = await this.parts.facts();
    const migrationId = order.migrationId || randomUUID();
    const busy = this.registry.begin(facts.vmId, migrationId, 'out');
    if (busy) throw new WireError('precondition', busy);
    try {
      const transport = await this.connect(migrationId, order);
      const setup = { migrationId, vm: facts, config: offeredMachine(vm), owner, wallClockMs: Date.now(), settings: { ...DEFAULT_SETTINGS, ...order.settings } };
      const trace = { phase: (end: 'source' | 'target', phase: string) => this.parts.onPhase(end, phase, () => session.cancel('ordered at a fault point')), event: (name: string, line: string, fields: Readonly<Record<string, unknown>>) => this.parts.log(`migration: ${line || name}`, { migrationId, event: name, ...fields }) };
      const session: SourceSession = new SourceSession(setup, { vmm: new SourceVmm(vm), lease: sourceLease(holder), transport, clock: clockPort, codec: codecPort, work: nativePageWork(), trace });
      const running = new Running(session, { startedAtMs: Date.now(), sourceHost: owner.hostName, targetHost: order.targetHost || order.target });
      this.running = running;
      const done = running.run().then((record) => {
        this.kept.unshift(record);
        this.kept.length = Math.min(this.kept.length, MAX_KEPT);
        this.registry.end(facts.vmId, migrationId);
        return record;
      });
      return { running, done };
    } catch (error) {
      this.registry.end(facts.vmId, migrationId);
      const code = error instanceof WireError ? error.code : error instanceof RangeError ? 'invalid' : 'unavailable';
      throw new WireError(code, `${ended((error as Error).message)} VM runs on ${owner.hostName}, as before`);
    }
  }

  /** Also one that is only connecting. @throws WireError */
  cancel(migrationId: string, why: string): KeptRecord | undefined {
    if (this.running && !this.running.over && (migrationId === '' || this.running.record().migrationId === migrationId)) {
      this.running.cancel(why);
      return this.running.record();
    }
    if (this.starting) {
      this.starting.abort(new Error(`cancelled: ${why}`));
      return undefined;
    }
    const kept = this.find(migrationId);
    if (!kept) throw new WireError('not-found', `no migration ${migrationId} is known here`);
    return kept;
  }

  private async connect(migrationId: string, { target, token }: Order): Promise<TransportPort> {
    const cancelled = new AbortController();
    this.starting = cancelled;
    const signal = AbortSignal.any([cancelled.signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
    try {
      const link = await this.parts.link();
      const call = { migrationId, token };
      const coming = link.awaitCall(call, signal);
      coming.catch(() => {});
      await link.askToCall(target, { ...call, sourceAddress: link.address }, signal);
      return await coming;
    } catch (error) {
      cancelled.abort();
      if (signal.reason?.name === 'TimeoutError') throw new WireError('unavailable', `the target at ${target} did not call back within ${CALL_TIMEOUT_MS / 1000} s: can it reach this host?`);
      throw error;
    } finally {
      this.starting = undefined;
    }
  }
}
