/** The four kinds of methods, as types: `generated/services.ts` names one for each method. */
export interface Unary<Request, Response> {
  readonly kind: 'unary';
  readonly request: Request;
  readonly response: Response;
}
export interface ServerStream<Request, Response> {
  readonly kind: 'server-stream';
  readonly request: Request;
  readonly response: Response;
}
export interface ClientStream<Request, Response> {
  readonly kind: 'client-stream';
  readonly request: Request;
  readonly response: Response;
}
export interface Bidi<Request, Response> {
  readonly kind: 'bidi';
  readonly request: Request;
  readonly response: Response;
}

/** A message as it may be sent: whatever has its default may be left out. */
export type Input<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer E)[]
    ? readonly Input<E>[]
    : T extends object
      ? { readonly [K in keyof T]?: Input<T[K]> | undefined }
      : T;
