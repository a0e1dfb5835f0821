/**
 * HTTP(S) of a controller: the dashboard's pages, its session, a bridge onto the public API, live state, consoles,
 * metrics and health. No logic of its own: each call runs the very method that gRPC serves, with the caller's role.
 *
 *   GET    /healthz, /readyz              200 alive; 200 leads, 503 does not
 *   GET    /metrics, /metrics/targets     role view
 *   POST   /api/session                   {user, password} → identity and a cookie;  DELETE ends it
 *   POST   /api/call/SERVICE/METHOD       a request of controller.proto as JSON → its answer, or {error: {code, line}}
 *   GET    /api/live                      server-sent events (stream.ts)
 *   GET    /api/console/VM                WebSocket (console-socket.ts)
 *   GET    all else                       the pages
 */
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { isLoopback, splitAddress } from '@godwit/metrics';
import { webFolder } from '@godwit/dashboard';
import type { Certificates } from '@godwit/wire';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ControllerConfig } from '../config';
import type { Health } from '../controller';
import type { ControllerMetrics } from '../metrics/controller-metrics';
import type { Services } from '../rpc/rpc';
import { HttpError, readJson, securityHeaders, sendError, sendJson, toldOf } from './answers';
import { callerOf, LoginLimit, refuseForeign, sessionCookie } from './caller';
import { serveConsole } from './console-socket';
import { MAX_CONNECTIONS, MAX_CONSOLE_BYTES, MAX_STREAMS, REQUEST_MS } from './limits';
import { StaticFiles } from './static-files';
import { LiveStream } from './stream';

export interface HttpOptions {
  readonly api: Services;
  readonly metrics: Pick<ControllerMetrics, 'endpoint'>;
  readonly health: () => Health;
  /** Needed unless the address is a loopback one and `tls` is false. */
  readonly certificates: Certificates | undefined;
  readonly log: Logger;
  readonly now?: () => number;
  /** Of the built pages; left out: the dashboard's own. */
  readonly folder?: string;
}

type HttpConfig = NonNullable<ControllerConfig['http']>;
type Route = (request: IncomingMessage, response: ServerResponse, rest: string) => Promise<void> | void;

export class HttpServer {
  /** `https://HOST:PORT`, as it is served. */
  readonly url: string;

  private constructor(
    private readonly front: net.Server,
    private readonly server: http.Server,
    private readonly end: () => void,
    url: string,
  ) {
    this.url = url;
  }

