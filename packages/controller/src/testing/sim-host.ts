/**
 * A host of the simulation: its agent, which does orders once, keeps results until they are
 * acknowledged, refuses old terms, and may die and come back while the processes of its VMs go on.
 */
import type { Message } from '../core/context';
import type { Report } from '../core/core';
import type { Order } from '../core/orders';
import type { DatastoreReport, HostReport, MigrationReport, OrderResult } from '../core/reports';
import type { SimController } from './sim-controller';
import { TAKEOVER_MS } from './sim-lease';
import { simulateMigration } from './sim-migration';
import { SimVmm } from './sim-vmm';
import type { World } from './world';

const REPORT_MS = 5_000;

interface Session {
  readonly id: string;
  readonly controller: SimController;
  open: boolean;
  /** Something was lost: nothing comes through any more, and both sides find out in time. */
  broken: boolean;
  /** Messages arrive in order. */
  lastIn: number;
  lastOut: number;
}

export class SimHost {
  alive = true;
  agentAlive = true;
  cutUntil = 0;
  storageCutUntil = 0;
  boot = 1;
  session: Session | undefined;
  readonly vmms = new Map<string, SimVmm>();
  /** Kept on the host's disk. */
  highestTerm = 0;
  private readonly results = new Map<string, OrderResult>();
  private readonly ended: MigrationReport[] = [];
  private readonly dropped = new Set<string>();
  /** Orders taken on in this life of the agent. */
  private readonly working = new Set<string>();
  private readonly turns = new Map<string, number>();
  private life = 0;

  constructor(
    readonly world: World,
    readonly id: string,
  ) {
    this.dialSoon();
    this.reportSoon();
  }

  // ── the session ──────────────────────────────────────────────────────────

  private dialSoon(): void {
    const { world } = this;
    world.after(world.random.between(200, 3_000), () => {
      if (this.speaks && !this.session?.open) this.dial(world.random.pick(world.controllers));
      this.dialSoon();
    });
  }

  get speaks(): boolean {
    return this.alive && this.agentAlive && this.world.time >= this.cutUntil;
  }

  private dial(controller: SimController): void {
    const { term } = controller;
    if (!controller.alive || !controller.leads || !controller.hosts.has(this.id) || term < this.highestTerm) return;
    this.session = { id: this.world.newId(), controller, open: true, broken: false, lastIn: 0, lastOut: 0 };
    this.highestTerm = term;
    this.say({
      is: 'hello',
      hello: {
        bootId: `boot-${this.boot}`,
        agentId: `agent-${this.life}`,
        agentVersion: 'sim',
        host: this.hostReport(),
        vmms: [...this.vmms.values()].map((vmm) => vmm.report()),
        datastores: [this.datastore(false)],
        results: [...this.results.values()],
        migrations: [...this.ended, ...[...this.vmms.values()].filter((vmm) => vmm.record).map((vmm) => sourceReport(vmm))],
      },
    });
  }

  /** The connection breaks; the controller may hear of it, or only notice the silence. */
  hangUp(heard: boolean): void {
    const { session } = this;
    if (!session?.open) return;
    if (heard) this.say({ is: 'gone' });
    session.open = false;
  }

  private say(report: Report): void {
    const { session, world } = this;
    if (!session?.open || !this.alive || !this.agentAlive || (report.is !== 'gone' && this.isLost(session))) return;
    session.lastOut = Math.max(session.lastOut, world.time + world.delay());
    world.agenda.add(session.lastOut, () => {
      if (report.is !== 'gone' && this.isLost(session)) return;
      session.controller.hear(this, session.id, report);
    });
  }

