/**
 * The controller as a process: store, election, the core of one term at a time, and its services. What
 * carries the services over the network comes in as `transport`; it is begun with them and ended last.
 *
 *   store ─► elector ─ elected ─► Leadership (core) ◄─ sessions of agents, requests
 *                    ─ deposed ─► all sessions and watches end; agents and clients look for the next leader
 */
import { randomUUID } from 'node:crypto';
import { type Candidate, Elector, type Memory, type Store } from '@godwit/store';
import type { Certificates } from '@godwit/wire';
import pino, { type Logger } from 'pino';
import { Access } from './access/access';
import { Consoles } from './agents/consoles';
import { agentServices, type Authority } from './agents/services';
import { Sessions } from './agents/sessions';
import { apiServices } from './api/services';
import type { ApiPorts, ControllerStatus } from './api/ports';
import { openMemory } from './memory';
import type { ControllerConfig } from './config';
import { Refusal } from './core/errors';
import type { EventDraft } from './core/event-kinds';
import type { ClusterState } from './core/state';
import { Timeline } from './events/timeline';
import { HttpServer } from './http/server';
import { Leadership } from './leader/leadership';
import { Watchers } from './leader/watchers';
import { ControllerMetrics } from './metrics/controller-metrics';
import { countedMemory } from './metrics/counted-memory';
import { countedPlanner } from './metrics/counted-planner';
import type { Message, Services } from './rpc/rpc';
import { traceEnded } from './tracing/migration-trace';

export interface Transport {
  readonly authority: Authority;
  /** What a join token is to hold beside its secret, so that a new host knows the CA. */
  sealJoinToken(token: string): string;
  /** Begins to serve. */
  listen(services: { readonly agents: Services; readonly api: Services }): Promise<void>;
  close(): Promise<void>;
}

export interface ControllerOptions {
  readonly transport: Transport;
  /** Left out: to stdout, at the config's level. */
  readonly log?: Logger;
  /** An open store; left out: as the config says. */
  readonly memory?: Memory;
  /** This controller's, for whoever serves it otherwise (src/http); renewed in place. */
  readonly certificates?: Certificates;
  /** Counters that agents report, for the metrics. */
  readonly counters?: (hostId: string, report: Message) => void;
}

export interface Health {
  readonly leads: boolean;
  readonly term: number;
  readonly sessions: number;
  readonly eventsLost: number;
}

export async function startController(config: ControllerConfig, options: ControllerOptions): Promise<Controller> {
  const log =
    options.log ??
    pino({ level: config.logLevel, name: 'godwit-controller', redact: ['token', 'password', '*.token', '*.password', 'csrPem'] });
  const memory = options.memory ?? (await openMemory(config, (line) => log.warn({ line }, 'a backup of the store')));
  const controller = new Controller(config, options, log, memory);
  try {
    await controller.start();
  } catch (error) {
    await controller.stop();
    throw error;
  }
  return controller;
}