  /** @throws Error, one line, when the address cannot be had */
  static async listen(config: HttpConfig, options: HttpOptions): Promise<HttpServer> {
    const { host, port } = splitAddress(config.listen);
    const overTls = config.tls ?? true;
    if (!overTls && !isLoopback(host)) throw new Error(`http: ${config.listen} is no loopback address: the dashboard is served in clear on those alone`);
    if (overTls && !options.certificates) throw new Error('http: there is no certificate to serve the dashboard with');
    const pages = new Pages(options, overTls);
    const limits = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: 16_384 };
    const handle = (request: IncomingMessage, response: ServerResponse): void => void pages.handle(request, response);
    const { certificates } = options;
    const secure = overTls ? https.createServer({ ...certificates!.serverOptions, minVersion: 'TLSv1.3', ...limits }, handle) : undefined;
    const server = secure ?? http.createServer(limits, handle);
    server.on('upgrade', (request, socket, head) => pages.upgrade(request, socket, head));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseGarbage(error, socket));
    const front: net.Server = secure ? inFrontOf(secure) : server;
    const forget = secure && certificates!.onChange(() => secure.setSecureContext(certificates!.serverOptions));
    front.maxConnections = MAX_CONNECTIONS;
    try {
      front.listen(port, host);
      await once(front, 'listening');
    } catch (error) {
      forget?.();
      throw new Error(`the dashboard cannot be served at ${config.listen}: ${(error as Error).message}`);
    }
    const bound = front.address() as net.AddressInfo;
    const url = `${overTls ? 'https' : 'http'}://${net.isIPv6(host) ? `[${host}]` : host}:${bound.port}`;
    return new HttpServer(
      front,
      server,
      () => {
        forget?.();
        pages.end();
      },
      url,
    );
  }

  async close(): Promise<void> {
    this.end();
    const closed = once(this.front, 'close');
    this.front.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** What is served, by path. */
class Pages {
  private readonly files: StaticFiles;
  private readonly logins: LoginLimit;
  private readonly sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_CONSOLE_BYTES });
  private readonly ending = new AbortController();
  private readonly now: () => number;
  private streams = 0;
  private readonly routes: readonly (readonly [prefix: string, Route])[] = [
    ['/healthz', (_, response) => sendJson(response, 200, { alive: true, ...this.options.health() })],
    ['/readyz', (_, response) => sendJson(response, this.options.health().leads ? 200 : 503, this.options.health())],
    ['/metrics', (request, response) => this.metrics(request, response)],
    ['/api/session', (request, response) => this.session(request, response)],
    ['/api/call/', (request, response, rest) => this.call(request, response, rest)],
    ['/api/live', (request, response) => this.live(request, response)],
    ['/api/', () => Promise.reject(new HttpError(404, 'invalid', 'there is no such part of the API'))],
    ['/', (request, response) => this.files.serve(request, response, pathOf(request), this.overTls)],
  ];

  constructor(
    private readonly options: HttpOptions,
    private readonly overTls: boolean,
  ) {
    this.files = new StaticFiles(options.folder ?? webFolder);
    this.now = options.now ?? Date.now;
    this.logins = new LoginLimit(this.now);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = pathOf(request);
    for (const [name, value] of Object.entries(securityHeaders(undefined, this.overTls))) response.setHeader(name, value);
    const [prefix, route] = this.routes.find(([start]) => (start.endsWith('/') ? at.startsWith(start) : at === start || at.startsWith(`${start}/`)))!;
    try {
      await route(request, response, at.slice(prefix.length));
    } catch (error) {
      if (toldOf(error).code === 'internal')
        this.options.log.error({ path: at, error: error instanceof Error ? error.stack : String(error) }, 'a page could not be answered');
      sendError(response, error);
    }
    if (!request.readableEnded) request.resume();
  }

  /** Streams and consoles end, so that their connections can. */
  end(): void {
    this.ending.abort();
    for (const socket of this.sockets.clients) socket.terminate();
  }

  private async metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Whoever may see the cluster's status may see its figures.
    await this.unary('Cluster', 'GetStatus', {}, request).catch((error: unknown) => {
      if (toldOf(error).status !== 503) throw error;
    });
    if (!this.options.metrics.endpoint.handle(request, response)) throw new HttpError(404, 'invalid', 'there is nothing here but /metrics and /metrics/targets');
  }

  private async session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method } = request;
    if (method === 'GET') return sendJson(response, 200, await this.unary('Access', 'WhoAmI', {}, request));
    refuseForeign(request, { needsHeader: true });
    if (method === 'DELETE') {
      await this.unary('Access', 'Logout', {}, request);
      return sendJson(response, 200, {}, { 'set-cookie': sessionCookie('', 0, this.now(), this.overTls) });
    }
    if (method !== 'POST') throw new HttpError(405, 'invalid', 'a session is begun with POST and ended with DELETE');
    const address = request.socket.remoteAddress ?? '';
    this.logins.admit(address);
    const { user, password } = await readJson(request);
    // Without the session there was: a login that has ended must not keep one from logging in.
    const { token, identity } = (await this.unary('Access', 'Login', { user, password }, request, '')) as { token: string; identity: { endsAtMs: number } };
    this.logins.forget(address);
    sendJson(response, 200, identity, { 'set-cookie': sessionCookie(token, identity.endsAtMs, this.now(), this.overTls) });
  }

  private async call(request: IncomingMessage, response: ServerResponse, rest: string): Promise<void> {
    if (request.method !== 'POST') throw new HttpError(405, 'invalid', 'methods are called with POST');
    refuseForeign(request, { needsHeader: callerOf(request, this.overTls, NEVER).byCookie });
    if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) throw new HttpError(415, 'invalid', 'requests are application/json');
    const [service, method, ...more] = rest.split('/');
    // A password's answer is a token: only the session route may hold it.
    if (more.length > 0 || (service === 'Access' && method === 'Login')) throw new HttpError(404, 'invalid', `there is no method ${rest}`);
    sendJson(response, 200, await this.unary(service, method, await readJson(request), request));
  }

  /** @param bearer in place of the request's own */
  private async unary(service: string, method: string, message: Record<string, unknown>, request: IncomingMessage, bearer?: string): Promise<object> {
    const methods = Object.hasOwn(this.options.api, service) ? this.options.api[service] : undefined;
    const found = methods && Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (!found || !('unary' in found)) throw new HttpError(404, 'invalid', `there is no method ${service}.${method}`);
    const { call } = callerOf(request, this.overTls, NEVER);
    return found.unary(message, bearer === undefined ? call : { ...call, bearer });
  }

  private async live(request: IncomingMessage, response: ServerResponse): Promise<void> {
    refuseForeign(request, { needsHeader: false });
    // Refused with a status, before the stream has begun.
    await this.unary('Cluster', 'GetStatus', {}, request);
    const call = this.begin(request, response);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    response.flushHeaders();
    await new LiveStream(response, this.options.api, call, this.now).run();
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const vm = /^\/api\/console\/([^/]{1,200})$/.exec(pathOf(request))?.[1];
    void (async () => {
      if (vm === undefined) throw new HttpError(404, 'invalid', 'only consoles are WebSockets: /api/console/VM');
      refuseForeign(request, { needsHeader: false });
      // Who may not even look is told by a status; the method itself decides about the rest, and tells by a message.
      await this.unary('Vms', 'GetVm', { vm: decodeURIComponent(vm) }, request);
      if (this.streams >= MAX_STREAMS) throw new HttpError(503, 'limit', `at most ${MAX_STREAMS} live pages at a time`);
      this.sockets.handleUpgrade(request, socket, head, (opened: WebSocket) => {
        void serveConsole(opened, this.options.api, this.begin(request, opened), decodeURIComponent(vm)).catch(() => opened.terminate());
      });
    })().catch((error: unknown) => {
      const { status, line } = toldOf(error);
      socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${line}\n`);
    });
  }

  /** Counts one live page. */
  private begin(request: IncomingMessage, until: ServerResponse | WebSocket) {
    if (this.streams >= MAX_STREAMS) throw new HttpError(503, 'limit', `at most ${MAX_STREAMS} live pages at a time`);
    this.streams++;
    const gone = new AbortController();
    const stop = (): void => gone.abort();
    this.ending.signal.addEventListener('abort', stop);
    (until as NodeJS.EventEmitter).once('close', () => {
      this.streams--;
      this.ending.signal.removeEventListener('abort', stop);
      stop();
    });
    return callerOf(request, this.overTls, gone.signal).call;
  }
}

const NEVER = new AbortController().signal;
const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0];

/** What is no HTTP: said in HTTP, since that is what a client here expects. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, line] =
    error.code === 'HPE_HEADER_OVERFLOW' ? ['431 Request Header Fields Too Large', 'the headers are too long'] : ['400 Bad Request', 'this port speaks HTTP, and that was none'];
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${line}\n`);
}

/** The first byte of a TLS handshake record. */
const HANDSHAKE = 22;

/** Takes connections for an HTTPS server; HTTP in clear is told what this port speaks. */
function inFrontOf(secure: https.Server): net.Server {
  return net.createServer((socket) => {
    socket.setTimeout(REQUEST_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      if (first[0] !== HANDSHAKE) {
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthis port speaks HTTPS: use https://\n');
        return;
      }
      socket.pause();
      socket.unshift(first);
      secure.emit('connection', socket);
    });
  });
}
