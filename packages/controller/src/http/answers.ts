/** What every answer has: headers that keep a page to itself, and errors in one form. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MAX_BODY_BYTES } from './limits';

/**
 * Everything a page loads comes from here. Styles that a script makes (xterm's) need the page's nonce; scripts are files.
 * @param nonce of a page
 */
export function securityHeaders(nonce: string | undefined, overTls: boolean): Record<string, string> {
  const style = nonce ? `'self' 'nonce-${nonce}'` : "'none'";
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      `style-src ${style}`,
      "img-src 'self' data:",
      "font-src 'self'",
      "connect-src 'self'",
      "manifest-src 'self'",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    ...(overTls ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  };
}

/** An error for a page or a program: a code of controller.proto, and a line for people. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  constructor(
    readonly httpStatus: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** HTTP's status for each of gRPC's. */
const HTTP_STATUS: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  ABORTED: 409,
  FAILED_PRECONDITION: 412,
  RESOURCE_EXHAUSTED: 429,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
};

export interface ToldError {
  readonly status: number;
  readonly code: string;
  readonly line: string;
}

/** Of what the API's services throw (`Told`), or the server itself; anything else is a defect and keeps its text. */
export function toldOf(error: unknown): ToldError {
  if (error instanceof HttpError) return { status: error.httpStatus, code: error.code, line: error.message };
  const { status, code, message } = error as { status?: unknown; code?: unknown; message?: unknown };
  if (typeof status === 'string' && typeof code === 'string') return { status: HTTP_STATUS[status] ?? 500, code, line: String(message) };
  return { status: 500, code: 'internal', line: 'an error that should not be: the controller has it in its log' };
}

export function sendJson(response: ServerResponse, status: number, value: object, headers: Record<string, string> = {}): void {
  send(response, status, 'application/json; charset=utf-8', JSON.stringify(value), headers);
}

export function send(response: ServerResponse, status: number, contentType: string, body: string | Buffer, headers: Record<string, string> = {}): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store', ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

export function sendError(response: ServerResponse, error: unknown): void {
  const { status, code, line } = toldOf(error);
  if (response.headersSent) response.destroy();
  else sendJson(response, status, { error: { code, line } }, status === 413 ? { connection: 'close' } : {});
}

/** @throws HttpError for a body that is too long or no JSON object */
export async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY_BYTES) throw new HttpError(413, 'invalid', `the request is longer than ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  let value: unknown;
  try {
    value = length === 0 ? {} : JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new HttpError(400, 'invalid', 'the request is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new HttpError(400, 'invalid', 'the request is not a JSON object');
  return value as Record<string, unknown>;
}
