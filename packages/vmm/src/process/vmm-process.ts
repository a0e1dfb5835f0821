/**
 * One VM and all that its process does with it: lease, console, migrations both ways,
 * suspension. `godwit vmm` and `godwit run --control` make one each; vmm-service.ts serves it.
 *
 *      start ──► VM runs ──┬─ guest ends, PowerOff ─► ended
 *      resume ─►           ├─ Suspend ──────────────► ended: suspended
 *      wait ──► VM comes ─►└─ Migrate ──────────────► ended: migrated
 *
 * Events: `changed` (something that a status shows), `arrived` (Vm: it is on its way here).
 */
import { EventEmitter } from 'node:events';
import type { LeaseOwner, VmFacts } from '@godwit/migration';
import type { LeaseHolder } from '@godwit/storage';
import type { Ended, Vm, VmSpec } from '../vm';
import { ConsoleHub } from './console-hub';
import { WireError } from '@godwit/wire';
import { faultPoints } from './fault-points';
import { type HostDescription, hostFactsOf, type VmDescription, vmFactsOf } from './facts';
import { Incoming } from './incoming';
import type { MigrationLink } from './link';
import { type KeptRecord, type Order, Outgoing, type Running } from './outgoing';

export type EndReason = 'power-off' | 'stopped' | 'triple-fault' | 'error' | 'migrated' | 'suspended' | 'not-come';

export interface ProcessEnd {
  readonly reason: EndReason;
  /** One line for people. */
  readonly line: string;
  /** The engine's counters at the end; null when there was no VM. */
  readonly stats: Ended['stats'] | null;
}

export interface ProcessParts {
  readonly vm: VmDescription;
  readonly host: HostDescription;
  readonly vmmId: string;
  /** The VM's lease, held or, by one who waits, not yet; none: it can neither move nor be protected from a second start. */
  readonly holder?: LeaseHolder;
  /** Where this process takes part in migrations. Opened when first needed. */
  openLink(process: VmmProcess): Promise<MigrationLink>;
  /** Writes the paused VM's state; its size. */
  suspend?(vm: Vm): Promise<{ readonly bytes: number }>;
  /** Structured, no secrets. */
  log(line: string, fields?: Readonly<Record<string, unknown>>): void;
}

export class VmmProcess extends EventEmitter {
  readonly console = new ConsoleHub();
  readonly startedAtMs = Date.now();
  vm: Vm | undefined;
  /** One line about storage, lease or the end. */
  line = '';
  end: ProcessEnd | undefined;
  private outgoing: Outgoing | undefined;
  private incoming: Incoming | undefined;
  private link: Promise<MigrationLink> | undefined;
  private address = '';
  private intent: EndReason | undefined;
  private readonly onPhase = faultPoints();
  private finish!: (end: ProcessEnd) => void;
  /** How it went; never rejects. */
  readonly ended = new Promise<ProcessEnd>((resolve) => {
    this.finish = resolve;
  });

  constructor(readonly parts: ProcessParts) {
    super();
    const { holder } = parts;
    if (!holder) return;
    holder.onMustPause = () => this.onLease('the lease cannot be renewed: the VM stands still; is the storage there?', () => this.vm?.pause('lease'));
    holder.onMayResume = () => this.onLease('', () => this.vm?.resume('lease'));
    holder.onLost = (by) => this.onLease(`the VM is now ${by ? `on ${by.hostName}` : "another host's"}: this copy of it ends`, () => this.vm?.stop());
  }

  get owner(): LeaseOwner {
    return { hostId: this.parts.host.hostId, hostName: this.parts.host.hostName, vmmId: this.parts.vmmId };
  }

  /** A VM that runs here, or will in a moment. */
  adopt(vm: Vm): void {
    this.vm = vm;
    this.outgoing = new Outgoing({
      vm,
      holder: this.parts.holder,
      link: () => this.openLink(),
      owner: this.owner,
      facts: () => this.facts(),
      onPhase: this.onPhase,
      log: (line, fields) => this.parts.log(line, fields),
    });
    vm.on('serial', (bytes: Uint8Array) => this.console.output(bytes));
    vm.on('paused', () => this.changed());
    vm.on('reset', () => this.outgoing?.running?.vmReset());
    vm.on('held', (disk: number, why: string | null) => this.say(why === null ? '' : `the VM waits, nothing is lost: disk ${disk}: ${why}`));
    vm.on('link', (nic: number, up: boolean, why: string) => this.say(up ? '' : `network adapter ${nic}: ${why}`));
    vm.ended.then(
      ({ outcome, stats }) => this.over({ reason: this.intent ?? (this.movedAway ? 'migrated' : outcome.kind), line: outcome.detail, stats }),
      (error: Error) => this.over({ reason: 'error', line: error.message, stats: null }),
    );
  }

