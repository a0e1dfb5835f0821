/** What a handler is told about its call. */
import type * as grpc from '@grpc/grpc-js';
import type { PeerIdentity } from '../identity';
import type { Connection } from './connections';

export interface Call {
  readonly peer: PeerIdentity;
  /** HOST:PORT of the peer, or `unix`: for logs. */
  readonly address: string;
  /** /godwit.v1.Vmm/GetStatus */
  readonly path: string;
  /** Aborted when the caller has gone, given up, or its deadline has passed. */
  readonly signal: AbortSignal;
  /** Wall clock, ms; Infinity: none. */
  readonly deadlineAtMs: number;
  /** Of `authorization: Bearer …`; empty: none. */
  readonly bearer: string;
  /** First value of a metadata key, in lower case; undefined: not sent. */
  metadata(name: string): string | undefined;
}

type Surface = Pick<grpc.ServerUnaryCall<Buffer, Buffer>, 'metadata' | 'getDeadline' | 'getPath'> & {
  on(event: string, listener: () => void): unknown;
};

export function makeCall(call: Surface, connection: Connection): Call {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort(new Error('the caller has gone')));
  const metadata = (name: string): string | undefined => {
    const [value] = call.metadata.get(name);
    return value === undefined ? undefined : String(value);
  };
  const deadline = call.getDeadline();
  return {
    peer: connection.identity,
    address: connection.address,
    path: call.getPath(),
    signal: gone.signal,
    deadlineAtMs: typeof deadline === 'number' ? deadline : deadline.getTime(),
    bearer: /^bearer\s+(.+)$/i.exec(metadata('authorization') ?? '')?.[1] ?? '',
    metadata,
  };
}
