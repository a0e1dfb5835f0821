/** A controller of a few lines for tests of the agent: speaks agent.proto over mutual TLS, keeps all it hears, hands out orders. */
import { randomUUID } from 'node:crypto';
import {
  type AgentConsole,
  type AgentMessage,
  Authority,
  type Call,
  Certificates,
  type JoinRequest,
  JoinTokens,
  type OrderResult,
  Queue,
  type RenewRequest,
  sealJoinToken,
  serve,
  serverTls,
  type VmmReport,
  type WireServer,
} from '@godwit/wire';

type Draft = Record<string, unknown>;

interface Session {
  readonly hostId: string;
  readonly out: Queue<Draft>;
  /** Of this session, in order. */
  readonly heard: AgentMessage[];
}

export interface OpenedConsole {
  text: string;
  send(text: string): void;
  ended: boolean;
}

export class TestController {
  term = 1;
  /** Sends hosts on to these instead of welcoming them. */
  elsewhere: string[] | undefined;
  /** Results are acknowledged as they come. */
  acknowledges = true;
  reportIntervalMs = 1_000;
  /** Of certificates that hosts get when they join. */
  certificateMs = 24 * 3600_000;
  renewed = 0;
  private readonly tokens: JoinTokens;
  readonly sessions: Session[] = [];
  readonly heard: { readonly hostId: string; readonly message: AgentMessage }[] = [];
  readonly consoles = new Map<string, OpenedConsole>();
  private readonly listeners = new Set<() => void>();
  private server!: WireServer;

  private constructor(readonly authority: Authority) {
    const records = new Map<
      string,
      { readonly id: string; readonly hash: string; readonly endsAtMs: number; readonly usedAtMs?: number }
    >();
    this.tokens = new JoinTokens(
      {
        put: async (record) => void records.set(record.id, record),
        get: async (id) => records.get(id),
        use: async (id, usedAtMs) => {
          const record = records.get(id)!;
          records.set(id, { ...record, usedAtMs });
          return record.usedAtMs === undefined;
        },
      },
      authority.fingerprint,
    );
  }

  /** @param folder of its certificate authority */
  static async start(folder: string): Promise<TestController> {
    const controller = new TestController(await Authority.open(folder));
    await controller.serve('127.0.0.1:0');
    return controller;
  }

  async serve(address: string): Promise<void> {
    const certificates = new Certificates(await this.authority.certify({ kind: 'controller', controllerId: 'test' }));
    this.server = await serve({
      address,
      security: serverTls(certificates, 'optional'),
      services: {
        Agents: {
          join: (request) => this.join(request),
          renew: (request, call) => this.renew(request, call),
          session: (requests, call) => this.session(requests, 'hostId' in call.peer ? call.peer.hostId : '', call.signal),
          console: (requests) => this.console(requests),
        },
      },
    });
  }

  async token(): Promise<string> {
    return (await this.tokens.create()).token;
  }

  private async join({ token, csrPem, hostId }: JoinRequest) {
    await this.tokens.use(sealJoinToken(this.authority.fingerprint, token));
    const certificatePem = await this.authority.issue(
      csrPem,
      { kind: 'host', hostId },
      { validMs: this.certificateMs, addresses: ['127.0.0.1'] },
    );
    return { hostId, certificatePem, caPem: this.authority.caPem, controllers: [this.address] };
  }

  private async renew({ csrPem }: RenewRequest, { peer }: Call) {
    if (peer.kind !== 'host') throw new Error('only a host renews');
    this.renewed++;
    return { certificatePem: await this.authority.issue(csrPem, peer, { addresses: ['127.0.0.1'] }), caPem: this.authority.caPem };
  }

  get address(): string {
    return this.server.address;
  }

  close(): Promise<void> {
    for (const { out } of this.sessions) out.end();
    return this.server.close(0);
  }

