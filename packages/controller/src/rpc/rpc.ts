/**
 * What the controller's services need of gRPC, and no more: messages as plain objects (camelCase names,
 * enums as their names, 64-bit numbers as numbers, a oneof as the one field that is set), calls with who is calling.
 */
export type Message = Readonly<Record<string, unknown>>;

export interface Call {
  /** Of the client's certificate; undefined: it has shown none. */
  readonly certificate:
    | { readonly kind: 'agent' | 'operator' | 'controller'; readonly id: string; readonly name: string; readonly role: string }
    | undefined;
  /** Trailing part of `authorization: Bearer …`; empty: none. */
  readonly bearer: string;
  /** For logs: HOST:PORT. */
  readonly peer: string;
  /** The caller has gone, or the deadline has passed. */
  readonly signal: AbortSignal;
}

export type Unary = (request: Message, call: Call) => Promise<object>;
export type ServerStream = (request: Message, call: Call) => AsyncIterable<object>;
export type Bidi = (requests: AsyncIterable<Message>, call: Call) => AsyncIterable<object>;

export type Method = { readonly unary: Unary } | { readonly stream: ServerStream } | { readonly bidi: Bidi };
/** By name of service and method. */
export type Services = Readonly<Record<string, Readonly<Record<string, Method>>>>;
