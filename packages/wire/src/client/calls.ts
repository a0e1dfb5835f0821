/** The four kinds of calls over grpc-js: promises and async iterables, back-pressure both ways, cancelled by a signal or by leaving the loop. */
import * as grpc from '@grpc/grpc-js';
import { untilAborted } from '../abort';
import type { Services } from '../generated/services';
import { DEADLINE_MS } from '../limits';
import type { Bidi, ClientStream, Input, ServerStream, Unary } from '../schema/kinds';
import type { MethodInfo } from '../schema/methods';

export interface CallOptions {
  /** Ends the call; it then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call. Unary: DEADLINE_MS unless given; streams: none unless given. */
  readonly deadlineMs?: number;
  /** More metadata: names in lower case, ASCII values. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Throw WireError, or the reason of an aborted signal. Leaving a stream's loop cancels its call. */
export type Caller<M> =
  M extends Unary<infer I, infer O>
    ? (request: Input<I>, options?: CallOptions) => Promise<O>
    : M extends ServerStream<infer I, infer O>
      ? (request: Input<I>, options?: CallOptions) => AsyncGenerator<O, void, void>
      : M extends ClientStream<infer I, infer O>
        ? (requests: AsyncIterable<Input<I>>, options?: CallOptions) => Promise<O>
        : M extends Bidi<infer I, infer O>
          ? (requests: AsyncIterable<Input<I>>, options?: CallOptions) => AsyncGenerator<O, void, void>
          : never;

export type ServiceClient<S extends keyof Services> = { readonly [M in keyof Services[S]]: Caller<Services[S][M]> };

export interface CallPorts {
  readonly client: grpc.Client;
  /** Metadata of every call. */
  readonly metadata: () => Readonly<Record<string, string>>;
  explain(error: grpc.ServiceError): Promise<Error>;
}

const identity = (bytes: Buffer): Buffer => bytes;
type AnyCall = { cancel(): void };
type ReadCall = grpc.ClientDuplexStream<Buffer, Buffer>;

export function caller(method: MethodInfo, ports: CallPorts): (input: never, options?: CallOptions) => unknown {
  const { client } = ports;
  const { path, request, response } = method;
  const begin = (options: CallOptions, unary: boolean): { metadata: grpc.Metadata; settings: grpc.CallOptions } => {
    options.signal?.throwIfAborted();
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries({ ...ports.metadata(), ...options.metadata })) metadata.set(name, value);
    const deadlineMs = options.deadlineMs ?? (unary ? DEADLINE_MS : Number.POSITIVE_INFINITY);
    return { metadata, settings: Number.isFinite(deadlineMs) ? { deadline: Date.now() + deadlineMs } : {} };
  };

  if (!method.responseStream) {
    return async (input: object | AsyncIterable<object>, options: CallOptions = {}): Promise<object> => {
      const { metadata, settings } = begin(options, !method.requestStream);
      let call!: AnyCall;
      let broken: { error: unknown } | undefined;
      const answer = new Promise<Buffer>((resolve, reject) => {
        const settle = (error: grpc.ServiceError | null, bytes?: Buffer): void => (error ? reject(error) : resolve(bytes!));
        if (!method.requestStream)
          call = client.makeUnaryRequest(path, identity, identity, request.encode(input), metadata, settings, settle);
        else {
          const stream = client.makeClientStreamRequest(path, identity, identity, metadata, settings, settle);
          call = stream;
          feed(stream as unknown as ReadCall, input as AsyncIterable<object>, request, (error) => (broken = { error }));
        }
      });
      return response.decode(await ended(call, options.signal, answer, ports, () => broken));
    };
  }
  return async function* (input: object | AsyncIterable<object>, options: CallOptions = {}): AsyncGenerator<object, void, void> {
    const { metadata, settings } = begin(options, false);
    let broken: { error: unknown } | undefined;
    let call: ReadCall;
    if (method.requestStream) {
      call = client.makeBidiStreamRequest(path, identity, identity, metadata, settings);
      feed(call, input as AsyncIterable<object>, request, (error) => (broken = { error }));
    } else
      call = client.makeServerStreamRequest(path, identity, identity, request.encode(input), metadata, settings) as unknown as ReadCall;
    // The iteration tells; what comes after it goes nowhere.
    call.on('error', () => {});
    const cancel = (): void => call.cancel();
    options.signal?.addEventListener('abort', cancel, { once: true });
    try {
      for await (const bytes of call) yield response.decode(bytes as Buffer);
    } catch (error) {
      throw await reasonOf(error, options.signal, ports, broken);
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      cancel();
    }
  };
}

async function ended(
  call: AnyCall,
  signal: AbortSignal | undefined,
  answer: Promise<Buffer>,
  ports: CallPorts,
  broken: () => { error: unknown } | undefined,
): Promise<Buffer> {
  const cancel = (): void => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    return await answer;
  } catch (error) {
    throw await reasonOf(error, signal, ports, broken());
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** The caller's own reasons come first: its signal, then what its requests threw. */
async function reasonOf(
  error: unknown,
  signal: AbortSignal | undefined,
  ports: CallPorts,
  broken: { error: unknown } | undefined,
): Promise<unknown> {
  if (signal?.aborted) return signal.reason;
  if (broken) return broken.error;
  return error instanceof Error && 'details' in error ? ports.explain(error as grpc.ServiceError) : error;
}

/** Sends the requests, as fast as they are taken; what they throw ends the call. */
function feed(
  call: ReadCall,
  requests: AsyncIterable<object>,
  codec: { encode(plain: object): Buffer },
  onBroken: (error: unknown) => void,
): void {
  const over = new AbortController();
  for (const event of ['status', 'error', 'close']) call.on(event, () => over.abort());
  const iterator = requests[Symbol.asyncIterator]();
  const run = async (): Promise<void> => {
    for (;;) {
      const next = await untilAborted(iterator.next(), over.signal);
      if (next === undefined) return void Promise.resolve(iterator.return?.()).catch(() => {});
      if (next.done) return void call.end();
      if (!call.write(codec.encode(next.value)))
        await untilAborted(new Promise<void>((resolve) => call.once('drain', resolve)), over.signal);
    }
  };
  run().catch((error) => {
    onBroken(error);
    Promise.resolve(iterator.return?.()).catch(() => {});
    call.cancel();
  });
}
