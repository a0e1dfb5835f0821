/**
 * Why an order was not done. `code` is one of agent.proto's fixed words (OrderResult.code); the message is one
 * line for people and says where the VM runs where that matters.
 */
export type OrderCode =
  | 'old-term'
  | 'lease-held'
  | 'not-here'
  | 'exists'
  | 'wrong-state'
  | 'busy'
  | 'no-memory'
  | 'storage'
  | 'no-network'
  | 'image'
  | 'cpu'
  | 'host'
  | 'time'
  | 'unsupported'
  | 'cancelled'
  | 'internal';

export class OrderError extends Error {
  override readonly name = 'OrderError';

  constructor(
    readonly code: OrderCode,
    message: string,
    /** Nothing was tried. */
    readonly refused = false,
  ) {
    super(message);
  }
}

export const refusal = (code: OrderCode, message: string): OrderError => new OrderError(code, message, true);

/** The agent cannot start, or not with this configuration. The message is one line that says what to do. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
}

export const lineOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0];
