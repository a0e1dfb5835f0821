/**
 * Streams that are served without gRPC's own machinery, on the same connections: bulk data
 * (migration/transport.ts). The library has no way in for that, so its HTTP/2 server is
 * taken from it; that it is there under this name is checked when a server is made.
 */
import type http2 from 'node:http2';
import type * as grpc from '@grpc/grpc-js';
import type { Connection, Connections } from './connections';

export interface RawPorts {
  /** One sentence why calls of that connection are refused. */
  refuses(connection: Connection): string | undefined;
}

export interface RawService {
  /** In proto/godwit/v1. */
  readonly name: string;
  /** /godwit.v1.Migration/Exchange */
  readonly path: string;
  serve(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, connection: Connection, ports: RawPorts): void;
}

type OnStream = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

/** To be called right after the one injector of `server` was made. */
export function interceptStreams(server: grpc.Server, services: readonly RawService[], connections: Connections): void {
  if (services.length === 0) return;
  const [own, ...others] = [
    ...((server as unknown as { http2Servers?: ReadonlyMap<http2.Http2Server, unknown> }).http2Servers?.keys() ?? []),
  ];
  const [serveGrpc, ...more] = (own?.listeners('stream') ?? []) as OnStream[];
  if (!serveGrpc || more.length > 0 || others.length > 0)
    throw new Error('this version of @grpc/grpc-js keeps its HTTP/2 server elsewhere: packages/wire/src/server/raw.ts');
  const ports: RawPorts = { refuses: ({ identity }) => connections.refuses(identity) };
  const byPath = new Map(services.map((service) => [service.path, service]));
  own.removeAllListeners('stream');
  own.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    const service = byPath.get(String(headers[':path']));
    if (!service) return serveGrpc(stream, headers);
    const { remoteAddress, remotePort } = stream.session!.socket;
    service.serve(stream, headers, connections.of(remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`), ports);
  });
}
