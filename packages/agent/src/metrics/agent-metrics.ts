/**
 * The metrics of one host, and where Prometheus reads them. VMs' counters are fetched now and then, whether or not a
 * controller is connected; a scrape asks no VM and no datastore, it writes down what came last.
 */
import { X509Certificate } from 'node:crypto';
import {
  createRegistry,
  isLoopback,
  listenMetrics,
  MetricsEndpoint,
  type MetricsServer,
  MigrationFeed,
  processUsage,
  type Registry,
  splitAddress,
  VmFeed,
} from '@godwit/metrics';
import type { Certificates } from '@godwit/wire';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config';
import { lineOf } from '../errors';
import type { HostFactsReader } from '../facts/host-facts';
import { LEASE_LOSS_SHOWN_MS, METRICS_INTERVAL_MS, METRICS_LISTEN } from '../limits';
import type { DatastoreReport, MigrationRecord, OrderResult } from '../messages';
import type { Vmm } from '../vmms/vmm';
import type { Supervisor } from '../vmms/supervisor';
import { keyOf, migrationReading, stateWord, vmReading } from './readings';

export interface AgentMetricsParts {
  readonly config: AgentConfig;
  readonly version: string;
  readonly log: Logger;
  readonly supervisor: Supervisor;
  readonly facts: () => HostFactsReader;
  readonly datastores: () => readonly DatastoreReport[];
  readonly maintenance: () => boolean;
  readonly certificates: () => Certificates | undefined;
}

export class AgentMetrics {
  readonly registry: Registry<'agent'>;
  private readonly vms: VmFeed;
  private readonly migrations: MigrationFeed;
  private readonly known = new WeakSet<Vmm>();
  private server: MetricsServer | undefined;
  private timer: NodeJS.Timeout | undefined;
  private serving: Promise<void> | undefined;

  constructor(private readonly parts: AgentMetricsParts) {
    const { config, version, supervisor } = parts;
    this.registry = createRegistry('agent', { host: config.name, version });
    this.vms = new VmFeed(this.registry);
    this.migrations = new MigrationFeed(this.registry);
    this.registry.metrics.agentConnected.set(0);
    this.registry.onScrape(() => this.readHost());
    supervisor.on('changed', (vmm: Vmm) => this.seen(vmm));
    supervisor.on('counters', (vmm: Vmm) => this.tells(vmm) && this.vms.counters(keyOf(vmm), vmm.counters, Date.now()));
    supervisor.on('record', (vmm: Vmm, record: MigrationRecord) => this.migrations.record(keyOf(vmm), migrationReading(record)));
    supervisor.on('ended', (vmm: Vmm) => {
      if (!this.tells(vmm)) return;
      this.vms.forget(vmm.vmId);
      if (vmm.leaseLosses > 0) this.leaseLost(vmm);
    });
  }

  /** http://HOST:PORT or https://HOST:PORT as others may reach it; empty: it is not served. */
  get address(): string {
    if (!this.server) return '';
    const { host, port } = splitAddress(this.server.address);
    const shown = host === '0.0.0.0' || host === '::' ? this.parts.config.migration.host : host;
    return `${this.server.scheme}://${shown.includes(':') ? `[${shown}]` : shown}:${port}`;
  }

  /** Begins to fetch counters, and to serve if that needs no certificate, or it is there. */
  async start(): Promise<void> {
    for (const vmm of this.parts.supervisor.all) this.seen(vmm);
    this.timer = setInterval(() => this.fetch(), METRICS_INTERVAL_MS);
    this.timer.unref();
    this.fetch();
    await this.serve();
  }

  /** Once more, when the host has joined and so has a certificate. What fails is said in the log: VMs need no metrics. */
  async serve(): Promise<void> {
    const { certificates, config } = this.parts;
    const listen = config.metrics?.listen ?? METRICS_LISTEN;
    const secure = listen !== '' && (config.metrics?.tls ?? !isLoopback(splitAddress(listen).host));
    if (listen === '' || (secure && !certificates())) return;
    this.serving ??= this.listen(listen, secure ? certificates() : undefined).catch((error: unknown) => {
      this.parts.log.warn({ line: lineOf(error) }, 'the metrics of this host are not served');
    });
    return this.serving;
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.serving;
    await this.server?.close();
    this.server = undefined;
  }

  connected(is: boolean): void {
    this.registry.metrics.agentConnected.set(is ? 1 : 0);
    if (is) this.registry.metrics.agentSessionsTotal.inc();
  }

  orderEnded({ state }: OrderResult): void {
    this.registry.metrics.agentOrdersTotal.inc({ state: state.replace('ORDER_STATE_', '').toLowerCase() as 'done' });
  }

