/** What a VMM tells whoever asked something of it; `code` as the wire's. The message is one line for people. */
export type ProcessErrorCode = 'invalid' | 'precondition' | 'not-found' | 'unavailable' | 'denied';

export class ProcessError extends Error {
  override readonly name = 'ProcessError';
  constructor(
    readonly code: ProcessErrorCode,
    message: string,
  ) {
    super(message);
  }
}
