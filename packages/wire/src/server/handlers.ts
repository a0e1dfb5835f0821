/** Plain functions as gRPC handlers: promises and async iterables, back-pressure both ways, errors as WireError. */
import type * as grpc from '@grpc/grpc-js';
import { untilAborted } from '../abort';
import { toStatus, WireError } from '../errors';
import type { Services } from '../generated/services';
import type { Bidi, ClientStream, Input, ServerStream, Unary } from '../schema/kinds';
import type { MethodInfo } from '../schema/methods';
import type { Plain } from '../schema/codec';
import { type Call, makeCall } from './call';
import type { Connection } from './connections';

export type Handler<M> =
  M extends Unary<infer I, infer O>
    ? (request: I, call: Call) => Promise<Input<O>> | Input<O>
    : M extends ServerStream<infer I, infer O>
      ? (request: I, call: Call) => AsyncIterable<Input<O>>
      : M extends ClientStream<infer I, infer O>
        ? (requests: AsyncIterable<I>, call: Call) => Promise<Input<O>>
        : M extends Bidi<infer I, infer O>
          ? (requests: AsyncIterable<I>, call: Call) => AsyncIterable<Input<O>>
          : never;

/** A service's methods by name; a generator function is the easiest stream. */
export type Handlers<S extends keyof Services> = { readonly [M in keyof Services[S]]: Handler<Services[S][M]> };

export interface HandlerPorts {
  connectionOf(peer: string): Connection;
  /** One sentence why calls of that connection are refused. */
  refuses(connection: Connection): string | undefined;
  /** A handler threw what is no WireError: a defect. */
  onDefect(error: unknown, path: string): void;
}

type AnyHandler = (request: never, call: Call) => unknown;
type StreamCall = grpc.ServerDuplexStream<Buffer, Buffer> & { readonly request?: Buffer };

export function adapt(method: MethodInfo, handler: AnyHandler, ports: HandlerPorts): grpc.UntypedHandleCall {
  const { request, response } = method;
  const fail = (error: unknown): grpc.StatusObject => {
    const status = toStatus(error);
    if (!(error instanceof WireError)) ports.onDefect(error, method.path);
    return status;
  };
  const begin = (call: Parameters<typeof makeCall>[0] & { getPeer(): string }): Call => {
    const connection = ports.connectionOf(call.getPeer());
    const why = ports.refuses(connection);
    if (why !== undefined) throw new WireError('unauthenticated', why);
    return makeCall(call, connection);
  };

  if (!method.responseStream) {
    return ((call: StreamCall & { readonly request: Buffer }, answer: grpc.sendUnaryData<Buffer>): void => {
      const run = async (): Promise<Buffer> => {
        const context = begin(call);
        const input = method.requestStream ? decoded(call, request, context.signal) : request.decode(call.request);
        return response.encode((await handler(input as never, context)) as object);
      };
      run().then(
        (bytes) => answer(null, bytes),
        (error) => answer(fail(error)),
      );
    }) as grpc.UntypedHandleCall;
  }
  return (call: StreamCall): void => {
    // A peer that goes while it is written to: `cancelled` tells.
    call.on('error', () => {});
    let signal: AbortSignal | undefined;
    const run = async (): Promise<void> => {
      const context = begin(call);
      signal = context.signal;
      const input = method.requestStream ? decoded(call, request, signal) : request.decode(call.request!);
      await pump(call, handler(input as never, context) as AsyncIterable<object>, response, signal);
    };
    run().then(
      () => call.end(),
      (error) => {
        if (!signal?.aborted) call.emit('error', fail(error));
      },
    );
  };
}

type Requests = Pick<StreamCall, 'iterator'>;

/** What the caller sends; it is slowed down while nobody reads. Ends, without an error, also when the caller has gone: the signal tells. */
async function* decoded(call: Requests, codec: { decode(bytes: Uint8Array): Plain }, signal: AbortSignal): AsyncGenerator<Plain> {
  try {
    // A handler that has read enough still answers: the call is not to be destroyed with the iteration.
    for await (const bytes of call.iterator({ destroyOnReturn: false })) yield codec.decode(bytes as Buffer);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function pump(
  call: StreamCall,
  messages: AsyncIterable<object>,
  codec: { encode(plain: object): Buffer },
  signal: AbortSignal,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  let ended = false;
  try {
    while (!signal.aborted) {
      const next = await untilAborted(iterator.next(), signal);
      if (next === undefined) return;
      if ((ended = next.done === true)) return;
      if (!call.write(codec.encode(next.value))) await untilAborted(new Promise<void>((resolve) => call.once('drain', resolve)), signal);
    }
  } catch (error) {
    ended = true;
    throw error;
  } finally {
    // Not waited for: a generator that hangs has been told by the signal.
    if (!ended) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}