  /** From the controller, at the moment it is sent. */
  receive({ sessionId, saying }: Message, term: number): void {
    const { session, world } = this;
    if (session?.id !== sessionId) return;
    session.lastIn = Math.max(session.lastIn, world.time + world.delay());
    const times = world.random.chance(0.02) ? 2 : 1;
    for (let time = 0; time < times; time++)
      world.agenda.add(session.lastIn, () => {
        // A late order of a controller that has been replaced: refused by its term.
        if (this.session !== session && this.speaks && saying.say === 'order' && term < this.highestTerm)
          return this.order(saying.order, term);
        if (!session.open || this.session !== session || this.isLost(session) || !this.agentAlive) return;
        if (saying.say === 'order') this.order(saying.order, term);
        else if (saying.say === 'acknowledge') this.forget(saying.orderIds, saying.migrationIds);
        else if (saying.say === 'ask') for (const _ of saying.datastoreIds) this.say({ is: 'datastore', datastore: this.datastore(true) });
        else session.open = false;
      });
  }

  private isLost(session: Session): boolean {
    const { world } = this;
    if (session.broken || (this.alive && world.time >= this.cutUntil)) return session.broken;
    session.broken = true;
    world.after(world.random.between(0, 20_000), () => {
      session.open = false;
    });
    return true;
  }

  private forget(orderIds: readonly string[], migrationIds: readonly string[]): void {
    for (const id of orderIds) this.results.delete(id);
    for (const id of migrationIds)
      for (let index = this.ended.length - 1; index >= 0; index--) if (this.ended[index].migrationId === id) this.ended.splice(index, 1);
  }

  private reportSoon(): void {
    this.world.after(REPORT_MS, () => {
      this.say({ is: 'host', host: this.hostReport() });
      this.reportSoon();
    });
  }

  reportVmm(vmm: SimVmm): void {
    this.say({ is: 'vmm', vmm: vmm.report() });
  }

  vmmEnded(vmm: SimVmm): void {
    if (this.vmms.get(vmm.id) !== vmm) return;
    this.vmms.delete(vmm.id);
    this.reportVmm(vmm);
  }

  reportMigration(vmm: SimVmm, side: 'source' | 'target'): void {
    const migration = side === 'source' ? sourceReport(vmm) : targetReport(vmm);
    if (!this.alive) return;
    if (migration.record?.outcome || migration.targetOutcome) this.ended.push(migration);
    this.say({ is: 'migration', migration });
  }

  // ── what befalls it ──────────────────────────────────────────────────────

  crash(): void {
    this.alive = false;
    for (const vmm of [...this.vmms.values()]) vmm.alive = false;
    this.vmms.clear();
    this.crashAgent();
    this.results.clear();
    this.ended.length = 0;
    this.dropped.clear();
  }

  revive(): void {
    this.alive = true;
    this.boot++;
    this.agentAlive = true;
  }

  crashAgent(): void {
    this.agentAlive = false;
    this.life++;
    if (this.session) this.session.open = false;
    for (const orderId of this.working)
      this.results.set(orderId, { orderId, state: 'unknown', code: '', line: 'the agent was restarted meanwhile', progress: 0 });
    this.working.clear();
  }

  // ── orders ───────────────────────────────────────────────────────────────

  private order(order: Order, term: number): void {
    const { world } = this;
    if (term < this.highestTerm) {
      world.count('old-term');
      return this.say({
        is: 'result',
        result: { orderId: order.orderId, state: 'refused', code: 'old-term', line: 'a newer controller has spoken', progress: 0 },
      });
    }
    this.highestTerm = term;
    const known = this.results.get(order.orderId);
    if (known) return this.say({ is: 'result', result: known });
    if (this.working.has(order.orderId)) return;
    world.executed(this, order);
    this.working.add(order.orderId);
    const { life } = this;
    // Orders for one VM are done in the order they came.
    const at = Math.max(world.time + world.random.between(5, 1_500), (this.turns.get(order.vmId) ?? 0) + 1);
    this.turns.set(order.vmId, at);
    world.agenda.add(at, () => {
      if (this.life !== life || !this.alive) return;
      if (world.random.chance(world.stormy ? 0.04 : 0))
        return this.answer(order, life, { state: 'failed', code: 'host', line: 'something is wrong with this host' });
      this.perform(order, (result) => this.answer(order, life, result));
    });
  }

  private answer(order: Order, life: number, result: Partial<OrderResult>): void {
    if (this.life !== life || !this.alive) return;
    this.working.delete(order.orderId);
    const whole: OrderResult = { orderId: order.orderId, state: 'done', code: '', line: '', progress: 1, ...result };
    this.results.set(order.orderId, whole);
    this.say({ is: 'result', result: whole });
  }

