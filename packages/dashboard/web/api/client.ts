/** Calls of the controller's public API: a method of controller.proto, with this page's session. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** @throws ApiError, one line for people */
export async function call<T>(service: string, method: string, request: object = {}): Promise<T> {
  return send<T>('POST', `/api/call/${service}/${method}`, request);
}

export async function send<T>(method: string, path: string, body?: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { 'content-type': 'application/json', 'x-godwit': '1' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
  } catch {
    throw new ApiError(0, 'unreachable', 'the controller does not answer: whether it was done is not known; look again when it is back');
  }
  const answer = (await response.json().catch(() => ({}))) as { error?: { code: string; line: string } };
  if (!response.ok) throw new ApiError(response.status, answer.error?.code ?? 'internal', answer.error?.line ?? `the controller answered ${response.status}`);
  return answer as T;
}

/** One key for one click: sent again, it does nothing more. */
export const newKey = (): string => `web-${[...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