  /** Waits for the VM to come. `spec`: as this host would make it for a guest with that CPU. */
  wait(spec: (features: readonly string[]) => VmSpec): void {
    const { holder, vm, host, log } = this.parts;
    if (!holder) throw new WireError('precondition', 'a VM can only come to a process that knows its lease: name it with --vm DATASTORE/NAME');
    this.incoming = new Incoming({
      holder,
      link: () => this.openLink(),
      facts: () => hostFactsOf(host),
      spec,
      vmId: vm.vmId,
      onVm: (arriving) => this.adoptArriving(arriving),
      onPhase: this.onPhase,
      log,
    });
    void this.incoming.over.then((record) => {
      this.incoming = undefined;
      if (record.outcome !== 'completed') return this.over({ reason: 'not-come', line: record.line, stats: null });
      log('the VM runs here', { migrationId: record.migrationId, epoch: record.epoch });
      this.changed();
    });
  }

  /** Nobody has come and nobody is awaited any more. */
  giveUpWaiting(why: string): void {
    const { incoming } = this;
    if (!incoming || incoming.record) return;
    void incoming.abandon().then(() => this.over({ reason: 'not-come', line: why, stats: null }));
  }

  get waiting(): Incoming {
    if (!this.incoming) throw new WireError('precondition', 'this process does not wait for a VM');
    return this.incoming;
  }

  /** True while the VM is still on its way. */
  get arriving(): boolean {
    return this.incoming !== undefined;
  }

  get running(): Vm {
    if (!this.vm || this.end || this.arriving) throw new WireError('precondition', this.end ? `the VM has ended: ${this.end.line}` : 'the VM is not here yet');
    return this.vm;
  }

  async migrate(order: Order): Promise<{ running: Running; done: Promise<KeptRecord> }> {
    void this.running;
    const { running, done } = await this.outgoing!.start(order);
    this.changed();
    void done.then((record) => {
      if (record.outcome === 'completed') this.intent = 'migrated';
      this.changed();
    });
    return { running, done };
  }

  /** The lease has gone to the target: the VM's end here is the migration's last step. */
  private get movedAway(): boolean {
    return this.outgoing?.running?.record().vmIs === 'target';
  }

  /** @throws WireError when no migration was ever begun here */
  get migrations(): Outgoing {
    if (!this.outgoing) throw new WireError('not-found', 'no migration is known here');
    return this.outgoing;
  }

  get migrationId(): string {
    const running = this.outgoing?.running;
    return running && !running.over ? running.record().migrationId : (this.incoming?.record?.migrationId ?? '');
  }

  /** HOST:PORT; empty before it was needed. */
  get migrationAddress(): string {
    return this.address;
  }

  async facts(): Promise<VmFacts> {
    const vm = this.running;
    const { featuresUsed } = await vm.stats();
    return vmFactsOf(vm, this.parts.vm, featuresUsed);
  }

  /** Writes the VM's state and ends; when it fails the VM goes on. @throws WireError */
  async suspend(): Promise<{ bytes: number; pauseMs: number }> {
    const vm = this.running;
    if (!this.parts.suspend) throw new WireError('precondition', 'this VM has no place for its state: run it from a datastore');
    if (this.migrationId) throw new WireError('precondition', `the VM is being moved by migration ${this.migrationId}: wait for it or cancel it`);
    const began = performance.now();
    try {
      const { bytes } = await this.parts.suspend(vm);
      this.intent = 'suspended';
      vm.stop();
      return { bytes, pauseMs: performance.now() - began };
    } catch (error) {
      vm.resume('save');
      throw new WireError('unavailable', `${(error as Error).message}; the VM goes on`);
    }
  }

  openLink(): Promise<MigrationLink> {
    this.link ??= this.parts.openLink(this).then((link) => {
      this.address = link.address;
      this.changed();
      return link;
    });
    return this.link;
  }

  private adoptArriving(vm: Vm): void {
    this.adopt(vm);
    this.emit('arrived', vm);
    this.changed();
  }

  private onLease(line: string, act: () => void): void {
    act();
    this.say(line);
  }

  private say(line: string): void {
    if (line !== '') this.parts.log(line);
    this.line = line;
    this.changed();
  }

  private over(end: ProcessEnd): void {
    // A VM that did not come in the end: whoever waits for it hears why from the session.
    if (this.arriving && end.reason !== 'not-come') return;
    if (this.end) return;
    this.outgoing?.running?.vmEnded(end.line);
    this.end = end;
    this.line = end.line;
    void this.close(end);
  }

  private async close(end: ProcessEnd): Promise<void> {
    const running = this.outgoing?.running;
    // Its last record is told before anybody hears that the process ends.
    if (running && !running.over) await new Promise<void>((resolve) => running.on('record', () => running.over && resolve()));
    this.changed();
    await this.parts.holder?.release().catch(() => false);
    await this.link?.then((link) => link.close()).catch(() => {});
    this.finish(end);
  }

  private changed(): void {
    this.emit('changed');
  }
}