  private perform(order: Order, answer: (result: Partial<OrderResult>) => void): void {
    const { body, vmId } = order;
    const { world } = this;
    const vmm =
      [...this.vmms.values()].find((one) => one.spec.vmId === vmId && !one.incoming) ??
      [...this.vmms.values()].find((one) => one.spec.vmId === vmId);
    const refuse = (code: string): void => answer({ state: 'refused', code, line: code });
    const folder = world.folders.get(vmId);
    switch (body.kind) {
      case 'start':
      case 'resumeSuspended':
        if (!folder) return refuse('not-here');
        if (vmm) return refuse('wrong-state');
        if (body.kind === 'start' && folder.suspended && !body.discardSavedState) return refuse('wrong-state');
        return this.startVmm(order, body.takeOver, body.kind === 'start' && body.paused, answer);
      case 'stop':
        if (!vmm || vmm.state === 'incoming') return refuse('not-here');
        if (body.how === 'button' && (vmm.state !== 'running' || world.random.chance(0.2)))
          return world.after(Math.min(order.timeMs, 10_000), () =>
            answer({ state: 'failed', code: 'time', line: 'the guest has not stopped' }),
          );
        return world.after(world.random.between(10, 4_000), () => {
          vmm.end(body.how === 'button' ? 'power-off' : 'stopped');
          answer({});
        });
      case 'suspend':
        if (!vmm || vmm.state === 'incoming' || vmm.epoch === 0 || !vmm.alive || vmm.lease.owner !== vmm.id) return refuse('wrong-state');
        if (vmm.record && !vmm.record.outcome) return refuse('busy');
        folder!.suspended = true;
        vmm.end('suspended');
        return answer({});
      case 'pause':
      case 'resume':
        if (!vmm || vmm.epoch === 0) return refuse('wrong-state');
        vmm.pause(body.kind === 'pause');
        this.reportVmm(vmm);
        return answer({ vmm: vmm.report() });
      case 'prepareIncoming': {
        if (this.dropped.has(body.migrationId)) return refuse('cancelled');
        const waits = [...this.vmms.values()].find(({ incoming }) => incoming === body.migrationId) ?? this.addVmm(order, 'incoming');
        waits.incoming = body.migrationId;
        this.reportVmm(waits);
        world.after(
          body.waitMs,
          () =>
            waits.state === 'incoming' && waits.alive && waits.lease.owner !== waits.id && !world.isSourceOf(waits) && waits.end('stopped'),
        );
        return answer({ waiting: { vmm: waits.report(), address: waits.id, token: `secret-${body.migrationId}-${waits.id}` } });
      }
      case 'dropIncoming': {
        this.dropped.add(body.migrationId);
        const waits = [...this.vmms.values()].find(({ incoming }) => incoming === body.migrationId);
        if (waits && waits.lease.owner !== waits.id) waits.end('stopped');
        return answer({});
      }
      case 'migrateOut':
        if (!vmm || vmm.epoch === 0 || (vmm.state !== 'running' && vmm.state !== 'paused')) return refuse('wrong-state');
        if (vmm.record && !vmm.record.outcome)
          return vmm.record.migrationId === body.migrationId ? answer({ migration: vmm.record }) : refuse('busy');
        simulateMigration(vmm, body.migrationId, body.targetAddress, body.token, body.settings);
        return answer({ migration: vmm.record });
      case 'cancelMigration':
        if (!vmm?.record || vmm.record.migrationId !== body.migrationId) return refuse('not-here');
        if (!vmm.record.outcome && vmm.lease.owner === vmm.id) {
          vmm.record = { ...vmm.record, phase: 'ended', outcome: 'cancelled', line: body.why };
          this.reportMigration(vmm, 'source');
        }
        return answer({ migration: vmm.record });
      case 'create':
        if (folder) return refuse('exists');
        world.folders.set(vmId, { spec: body.spec, place: body.place, suspended: false });
        return answer({});
      case 'remove':
        if (vmm || (folder && world.lease(vmId).owner)) return refuse('lease-held');
        world.folders.delete(vmId);
        return answer({});
      default:
        return answer({});
    }
  }

