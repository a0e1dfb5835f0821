/**
 * The controller as a process: store, election, the core of one term at a time, and its services. What
 * carries the services over the network comes in as `transport`; it is begun with them and ended last.
 *
 *   store ─► elector ─ elected ─► Leadership (core) ◄─ sessions of agents, requests
 *                    ─ deposed ─► all sessions and watches end; agents and clients look for the next leader
 */
import { randomUUID } from 'node:crypto';
import { type Candidate, Elector, type Memory, type Store } from '@godwit/store';
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
import { Timeline } from './events/timeline';
import { Leadership } from './leader/leadership';
import { Watchers } from './leader/watchers';
import type { Message, Services } from './rpc/rpc';

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
  const memory = options.memory ?? (await openMemory(config));
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
  private readonly elector: Elector;
  private readonly consoles = new Consoles(randomUUID);
  private current: Leadership | undefined;
  private leader: { term: number; leader: Candidate | null } = { term: 0, leader: null };
  private beginning: Promise<void> = Promise.resolve();
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly config: ControllerConfig,
    private readonly options: ControllerOptions,
    private readonly log: Logger,
    private readonly memory: Memory,
  ) {
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
      api: apiServices(ports, log, randomUUID),
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
    this.elector.on('deposed', ({ reason }) => this.end(`deposed: ${reason}`));
    this.elector.on('leader', (now) => {
      this.leader = now;
    });
    this.elector.on('problem', (line) => this.log.warn({ line }, 'election'));
    this.elector.start();
    await this.options.transport.listen(this.services);
  }

  health(): Health {
    return {
      leads: this.current !== undefined,
      term: this.current?.term ?? this.leader.term,
      sessions: this.sessions.count,
      eventsLost: this.timeline.lost,
    };
  }

  /** @throws Refusal 'not-leader' */
  leadership(): Leadership {
    if (this.current) return this.current;
    const { leader } = this.leader;
    if (leader && leader.id !== this.id) throw new Refusal('not-leader', `the controller ${leader.name} leads: ask ${leader.address}`);
    throw new Refusal('starting', 'no controller leads yet: try again in some seconds');
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
    await this.options.transport.close();
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
        events: (events) => this.timeline.write(events, leadership.state, term),
        changed: (changed) => this.watchers.changed(changed),
        failed: (error) => this.failed(term, error),
      });
      if (this.elector.term !== term) return leadership.end();
      this.current = leadership;
      this.timeline.write(
        [{ kind: 'controller.leads', line: `${this.config.name} leads (term ${term})`, actor: 'controller' }],
        leadership.state,
        term,
      );
    } catch (error) {
      this.failed(term, error as Error);
    }
  }

  /** Leading cannot go on: another controller, or this one anew, begins from what is stored. */
  private failed(term: number, error: Error): void {
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

  private statuses(): ControllerStatus[] {
    const { leader } = this.leader;
    const me = { controllerId: this.id, address: this.config.advertise, leads: this.current !== undefined, version: this.config.version };
    return leader && leader.id !== this.id ? [{ controllerId: leader.id, address: leader.address, leads: true, version: '' }, me] : [me];
  }
}
