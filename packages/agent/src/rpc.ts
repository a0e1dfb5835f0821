/** Calls to one peer (a controller, a VMM's control socket) by the method's name in the .proto. */
import { type ClientSecurity, connect, PLAIN, Queue, type Wire } from '@godwit/wire';

type AnyOptions = { readonly deadlineMs?: number; readonly signal?: AbortSignal };
type AnyClient = Readonly<Record<string, (input: unknown, options?: AnyOptions) => unknown>>;

/** Messages that wait to be sent on one stream. */
const QUEUED = 16;

export interface Duplex<In, Out> extends AsyncIterable<In> {
  /** Settles once there is room for it: whoever sends goes no faster than the other side reads. @throws WireError when the stream has ended */
  send(message: Out): Promise<void>;
  /** Nothing more is sent. */
  end(): void;
  cancel(): void;
}

export class Peer {
  private readonly wire: Wire;
  private readonly client: AnyClient;

  /** @param address `unix:PATH`, `HOST:PORT` */
  constructor(service: 'Agents' | 'Vmm', address: string, security: ClientSecurity = PLAIN) {
    this.wire = connect({ address, security });
    this.client = this.wire.client(service) as unknown as AnyClient;
  }

  /** Settles once there is a connection. @throws WireError with the sentence why not */
  ready(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return this.wire.ready({ timeoutMs, signal });
  }

  /** @throws WireError, or the signal's reason */
  call<T>(method: string, request: object, options: { deadlineMs: number; signal?: AbortSignal }): Promise<T> {
    return this.client[camel(method)](request, options) as Promise<T>;
  }

  /** Ends without an error when `signal` is aborted. @throws WireError */
  async *stream<T>(method: string, request: object, signal: AbortSignal): AsyncGenerator<T> {
    try {
      if (!signal.aborted) yield* this.client[camel(method)](request, { signal }) as AsyncGenerator<T>;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Both ways; `requests` is taken as fast as the other side reads. */
  exchange<In>(method: string, requests: AsyncIterable<object>, signal: AbortSignal): AsyncGenerator<In> {
    return this.client[camel(method)](requests, { signal }) as AsyncGenerator<In>;
  }

  duplex<In, Out extends object>(method: string): Duplex<In, Out> {
    const out = new Queue<Out>(QUEUED);
    const cancelled = new AbortController();
    const incoming = this.exchange<In>(method, out, cancelled.signal);
    return {
      send: (message) => out.push(message),
      end: () => out.end(),
      cancel: () => {
        out.end();
        cancelled.abort();
      },
      [Symbol.asyncIterator]: () => incoming,
    };
  }

  close(): void {
    this.wire.close();
  }
}

const camel = (method: string): string => method[0].toLowerCase() + method.slice(1);