  private addVmm(order: Order, state: 'starting' | 'incoming'): SimVmm {
    const { spec, place } = order.body as { spec: SimVmm['spec']; place: SimVmm['place'] };
    const vmm = new SimVmm(this, this.world.newId(), spec, place, this.world.lease(spec.vmId), order.orderId);
    vmm.state = state;
    this.vmms.set(vmm.id, vmm);
    return vmm;
  }

  private startVmm(order: Order, takeOver: boolean, paused: boolean, answer: (result: Partial<OrderResult>) => void): void {
    const { world } = this;
    const vmm = this.addVmm(order, 'starting');
    vmm.operatorPaused = paused;
    this.reportVmm(vmm);
    const beatAt = vmm.lease.beatAt;
    const until = world.time + (takeOver ? 2 * TAKEOVER_MS : 0);
    const attempt = (): void => {
      if (!vmm.alive) return answer({ state: 'failed', code: 'cancelled', line: 'it was stopped' });
      const epoch = world.time >= this.storageCutUntil ? vmm.lease.acquire(vmm.id, world.time) : 0;
      if (epoch > 0) {
        world.folders.get(vmm.spec.vmId)!.suspended = false;
        vmm.begin(epoch);
        this.reportVmm(vmm);
        return answer({ vmm: vmm.report() });
      }
      if (world.time < until && (vmm.lease.beatAt === beatAt || world.time < this.storageCutUntil)) return world.after(1_000, attempt);
      vmm.end('stopped');
      answer({ state: 'refused', code: 'lease-held', line: `the VM may run: its lease is held by ${vmm.lease.owner}` });
    };
    attempt();
  }

  // ── reports ──────────────────────────────────────────────────────────────

  private hostReport(): HostReport {
    const used = [...this.vmms.values()].reduce((sum, { spec }) => sum + spec.memoryBytes, 0);
    return {
      facts: {
        hostId: this.id,
        name: this.id,
        cpu: { vendor: 'GenuineIntel', features: ['cmov', 'sse2'], xsaveBytes: 4096 },
        cpus: 8,
        freeMemoryBytes: this.world.hostMemory - used,
        protocol: { oldest: 1, newest: 1 },
        machineVersions: { oldest: 1, newest: 1 },
        datastores: ['ds'],
        networks: ['user'],
        wallClockMs: this.world.time,
        maintenance: false,
      },
      load: {
        cpuUsed: 0,
        load1m: 0,
        memoryUsedBytes: used,
        networkRxBytesPerSecond: 0,
        networkTxBytesPerSecond: 0,
        migrationsIn: 0,
        migrationsOut: 0,
        memoryPressure: 0,
        cpuPressure: 0,
      },
      warnings: [],
      totalMemoryBytes: this.world.hostMemory,
    };
  }

  private datastore(list: boolean): DatastoreReport {
    const folders = list ? [...this.world.folders.values()] : [];
    const vms = folders.map(({ spec, place, suspended }) => ({ folder: place.folder, spec, suspended, lease: undefined, line: '' }));
    return {
      datastoreId: 'ds',
      where: '/ds',
      name: 'ds',
      reachable: true,
      line: '',
      totalBytes: 1e12,
      freeBytes: 5e11,
      vms,
      vmsListed: list,
      vmsMore: false,
    };
  }
}

const sourceReport = (vmm: SimVmm): MigrationReport => ({
  migrationId: vmm.record!.migrationId,
  vmId: vmm.spec.vmId,
  side: 'source',
  record: vmm.record,
  targetPhase: '',
  targetOutcome: '',
  line: '',
});
const targetReport = (vmm: SimVmm): MigrationReport => ({
  migrationId: vmm.incoming,
  vmId: vmm.spec.vmId,
  side: 'target',
  record: undefined,
  targetPhase: 'ended',
  targetOutcome: vmm.targetOutcome,
  line: '',
});
