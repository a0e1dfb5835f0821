/** MigrationLink over gRPC: one server for Incoming and Migration, one call back. */
import { readFileSync } from 'node:fs';
import { createHash, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import type { TransportPort } from '@godwit/migration';
import { ProcessError } from './errors';
import { handlers, raisedBy, serviceOf } from './grpc';
import type { Incoming } from './incoming';
import type { CallFor, MigrationLink } from './link';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface LinkOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** Absent: no TLS, and the loopback address only. */
  readonly tls?: TlsFiles;
  incoming(): Incoming;
}

/** A folder with cert.pem, key.pem, ca.pem. */
export const tlsFrom = (folder: string | undefined): TlsFiles | undefined =>
  folder === undefined ? undefined : { cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem'), ca: path.join(folder, 'ca.pem') };

/** Bytes as they are: no protobuf around pages (shared design: it costs more than it gives). */
const identity = (bytes: Buffer): Buffer => bytes;
const EXCHANGE = {
  path: '/godwit.v1.Migration/Exchange',
  requestStream: true,
  responseStream: true,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
} as const;
const MESSAGE_LIMIT = 1024 * 1024 + 64;
const OPTIONS: grpc.ChannelOptions = {
  'grpc.max_receive_message_length': MESSAGE_LIMIT,
  'grpc.max_send_message_length': MESSAGE_LIMIT,
  'grpc-node.flow_control_window': 1024 * 1024,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
};

type Call = grpc.ServerDuplexStream<Buffer, Buffer> | grpc.ClientDuplexStream<Buffer, Buffer>;

/** @throws ProcessError when it cannot listen there */
export async function openLink(options: LinkOptions): Promise<MigrationLink> {
  const { listen, tls } = options;
  if (!tls && !isLoopback(listen.host)) throw new ProcessError('precondition', `without certificates a VM moves only on the loopback address, not by ${listen.host}: give --tls FOLDER`);
  const waiting = new Map<string, { readonly token: Buffer; take(call: grpc.ServerDuplexStream<Buffer, Buffer>): void }>();
  const exchange = (call: grpc.ServerDuplexStream<Buffer, Buffer>): void => {
    const [migrationId] = call.metadata.get('godwit-migration');
    const [token] = call.metadata.get('godwit-token');
    const expected = waiting.get(String(migrationId));
    if (!expected || !timingSafeEqual(expected.token, digest(String(token)))) {
      call.on('error', () => {});
      call.emit('error', { code: grpc.status.PERMISSION_DENIED, details: 'no migration with that token is expected here' });
      return;
    }
    waiting.delete(String(migrationId));
    expected.take(call);
  };
  const server = new grpc.Server(OPTIONS);
  server.addService({ Exchange: EXCHANGE } as unknown as grpc.ServiceDefinition, { Exchange: exchange });
  const incoming = serviceOf('Incoming');
  server.addService(incoming, handlers(incoming, { call: async (request: CallFor & { sourceAddress: string }) => {
    await options.incoming().call(request);
    return {};
  } }));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${listen.host}:${listen.port}`, serverCredentials(tls), (error, bound) => (error ? reject(new ProcessError('unavailable', `cannot listen on ${listen.host}:${listen.port}: ${error.message}`)) : resolve(bound)));
  });
  return {
    address: `${listen.host}:${port}`,
    awaitCall: ({ migrationId, token }, signal) =>
      new Promise<TransportPort>((resolve, reject) => {
        const give = (): void => {
          waiting.delete(migrationId);
          reject(signal.reason);
        };
        signal.addEventListener('abort', give, { once: true });
        waiting.set(migrationId, {
          token: digest(token),
          take: (call) => {
            signal.removeEventListener('abort', give);
            resolve(transportOver(call, () => call.end()));
          },
        });
      }),
    askToCall: async (target, { migrationId, token, sourceAddress }, signal) => {
      const Client = grpc.makeGenericClientConstructor(incoming, 'Incoming');
      const client = new Client(target, clientCredentials(tls), OPTIONS);
      try {
        await new Promise<void>((resolve, reject) => {
          const call = client.Call({ migrationId, token, sourceAddress }, { deadline: Date.now() + 10_000 }, (error: grpc.ServiceError | null) => (error ? reject(lineOf(target, error)) : resolve()));
          signal.addEventListener('abort', () => call.cancel(), { once: true });
        });
      } finally {
        client.close();
      }
    },
    call: async (source, { migrationId, token }, signal) => {
      const client = new grpc.Client(source, clientCredentials(tls), OPTIONS);
      await new Promise<void>((resolve, reject) => client.waitForReady(Date.now() + 8_000, (error) => (error ? reject(new ProcessError('unavailable', `the source at ${source} cannot be reached: ${error.message}`)) : resolve())));
      signal.throwIfAborted();
      const metadata = new grpc.Metadata();
      metadata.set('godwit-migration', migrationId);
      metadata.set('godwit-token', token);
      const call = client.makeBidiStreamRequest(EXCHANGE.path, identity, identity, metadata);
      return transportOver(call, () => call.end(), () => client.close());
    },
    close: async () => server.forceShutdown(),
  };
}

/** Settles a send when gRPC no longer needs the message. */
function transportOver(call: Call, end: () => void, over: () => void = () => {}): TransportPort {
  let receiver: Parameters<TransportPort['listen']>[0] | undefined;
  let closed: string | undefined;
  const early: Uint8Array[] = [];
  let drains: (() => void)[] = [];
  const close = (why: string): void => {
    if (closed !== undefined) return;
    closed = why;
    for (const drain of drains.splice(0)) drain();
    receiver?.closed(why);
    over();
  };
  call.on('data', (message: Buffer) => (receiver ? receiver.message(message) : early.push(message)));
  call.on('end', () => {
    close('the other side closed it');
    end();
  });
  call.on('error', (error: Partial<grpc.ServiceError>) => close(error.details || error.message || 'it broke'));
  call.on('cancelled', () => close('the other side is gone'));
  call.on('close', () => close('it was closed'));
  return {
    send: async (message) => {
      if (closed !== undefined) throw new Error(`the connection is closed: ${closed}`);
      const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
      // Called once gRPC has given it on: until then it may only have queued the array itself.
      await new Promise<void>((resolve) => {
        drains.push(resolve);
        call.write(bytes, () => {
          drains = drains.filter((each) => each !== resolve);
          resolve();
        });
      });
    },
    listen: (listener) => {
      receiver = listener;
      for (const message of early.splice(0)) listener.message(message);
      if (closed !== undefined) listener.closed(closed);
    },
    close: () => end(),
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

function files(tls: TlsFiles): { ca: Buffer; cert: Buffer; key: Buffer } {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new ProcessError('precondition', `the certificate file ${file} cannot be read: ${(error as Error).message}`);
    }
  };
  return { ca: read(tls.ca), cert: read(tls.cert), key: read(tls.key) };
}

function serverCredentials(tls: TlsFiles | undefined): grpc.ServerCredentials {
  if (!tls) return grpc.ServerCredentials.createInsecure();
  const { ca, cert, key } = files(tls);
  return grpc.ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true);
}

function clientCredentials(tls: TlsFiles | undefined): grpc.ChannelCredentials {
  if (!tls) return grpc.credentials.createInsecure();
  const { ca, cert, key } = files(tls);
  return grpc.credentials.createSsl(ca, key, cert);
}

function lineOf(where: string, error: grpc.ServiceError): Error {
  const raised = raisedBy(error);
  if (raised) return raised;
  if (error.code === grpc.status.UNAVAILABLE) return new ProcessError('unavailable', `no VMM that waits for a VM answers at ${where}: ${error.details.replace(/^No connection established\. Last error: (Error: )?/, '').replace(/\s*Resolution note:[\s\S]*$/, '')}`);
  return new ProcessError('unavailable', `the VMM at ${where} did not answer as it should: ${error.details}`);
}