export class Controller {
  /** Of this process. */
  readonly id = randomUUID();
  readonly watchers = new Watchers();
  readonly sessions: Sessions;
  readonly timeline: Timeline;
  readonly access: Access;
  /** The services as they are served, for whoever serves them otherwise (src/http). */
  readonly services: { readonly agents: Services; readonly api: Services };
  /** `/metrics`, for whoever serves HTTP (src/http); it is served by itself, too. */
  readonly metrics: ControllerMetrics;
  private readonly memory: Memory;
  private readonly elector: Elector;
  private readonly consoles = new Consoles(randomUUID);
  private http: HttpServer | undefined;
  private current: Leadership | undefined;
  /** Why nobody leads, as far as it is known here; empty: no reason to tell. */
  private trouble = '';
  private leader: { term: number; leader: Candidate | null } = { term: 0, leader: null };
  private beginning: Promise<void> = Promise.resolve();
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly config: ControllerConfig,
    private readonly options: ControllerOptions,
    private readonly log: Logger,
    given: Memory,
  ) {
    this.metrics = new ControllerMetrics(config.version, () => ({ ...this.health(), state: this.current?.state, store: given.usage() }), options.certificates);
    const memory = countedMemory(given, this.metrics.metrics);
    this.memory = memory;
    this.timeline = new Timeline(memory.events, log, randomUUID);
    this.access = new Access(memory.store, Date.now);
    this.elector = new Elector(memory.store, { id: this.id, name: config.name, address: config.advertise });
    this.sessions = new Sessions({
      log,
      newId: randomUUID,
      controllerId: this.id,
      version: config.version,
      leadership: () => this.current,
      controllers: () => this.addresses(),
      newerTerm: (term) => this.elector.raiseTerm(term),
      counters: (hostId, report) => options.counters?.(hostId, report),
      observer: this.metrics,
    });
    const { transport } = options;
    const ports: ApiPorts = {
      leadership: () => this.leadership(),
      access: this.access,
      timeline: this.timeline,
      watchers: this.watchers,
      consoles: this.consoles,
      cluster: { id: config.clusterId, name: config.clusterName, store: config.store.kind },
      controllers: () => this.statuses(),
      joining: () => ({ addresses: this.addresses(), seal: (token) => transport.sealJoinToken(token) }),
      now: Date.now,
    };
    this.services = {
      api: apiServices(ports, log, randomUUID, this.metrics),
      agents: agentServices({
        access: this.access,
        sessions: this.sessions,
        consoles: this.consoles,
        authority: transport.authority,
        log,
        leadership: () => this.leadership(),
        controllers: () => this.addresses(),
        newId: randomUUID,
      }),
    };
  }

  async start(): Promise<void> {
    this.elector.on('elected', ({ term, store }) => {
      this.beginning = this.beginning.then(() => this.begin(term, store));
    });
    this.elector.on('deposed', ({ reason }) => {
      this.metrics.elected('deposed');
      this.end(`deposed: ${reason}`);
    });
    this.elector.on('leader', (now) => {
      this.leader = now;
    });
    this.elector.on('problem', (line) => {
      this.trouble = line;
      this.log.warn({ line }, 'election');
    });
    this.elector.start();
    await this.options.transport.listen(this.services);
    await this.metrics.listen(this.config, this.log);
    const { http } = this.config;
    if (!http) return;
    const { certificates } = this.options;
    const { api } = this.services;
    this.http = await HttpServer.listen(http, { api, metrics: this.metrics, health: () => this.health(), certificates, log: this.log });
    this.log.info({ address: this.http.url }, 'the dashboard is served');
  }

  health(): Health {
    return {
      leads: this.current !== undefined,
      term: this.current?.term ?? this.leader.term,
      sessions: this.sessions.count,
      eventsLost: this.timeline.lost,
    };
  }

  /** Where the dashboard is; empty: nowhere. */
  get httpUrl(): string {
    return this.http?.url ?? '';
  }

  /** @throws Refusal 'not-leader' */
  leadership(): Leadership {
    if (this.current) return this.current;
    const { leader } = this.leader;
    if (leader && leader.id !== this.id) throw new Refusal('not-leader', `the controller ${leader.name} leads: ask ${leader.address}`);
    throw new Refusal('starting', `no controller leads yet: ${this.trouble || 'try again in some seconds'}`);
  }

  stop(): Promise<void> {
    this.stopped ??= this.shutDown();
    return this.stopped;
  }

  private async shutDown(): Promise<void> {
    this.end('this controller is stopping');
    await this.elector.stop().catch((error: Error) => this.log.warn({ error: error.message }, 'the election did not end well'));
    await this.beginning;
    this.end('this controller is stopping');
    await this.http?.close();
    await this.options.transport.close();
    await this.metrics.close();
    await this.timeline.flush();
    if (!this.options.memory) await this.memory.close();
  }

  private async begin(term: number, store: Store): Promise<void> {
    try {
      const leadership = await Leadership.start({
        term,
        store,
        newId: randomUUID,
        now: Date.now,
        mayAct: () => this.elector.mayAct(),
        message: (message) => this.sessions.send(message),
        events: (events) => this.told(events, leadership.state, term),
        planner: (planner) => countedPlanner(planner, this.metrics.metrics),
        changed: (changed) => this.watchers.changed(changed),
        failed: (error) => this.failed(term, error),
      });
      if (this.elector.term !== term) return leadership.end();
      const { firstAdmin } = this.config;
      if (firstAdmin && (await this.access.beginWith(firstAdmin.name, firstAdmin.passwordHash)))
        this.log.info({ user: firstAdmin.name }, "the cluster's first user was made");
      if (this.elector.term !== term) return leadership.end();
      this.current = leadership;
      this.trouble = '';
      this.metrics.elected('elected');
      const line = `${this.config.name} leads (term ${term})`;
      this.told([{ kind: 'controller.leads', line, actor: 'controller' }], leadership.state, term);
    } catch (error) {
      this.failed(term, error as Error);
    }
  }

  private told(events: readonly EventDraft[], state: ClusterState, term: number): void {
    this.metrics.events(events, state);
    traceEnded(events, state);
    this.timeline.write(events, state, term);
  }

  /** Leading cannot go on: another controller, or this one anew, begins from what is stored. */
  private failed(term: number, error: Error): void {
    this.trouble = error.message;
    this.log.error({ term, error: error.message }, 'this controller can no longer lead');
    this.end(error.message);
    if (this.elector.term === term) this.elector.raiseTerm(term + 1);
  }

  private end(why: string): void {
    const { current } = this;
    if (!current) return;
    this.current = undefined;
    this.log.info({ term: current.term, why }, 'this controller leads no more');
    current.end();
    this.watchers.endAll();
    this.sessions.endAll();
  }

  private addresses(): string[] {
    const leader = this.leader.leader?.address;
    return [...new Set([...(leader ? [leader] : []), ...this.config.controllers, this.config.advertise])];
  }

  /** Those that are known to live, then the others that the configuration names. */
  private statuses(): ControllerStatus[] {
    const { leader } = this.leader;
    const me = { controllerId: this.id, address: this.config.advertise, leads: this.current !== undefined, version: this.config.version };
    const known = leader && leader.id !== this.id ? [{ controllerId: leader.id, address: leader.address, leads: true, version: '' }, me] : [me];
    const others = this.config.controllers.filter((address) => known.every((one) => one.address !== address));
    return [...known, ...others.map((address) => ({ controllerId: address, address, leads: false, version: '' }))];
  }
}
