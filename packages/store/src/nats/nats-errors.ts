/** What NATS answers, in the store's terms. */
import { NatsError } from 'nats';
import { StoreError } from '../errors';

/** JetStream's own numbers (err_code), from the server's errors.json. */
const NO_MESSAGE = 10037;
const STREAM_NOT_FOUND = 10059;
const FULL = new Set([10002, 10023, 10028, 10047, 10077]);
const TOO_LARGE = 10054;
/** JetStream is disabled, for this account or at all. */
const NO_JETSTREAM = new Set([10039, 10076]);

const codeOf = (error: unknown): number | undefined => (error instanceof NatsError ? error.api_error?.err_code : undefined);

export const isMessageMissing = (error: unknown): boolean => codeOf(error) === NO_MESSAGE;
export const isStreamMissing = (error: unknown): boolean => codeOf(error) === STREAM_NOT_FOUND;

/** Errors that trying again does not cure; undefined: it may. */
export function finalError(error: unknown, servers: string): StoreError | undefined {
  const code = codeOf(error);
  const client = error instanceof NatsError ? error.code : undefined;
  if (code !== undefined && FULL.has(code))
    return new StoreError('full', `NATS at ${servers} has no room left; give JetStream more storage or free some, then try again`);
  if (code === TOO_LARGE || client === 'MAX_PAYLOAD_EXCEEDED') {
    return new StoreError('too-large', `NATS at ${servers} refuses a message of this size; raise max_payload there to 1 MB or more`);
  }
  if (code !== undefined && NO_JETSTREAM.has(code))
    return new StoreError('unavailable', `NATS at ${servers} runs without JetStream; enable it there`);
  if (client === 'AUTHORIZATION_VIOLATION' || client === 'AUTHENTICATION_EXPIRED') {
    return new StoreError('unavailable', `NATS at ${servers} refuses these credentials; check user, token or credentials file`);
  }
  if (client === 'PERMISSIONS_VIOLATION') {
    return new StoreError(
      'unavailable',
      `NATS at ${servers} does not let this user use the store; allow it the subjects $JS.API.>, $KV.<name>.>, <name>.events.> and _INBOX.>`,
    );
  }
  return undefined;
}

export function awayError(servers: string, doing: string, error: unknown, mayHaveHappened = false): StoreError {
  const reason = error instanceof Error && error.message !== '' ? ` (${error.message.replace(/\s+/g, ' ').slice(0, 120)})` : '';
  const state = mayHaveHappened ? 'it is not known whether it was done: read the key to learn that, and' : 'nothing was changed:';
  return new StoreError(
    'unavailable',
    `NATS at ${servers} did not answer in time while ${doing}${reason}; ${state} check that a majority of its servers runs`,
    mayHaveHappened,
  );
}