  private async listen(listen: string, tls: Certificates | undefined): Promise<void> {
    const { config, log } = this.parts;
    const anyPort = config.metrics === undefined;
    this.server = await listenMetrics(new MetricsEndpoint(this.registry), { listen, anyPort, ...(tls ? { tls } : {}) });
    log.info({ address: this.address }, 'metrics are served');
  }

  /** Of two processes for one VM, one that waits for it is silent about it. */
  private tells(vmm: Vmm): boolean {
    const runner = this.parts.supervisor.runnerOf(vmm.vmId);
    return vmm.vmId !== '' && (runner === undefined || runner === vmm);
  }

  /** The one series that outlives its VM here, for a while: nobody could see it before the process ended. */
  private leaseLost(vmm: Vmm): void {
    const { vmId, leaseLosses } = vmm;
    this.registry.metrics.vmLeaseLossesTotal.inc({ vm: keyOf(vmm).name, vm_id: vmId }, leaseLosses);
    const forget = (): void => {
      if (!this.parts.supervisor.runnerOf(vmId)) this.vms.forget(vmId);
    };
    setTimeout(forget, LEASE_LOSS_SHOWN_MS).unref();
  }

  private seen(vmm: Vmm): void {
    if (vmm.over || !this.tells(vmm)) return;
    this.vms.status(keyOf(vmm), vmReading(vmm), Date.now());
    // A VM that has just come is not to be without figures until the next turn.
    if (!vmm.hasVm || this.known.has(vmm)) return;
    this.known.add(vmm);
    vmm.refreshCounters().catch(() => undefined);
  }

  private fetch(): void {
    for (const vmm of this.parts.supervisor.all) {
      this.seen(vmm);
      const usage = this.tells(vmm) && vmm.status.pid > 0 ? processUsage(vmm.status.pid) : undefined;
      if (usage) this.vms.usage(keyOf(vmm), usage);
      // One that does not answer keeps its last figures, and their time.
      if (vmm.hasVm) vmm.refreshCounters().catch(() => undefined);
    }
  }

  private readHost(): void {
    const { metrics } = this.registry;
    const { facts, load, totalMemoryBytes } = this.parts.facts().report();
    metrics.hostCpus.set(facts.cpus);
    metrics.hostCpuUsedRatio.set(load.cpuUsed);
    metrics.hostMemoryBytes.set(totalMemoryBytes);
    metrics.hostMemoryAvailableBytes.set(facts.freeMemoryBytes);
    metrics.hostPressureRatio.set({ resource: 'cpu' }, load.cpuPressure);
    metrics.hostPressureRatio.set({ resource: 'memory' }, load.memoryPressure);
    metrics.hostNetworkBytesPerSecond.set({ direction: 'receive' }, load.networkRxBytesPerSecond);
    metrics.hostNetworkBytesPerSecond.set({ direction: 'transmit' }, load.networkTxBytesPerSecond);
    metrics.hostMaintenance.set(this.parts.maintenance() ? 1 : 0);
    metrics.migrationsActive.set({ direction: 'in' }, load.migrationsIn);
    metrics.migrationsActive.set({ direction: 'out' }, load.migrationsOut);
    this.readVms();
    this.readDatastores();
    this.readCertificates();
  }

  private readVms(): void {
    const { metrics, family } = this.registry;
    const states = new Map(family('godwit_host_vms').row.labels.state!.map((state) => [state, 0]));
    for (const vmm of this.parts.supervisor.all) {
      const state = stateWord(vmm.state);
      states.set(states.has(state) ? state : 'unknown', (states.get(state) ?? 0) + 1);
    }
    for (const [state, count] of states) metrics.hostVms.set({ state: state as 'running' }, count);
  }

  private readDatastores(): void {
    const { metrics } = this.registry;
    for (const { name: datastore, reachable, totalBytes, freeBytes } of this.parts.datastores()) {
      metrics.datastoreReachable.set({ datastore }, reachable ? 1 : 0);
      metrics.datastoreSizeBytes.set({ datastore }, reachable ? totalBytes : undefined);
      metrics.datastoreFreeBytes.set({ datastore }, reachable ? freeBytes : undefined);
    }
  }

  private readCertificates(): void {
    const held = this.parts.certificates();
    if (!held) return;
    const { certificateExpiryTimestampSeconds: expiry, certificateStartTimestampSeconds: start } = this.registry.metrics;
    const ca = new X509Certificate(held.material.caPem);
    expiry.set({ certificate: 'own' }, held.endsAtMs / 1e3);
    start.set({ certificate: 'own' }, held.startsAtMs / 1e3);
    expiry.set({ certificate: 'ca' }, Date.parse(ca.validTo) / 1e3);
    start.set({ certificate: 'ca' }, Date.parse(ca.validFrom) / 1e3);
  }
}
