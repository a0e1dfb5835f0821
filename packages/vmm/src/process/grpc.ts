/** gRPC as this process needs it: service definitions, a server, streams as async iterables. */
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ProcessError, type ProcessErrorCode } from './errors';

const PROTO = path.join(__dirname, '..', '..', '..', '..', 'proto');
const definition = loadSync(['godwit/v1/vmm.proto'], { includeDirs: [PROTO], longs: Number, enums: String, defaults: true });

export type Methods = Readonly<Record<string, grpc.UntypedHandleCall>>;

export const serviceOf = (name: string): grpc.ServiceDefinition => definition[`godwit.v1.${name}`] as unknown as grpc.ServiceDefinition;

const STATUS: Readonly<Record<ProcessErrorCode, grpc.status>> = {
  invalid: grpc.status.INVALID_ARGUMENT,
  precondition: grpc.status.FAILED_PRECONDITION,
  'not-found': grpc.status.NOT_FOUND,
  unavailable: grpc.status.UNAVAILABLE,
  denied: grpc.status.PERMISSION_DENIED,
};

/** Trailer that tells an error of ours from one of gRPC's own with the same status. */
const CODE_KEY = 'godwit-code';

function statusOf(error: unknown): { code: grpc.status; details: string; metadata?: grpc.Metadata } {
  if (!(error instanceof ProcessError)) return { code: grpc.status.UNKNOWN, details: (error as Error).message };
  const metadata = new grpc.Metadata();
  metadata.set(CODE_KEY, error.code);
  return { code: STATUS[error.code], details: error.message, metadata };
}

/** What the other side raised; undefined: the failure is gRPC's. */
export function raisedBy({ metadata, details }: Partial<grpc.ServiceError>): ProcessError | undefined {
  const [code] = metadata?.get(CODE_KEY) ?? [];
  return code === undefined ? undefined : new ProcessError(String(code) as ProcessErrorCode, details ?? '');
}

type Answer = (request: unknown, context: { signal: AbortSignal }) => unknown;

/** Plain functions as handlers of a service: each gets what its method in the .proto takes and gives. */
export function handlers(service: grpc.ServiceDefinition, methods: object): grpc.UntypedServiceImplementation {
  const implementation: grpc.UntypedServiceImplementation = {};
  for (const [name, { requestStream, responseStream }] of Object.entries(service)) {
    const method = (methods as Record<string, Answer>)[name[0].toLowerCase() + name.slice(1)];
    implementation[name] = responseStream ? streaming(method, requestStream) : unary(method);
  }
  return implementation;
}

const unary = (method: Answer): grpc.handleUnaryCall<unknown, unknown> => (call, answer) => {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  Promise.resolve()
    .then(() => method(call.request, { signal: gone.signal }))
    .then((value) => answer(null, value), (error) => answer(statusOf(error)));
};

const streaming = (method: Answer, requestStream: boolean) => (call: grpc.ServerDuplexStream<unknown, unknown> & { request?: unknown }): void => {
  void send(call, (signal) => method(requestStream ? call : call.request, { signal }) as AsyncIterable<unknown>);
};

async function send(call: grpc.ServerDuplexStream<unknown, unknown>, begin: (signal: AbortSignal) => AsyncIterable<unknown>): Promise<void> {
  const gone = new AbortController();
  for (const event of ['cancelled', 'close', 'error']) call.on(event, () => gone.abort());
  try {
    for await (const message of begin(gone.signal)) {
      if (gone.signal.aborted) return;
      if (call.write(message)) continue;
      await new Promise<void>((resolve) => {
        call.once('drain', resolve);
        gone.signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    call.end();
  } catch (error) {
    if (!gone.signal.aborted) call.emit('error', statusOf(error));
  }
}
