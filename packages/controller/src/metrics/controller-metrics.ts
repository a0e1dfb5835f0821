/** The metrics of one controller: counted where things happen, by small ports; what is now, read at a scrape. */
import { X509Certificate } from 'node:crypto';
import {
  createRegistry,
  httpSdTargets,
  isLoopback,
  listenMetrics,
  MetricsEndpoint,
  type MetricsServer,
  type Registry,
  splitAddress,
} from '@godwit/metrics';
import type { Certificates } from '@godwit/wire';
import type { Logger } from 'pino';
import type { ControllerConfig } from '../config';
import { EVENT_KINDS, type EventDraft } from '../core/event-kinds';
import type { ClusterState } from '../core/state';
import { METRICS_LISTEN } from '../limits';
import { readCluster } from './cluster-gauges';

export interface ControllerNow {
  readonly leads: boolean;
  readonly term: number;
  readonly sessions: number;
  /** Of the leader. */
  readonly state: ClusterState | undefined;
  readonly store: { readonly bytes: number; readonly limitBytes: number };
}

/** Why a session of an agent ended; a word of godwit_agent_session_ends_total. */
export type SessionEnd = 'closed' | 'silent' | 'replaced' | 'not_leader' | 'protocol' | 'other';

export class ControllerMetrics {
  readonly registry: Registry<'controller'>;
  /** GET /metrics and /metrics/targets, for whoever serves HTTP; who may ask is theirs to check. */
  readonly endpoint: MetricsEndpoint;
  private readonly streams = new Map<string, number>();
  private server: MetricsServer | undefined;

  constructor(
    version: string,
    private readonly now: () => ControllerNow,
    private readonly certificates?: Certificates,
  ) {
    this.registry = createRegistry('controller', { version });
    this.endpoint = new MetricsEndpoint(this.registry, () => this.targets());
    this.registry.onScrape(() => this.read());
  }

  get metrics() {
    return this.registry.metrics;
  }

  /** Of its own listener; empty: none. */
  get address(): string {
    return this.server ? `${this.server.scheme}://${this.server.address}` : '';
  }

  /** Serves by itself, too, for Prometheus without a login. What fails is said in the log: the cluster needs no metrics. */
  async listen({ metrics: config }: Pick<ControllerConfig, 'metrics'>, log: Logger): Promise<void> {
    const listen = config?.listen ?? METRICS_LISTEN;
    if (listen === '') return;
    try {
      const secure = config?.tls ?? !isLoopback(splitAddress(listen).host);
      if (secure && !this.certificates) throw new Error(`metrics at ${listen} need a certificate`);
      const tls = secure ? { tls: this.certificates } : {};
      this.server = await listenMetrics(this.endpoint, { listen, anyPort: config === undefined, ...tls });
      log.info({ address: this.address }, 'metrics are served');
    } catch (error) {
      log.warn({ line: (error as Error).message }, 'the metrics of this controller are not served by themselves');
    }
  }

  async close(): Promise<void> {
    await this.server?.close();
    this.server = undefined;
  }

  /** One call of the API has begun: what is returned is told its gRPC status. */
  call(method: string): (code: string) => void {
    const began = performance.now();
    return (code) => {
      this.metrics.apiRequestSeconds.observe({ method }, (performance.now() - began) / 1e3);
      this.metrics.apiRequestsTotal.inc({ method, code: code as 'OK' });
    };
  }

  /** The same for a stream, which counts as long as it is open. */
  stream(method: string): (code: string) => void {
    const change = (by: number): void => {
      this.streams.set(method, (this.streams.get(method) ?? 0) + by);
      this.metrics.apiStreams.set({ method }, this.streams.get(method));
    };
    change(1);
    return (code) => {
      change(-1);
      this.metrics.apiRequestsTotal.inc({ method, code: code as 'OK' });
    };
  }

  /** Events that the core told, with the state after them. */
  events(events: readonly EventDraft[], state: ClusterState): void {
    const { metrics } = this;
    for (const { kind, operationId = '', migrationId = '' } of events) {
      metrics.eventsTotal.inc({ severity: EVENT_KINDS[kind].severity });
      const [of, word] = kind.split('.');
      const migration = of === 'migration' ? state.migrations.get(migrationId) : undefined;
      if (migration?.stage === 'ended' && migration.outcome !== '' && word !== 'started' && word !== 'queued')
        metrics.clusterMigrationsTotal.inc({ outcome: migration.outcome, cause: migration.cause });
      const operation = of === 'operation' ? state.operations.get(operationId) : undefined;
      if (!operation || operation.state === 'running') continue;
      metrics.operationsTotal.inc({ kind: operation.kind, outcome: operation.state });
      if (operation.kind === 'restart-vm' && operation.state === 'succeeded') metrics.vmRestartsTotal.inc();
    }
  }

  elected(event: 'elected' | 'deposed'): void {
    this.metrics.controllerElectionsTotal.inc({ event });
  }

  /** @param kind the field of AgentMessage that is set */
  agentSaid(kind: string): void {
    this.metrics.agentMessagesTotal.inc({ kind });
  }

  sessionEnded(reason: SessionEnd): void {
    this.metrics.agentSessionEndsTotal.inc({ reason });
  }

  private targets(): string {
    const hosts = [...(this.now().state?.hosts.values() ?? [])];
    return httpSdTargets(hosts.map(({ record, report }) => ({ hostName: record.name, metricsAddress: report?.metricsAddress ?? '' })));
  }

  private read(): void {
    const { metrics, registry, certificates } = this;
    const { leads, term, sessions, state, store } = this.now();
    metrics.controllerLeader.set(leads ? 1 : 0);
    metrics.controllerTerm.set(term);
    metrics.agentSessions.set(sessions);
    metrics.storeBytes.set(store.bytes);
    metrics.storeLimitBytes.set(store.limitBytes);
    readCluster(registry, metrics, state);
    if (!certificates) return;
    const ca = new X509Certificate(certificates.material.caPem);
    metrics.certificateExpiryTimestampSeconds.set({ certificate: 'own' }, certificates.endsAtMs / 1e3);
    metrics.certificateStartTimestampSeconds.set({ certificate: 'own' }, certificates.startsAtMs / 1e3);
    metrics.certificateExpiryTimestampSeconds.set({ certificate: 'ca' }, Date.parse(ca.validTo) / 1e3);
    metrics.certificateStartTimestampSeconds.set({ certificate: 'ca' }, Date.parse(ca.validFrom) / 1e3);
  }
}
