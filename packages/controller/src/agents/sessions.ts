/**
 * Sessions of agents: reports in, orders out. Which host speaks is what its certificate says, never a message.
 *
 *   agent ── Hello ─► welcome, then what the core says        no Hello in time, another host's facts, not the leader: ended
 */
import type { Logger } from 'pino';
import { COUNTERS_INTERVAL_MS, AGENT_PROTOCOL, HELLO_TIMEOUT_MS, MAX_WAITING_MESSAGES, REPORT_INTERVAL_MS } from '../limits';
import type { Message as CoreMessage } from '../core/context';
import { Refusal } from '../core/errors';
import type { Leadership } from '../leader/leadership';
import { inner, messages, number, text } from '../rpc/fields';
import { Queue } from '../rpc/queue';
import type { Call, Message } from '../rpc/rpc';
import { writeSaying } from './orders-codec';
import { readReport } from './reports-codec';

export interface SessionPorts {
  readonly log: Logger;
  readonly newId: () => string;
  readonly controllerId: string;
  readonly version: string;
  /** Undefined: another one leads, or nobody. */
  leadership(): Leadership | undefined;
  /** HOST:PORT, the leader first. */
  controllers(): string[];
  /** A host refused a hello's term: it has obeyed a newer one than ours. */
  newerTerm(term: number): void;
  counters(hostId: string, report: Message): void;
  /** Told of what comes, and how sessions end. */
  readonly observer?: SessionObserver;
}

export interface SessionObserver {
  /** @param kind the field of AgentMessage that is set */
  agentSaid(kind: string): void;
  sessionEnded(reason: 'closed' | 'silent' | 'replaced' | 'not_leader' | 'protocol' | 'other'): void;
}

interface Session {
  readonly hostId: string;
  readonly term: number;
  readonly out: Queue<Message>;
  /** Why it ends, where that is known before it does. */
  end?: 'silent' | 'replaced' | 'not_leader' | 'protocol' | 'other';
}

export class Sessions {
  private readonly open = new Map<string, Session>();

  constructor(private readonly ports: SessionPorts) {}

  get count(): number {
    return this.open.size;
  }

  /** What the core wants said; to a session that has ended it is lost, and said again after the next Hello. */
  send({ sessionId, saying }: CoreMessage): void {
    const session = this.open.get(sessionId);
    if (!session) return;
    const message = writeSaying(saying, session.term);
    if (message) session.out.put(message);
    else {
      session.end ??= 'replaced';
      session.out.end();
    }
  }

  /** Leading has ended: agents look for the next leader. */
  endAll(): void {
    for (const session of this.open.values()) {
      session.end ??= 'not_leader';
      session.out.put({ notLeader: { controllers: this.ports.controllers() } });
      session.out.end();
    }
    this.open.clear();
  }

  async *serve(requests: AsyncIterable<Message>, call: Call): AsyncIterable<object> {
    const { ports } = this;
    if (call.certificate?.kind !== 'agent') throw new Refusal('role', 'only a host that has joined may open a session');
    const leadership = ports.leadership();
    if (!leadership) {
      yield { notLeader: { controllers: ports.controllers() } };
      return;
    }
    const hostId = call.certificate.id;
    if (!leadership.state.hosts.has(hostId)) throw new Refusal('role', 'this host was removed from the cluster: join it again');
    const sessionId = ports.newId();
    const session: Session = {
      hostId,
      term: leadership.term,
      out: new Queue(MAX_WAITING_MESSAGES, () => new Refusal('limit', 'the agent does not read what it is sent')),
    };
    this.open.set(sessionId, session);
    const listening = this.listen(requests, call, leadership, session, sessionId);
    try {
      yield* session.out;
    } finally {
      this.open.delete(sessionId);
      ports.observer?.sessionEnded(session.end ?? 'closed');
      leadership.report(hostId, sessionId, { is: 'gone' });
      await Promise.race([listening, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    }
  }

  private async listen(
    requests: AsyncIterable<Message>,
    call: Call,
    leadership: Leadership,
    session: Session,
    sessionId: string,
  ): Promise<void> {
    const { ports } = this;
    const { hostId, out } = session;
    let greeted = false;
    const silent = setTimeout(() => {
      session.end ??= 'silent';
      out.end(new Refusal('invalid', 'no Hello came'));
    }, HELLO_TIMEOUT_MS);
    silent.unref();
    try {
      for await (const message of requests) {
        const hello = inner(message, 'hello');
        ports.observer?.agentSaid(Object.keys(message).find((field) => field !== 'term' && message[field]) ?? 'other');
        if (!greeted && !hello) throw new Refusal('invalid', 'a session begins with Hello');
        if (hello) {
          greeted = true;
          clearTimeout(silent);
          this.greet(hello, leadership, session);
        }
        const counters = inner(message, 'counters');
        const report = readReport(message);
        if (counters) ports.counters(hostId, counters);
        if (report) leadership.report(hostId, sessionId, report);
      }
      out.end();
    } catch (error) {
      session.end ??= error instanceof Refusal ? 'protocol' : 'other';
      ports.log.info({ hostId, peer: call.peer, error: (error as Error).message }, 'a session has ended');
      out.end(error instanceof Refusal ? error : undefined);
    } finally {
      clearTimeout(silent);
    }
  }

  private greet(hello: Message, leadership: Leadership, session: Session): void {
    const { ports } = this;
    const { hostId, out, term } = session;
    const host = leadership.state.hosts.get(hostId);
    const speaks = text(inner(inner(hello, 'host'), 'facts'), 'hostId');
    if (speaks && speaks !== hostId) throw new Refusal('role', `the certificate is of host ${hostId}, the report of ${speaks}`);
    const highest = number(hello, 'highestTerm');
    if (highest > term) {
      ports.newerTerm(highest);
      session.end ??= 'not_leader';
      out.put({ notLeader: { controllers: ports.controllers() } });
      return out.end();
    }
    out.put({
      welcome: {
        protocol: AGENT_PROTOCOL,
        term,
        controllerId: ports.controllerId,
        controllerVersion: ports.version,
        reportIntervalMs: REPORT_INTERVAL_MS,
        countersIntervalMs: COUNTERS_INTERVAL_MS,
        controllers: ports.controllers(),
        maintenance: host !== undefined && host.record.maintenance !== 'no',
      },
    });
    ports.log.info({ host: host?.record.name, hostId, vmms: messages(hello, 'vmms').length }, 'an agent is connected');
  }
}