  private async *session(requests: AsyncIterable<AgentMessage>, hostId: string, signal: AbortSignal): AsyncGenerator<Draft> {
    if (this.elsewhere) {
      yield { notLeader: { controllers: this.elsewhere } };
      return;
    }
    const session: Session = { hostId, out: new Queue<Draft>(1_000), heard: [] };
    this.sessions.push(session);
    signal.addEventListener('abort', () => session.out.end());
    void (async () => {
      for await (const message of requests) this.hear(session, message);
    })()
      .catch(() => undefined)
      .finally(() => session.out.end());
    yield* session.out;
  }

  private hear(session: Session, message: AgentMessage): void {
    session.heard.push(message);
    this.heard.push({ hostId: session.hostId, message });
    if (message.hello)
      session.out.offer({
        welcome: {
          protocol: 1,
          term: this.term,
          controllerId: 'test',
          reportIntervalMs: this.reportIntervalMs,
          countersIntervalMs: 1_000,
          controllers: [this.address],
        },
      });
    if (message.result && this.acknowledges && message.result.state !== 'ORDER_STATE_WORKING')
      session.out.offer({ acknowledge: { orderIds: [message.result.orderId] } });
    for (const listener of [...this.listeners]) listener();
  }

  private async *console(requests: AsyncIterable<AgentConsole>): AsyncGenerator<{ data: Uint8Array }> {
    const out = new Queue<{ data: Uint8Array }>();
    const opened: OpenedConsole = { text: '', ended: false, send: (text) => void out.offer({ data: Buffer.from(text) }) };
    void (async () => {
      for await (const { consoleId, data } of requests) {
        if (consoleId) this.consoles.set(consoleId, opened);
        opened.text += Buffer.from(data).toString('latin1');
        for (const listener of [...this.listeners]) listener();
      }
    })()
      .catch(() => undefined)
      .finally(() => {
        opened.ended = true;
        out.end();
      });
    yield* out;
  }

  /** The session now open. */
  get session_(): Session {
    const last = this.sessions.at(-1);
    if (!last) throw new Error('no agent is connected');
    return last;
  }

  /** Until `find` finds something in what is known; looked at again whenever something is heard. */
  until<T>(find: () => T | undefined | false, what: string, limitMs = 60_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find();
        if (!found) return;
        clearTimeout(timer);
        this.listeners.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.listeners.delete(look);
        reject(
          new Error(
            `${what} was not heard within ${limitMs} ms; the last: ${JSON.stringify(this.heard.slice(-4).map(({ message }) => ({ ...message, host: undefined }))).slice(0, 1_500)}`,
          ),
        );
      }, limitMs);
      this.listeners.add(look);
      look();
    });
  }

  /** The next session to begin, once its Hello is there. */
  async nextSession(after = this.sessions.length, limitMs = 60_000): Promise<Session> {
    return this.until(() => this.sessions[after]?.heard[0]?.hello && this.sessions[after], 'a new session', limitMs);
  }

  send(message: Draft): void {
    this.session_.out.offer(message);
  }

  /** The open session of that host. */
  of(hostId: string): Session {
    const found = this.sessions.findLast((one) => one.hostId === hostId);
    if (!found) throw new Error(`host ${hostId} is not connected`);
    return found;
  }

  /** Gives an order and waits for its result. */
  order(
    kind: string,
    body: Draft,
    { vmId = '', timeMs = 120_000, orderId = randomUUID(), term = this.term, host = this.session_.hostId } = {},
  ): Promise<OrderResult> {
    const result = this.result(orderId, timeMs + 30_000);
    this.of(host).out.offer({ order: { orderId, term, operationId: '', vmId, timeMs, [kind]: body } });
    return result;
  }

  result(orderId: string, limitMs = 60_000): Promise<OrderResult> {
    const from = this.heard.length;
    return this.until(
      () =>
        this.heard.slice(from).find(({ message: { result } }) => result?.orderId === orderId && result.state !== 'ORDER_STATE_WORKING')
          ?.message.result,
      `the result of order ${orderId}`,
      limitMs,
    );
  }

  /** The last report of the VM's process, in any session. */
  vmm(vmId: string): VmmReport | undefined {
    return this.heard
      .map(({ message }) => message.vmm)
      .filter((vmm) => vmm?.status?.vm?.vmId === vmId)
      .at(-1);
  }
}
