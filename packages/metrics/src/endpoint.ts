/**
 * `/metrics` over HTTP: as a handler for a server that is there already, or as a small server of its own.
 *
 * In clear it serves loopback only unless the operator says otherwise: names of VMs and hosts are in it. Elsewhere TLS asks
 * for a certificate of the cluster's CA; whose it is does not matter, for reading is what every one of them may do.
 */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { MAX_CONNECTIONS, REQUEST_MS } from './limits';
import type { AnyRegistry } from './registry';
import { serveMetrics } from './serve';

export const METRICS_PATH = '/metrics';
export const TARGETS_PATH = '/metrics/targets';

export class MetricsEndpoint {
  /** @param targets the body of `/metrics/targets`; left out: there is no such page */
  constructor(
    private readonly registry: AnyRegistry,
    private readonly targets?: () => string,
  ) {}

  /** True: it was for this endpoint, and is being answered. Who may ask has been checked before. */
  handle(request: http.IncomingMessage, response: http.ServerResponse): boolean {
    const at = (request.url ?? '').split('?', 1)[0];
    const page = at === METRICS_PATH ? this.metrics : at === TARGETS_PATH && this.targets ? this.discovery : undefined;
    if (!page) return false;
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(request, response, 405, 'text/plain', 'only GET is answered here\n');
    else
      void page.call(this, request).then(
        ({ contentType, body }) => answer(request, response, 200, contentType, body),
        (error: Error) => answer(request, response, 500, 'text/plain', `the metrics cannot be written: ${error.message}\n`),
      );
    return true;
  }

  private metrics(request: http.IncomingMessage): Promise<{ contentType: string; body: string }> {
    return serveMetrics(this.registry, request.headers.accept);
  }

  private async discovery(): Promise<{ contentType: string; body: string }> {
    return { contentType: 'application/json', body: this.targets!() };
  }
}

function answer(request: http.IncomingMessage, response: http.ServerResponse, code: number, contentType: string, body: string): void {
  if (response.destroyed) return;
  response.writeHead(code, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** A server's own certificate, and the CA whose certificates are let in; it may change while it is used. */
export interface EndpointTls {
  readonly serverOptions: SecureContextOptions;
  onChange(changed: () => void): () => void;
}

export interface ListenOptions {
  /** HOST:PORT, [V6]:PORT. */
  readonly listen: string;
  /** Left out: in clear. */
  readonly tls?: EndpointTls;
  /** The port may be another one when it is taken: nobody has asked for just this one. */
  readonly anyPort?: boolean;
}

export interface MetricsServer {
  /** HOST:PORT as it is served. */
  readonly address: string;
  readonly scheme: 'http' | 'https';
  close(): Promise<void>;
}

/** @throws Error, one line, when the address cannot be had */
export async function listenMetrics(endpoint: MetricsEndpoint, { listen, tls, anyPort = false }: ListenOptions): Promise<MetricsServer> {
  const { host, port } = splitAddress(listen);
  const handle: http.RequestListener = (request, response) => {
    if (endpoint.handle(request, response)) return;
    request.resume();
    answer(request, response, 404, 'text/plain', `there is nothing but ${METRICS_PATH} here\n`);
  };
  const limits = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS };
  const secure = tls && https.createServer({ ...tls.serverOptions, ...limits, requestCert: true, rejectUnauthorized: true }, handle);
  const server = secure ?? http.createServer(limits, handle);
  server.maxConnections = MAX_CONNECTIONS;
  // What the process is for keeps it alive.
  server.unref();
  const forget = secure && tls.onChange(() => secure.setSecureContext(tls.serverOptions));
  try {
    await bind(server, port, host).catch((error: NodeJS.ErrnoException) => {
      if (!anyPort || error.code !== 'EADDRINUSE') throw error;
      return bind(server, 0, host);
    });
  } catch (error) {
    forget?.();
    throw new Error(`metrics cannot be served at ${listen}: ${(error as Error).message}`);
  }
  const bound = server.address() as net.AddressInfo;
  return {
    address: `${net.isIPv6(host) ? `[${host}]` : host}:${bound.port}`,
    scheme: secure ? 'https' : 'http',
    async close() {
      forget?.();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function bind(server: net.Server, port: number, host: string): Promise<void> {
  server.listen(port, host);
  // Rejects with what the server says instead.
  await once(server, 'listening');
}

/** @throws Error */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:]+)):(\d{1,5})$/.exec(address);
  if (!match || Number(match[3]) > 65_535) throw new Error(`${address} is no HOST:PORT`);
  return { host: match[1] ?? match[2], port: Number(match[3]) };
}

/** Whether only this machine can reach it. */
export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
