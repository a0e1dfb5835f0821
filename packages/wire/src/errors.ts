/**
 * Errors as they travel: one code of a small table, one clear line for people. A handler
 * throws a WireError and its caller catches an equal one.
 *
 *   handler: throw WireError ──► status, line, trailer `godwit-code` ──► caller: catch WireError
 */
import * as grpc from '@grpc/grpc-js';
import { MAX_ERROR_CHARACTERS } from './limits';

const { status } = grpc;

/** Code, the gRPC status it travels as. A status that stands twice is read as its first. */
const CODES = {
  'not-found': status.NOT_FOUND,
  invalid: status.INVALID_ARGUMENT,
  precondition: status.FAILED_PRECONDITION,
  unavailable: status.UNAVAILABLE,
  denied: status.PERMISSION_DENIED,
  unauthenticated: status.UNAUTHENTICATED,
  exists: status.ALREADY_EXISTS,
  exhausted: status.RESOURCE_EXHAUSTED,
  aborted: status.ABORTED,
  deadline: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  unsupported: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
  unknown: status.UNKNOWN,
} as const;

export type WireErrorCode = keyof typeof CODES;

const byStatus = new Map<number, WireErrorCode>(Object.entries(CODES).map(([code, number]) => [number, code as WireErrorCode]));
byStatus.set(status.OUT_OF_RANGE, 'invalid');
byStatus.set(status.DATA_LOSS, 'internal');

/** Trailer that tells an error thrown by a handler from one that gRPC made by itself. */
const CODE_TRAILER = 'godwit-code';
const CODE_TRAILERS_OF_GRPC = /^(grpc-|content-type$|date$|godwit-code$)/;

export class WireError extends Error {
  override readonly name = 'WireError';

  /**
   * @param message one line: what is wrong, and what to do
   * @param trailers more for programs, as gRPC metadata (`godwit-leader`, …): names in lower case, ASCII values
   * @param remote thrown by the other side's handler, which therefore has got the request
   */
  constructor(
    readonly code: WireErrorCode,
    message: string,
    readonly trailers: Readonly<Record<string, string>> = {},
    readonly remote = false,
  ) {
    super(message);
  }
}

/** What is thrown by a handler, as a gRPC status. Anything but a WireError is a defect: `internal`. */
export function toStatus(error: unknown): grpc.StatusObject {
  const known = error instanceof WireError;
  const metadata = new grpc.Metadata();
  if (known) for (const [name, value] of Object.entries(error.trailers)) metadata.set(name, value);
  metadata.set(CODE_TRAILER, known ? error.code : 'internal');
  const text = error instanceof Error ? error.message : String(error);
  return { code: CODES[known ? error.code : 'internal'], details: oneLine(known ? text : `a defect, please report it: ${text}`), metadata };
}

/** What the other side's handler threw; undefined: gRPC itself failed. */
export function thrownBy({ details, metadata }: Partial<grpc.StatusObject>): WireError | undefined {
  const code = metadata?.get(CODE_TRAILER)[0];
  if (code === undefined || typeof code !== 'string' || !Object.hasOwn(CODES, code)) return undefined;
  const trailers = Object.entries(metadata!.getMap()).filter(
    ([name, value]) => typeof value === 'string' && !CODE_TRAILERS_OF_GRPC.test(name),
  );
  return new WireError(code as WireErrorCode, details ?? '', Object.fromEntries(trailers) as Record<string, string>, true);
}

export const codeOfStatus = (number: number | undefined): WireErrorCode => byStatus.get(number ?? -1) ?? 'unknown';

/** Without line breaks or halves of characters (encodeURI refuses those), and not longer than a header may be. */
export function oneLine(text: string): string {
  const line = text.replace(/\s*[\r\n]+\s*/g, ' ');
  const short = line.length > MAX_ERROR_CHARACTERS ? `${line.slice(0, MAX_ERROR_CHARACTERS - 1)}…` : line;
  return Buffer.from(short).toString();
}
