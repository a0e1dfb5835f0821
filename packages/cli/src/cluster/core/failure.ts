/** What the controller refuses, and what becomes of an operation, as exit codes: docs/cli.md, "Exit codes". */
import { WireError, type WireErrorCode } from '@godwit/wire';
import { CliError, exitCodes } from '../../errors';

type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Words of the table at the head of controller.proto (trailer `godwit-error-code`, Operation.error_code). */
export const WORDS: Readonly<Record<string, ExitCode>> = {
  invalid: exitCodes.usage,
  'bad-name': exitCodes.usage,
  'bad-settings': exitCodes.usage,
  'no-vm': exitCodes.notFound,
  'no-host': exitCodes.notFound,
  'no-migration': exitCodes.notFound,
  'no-operation': exitCodes.notFound,
  'no-rule': exitCodes.notFound,
  'no-group': exitCodes.notFound,
  'no-user': exitCodes.notFound,
  'no-token': exitCodes.notFound,
  'vm-exists': exitCodes.precondition,
  'host-exists': exitCodes.precondition,
  'user-exists': exitCodes.precondition,
  'key-reused': exitCodes.precondition,
  'wrong-state': exitCodes.precondition,
  busy: exitCodes.precondition,
  blocked: exitCodes.precondition,
  'in-use': exitCodes.precondition,
  'lease-held': exitCodes.precondition,
  'not-drained': exitCodes.precondition,
  storage: exitCodes.precondition,
  changed: exitCodes.precondition,
  cancelled: exitCodes.failed,
  'host-unreachable': exitCodes.unavailable,
  'not-leader': exitCodes.unavailable,
  store: exitCodes.unavailable,
  starting: exitCodes.unavailable,
  'no-login': exitCodes.denied,
  'login-ended': exitCodes.denied,
  'wrong-password': exitCodes.denied,
  role: exitCodes.denied,
  limit: exitCodes.precondition,
  unsupported: exitCodes.precondition,
  internal: exitCodes.failed,
};

/** Words of an agent (OrderResult.code in agent.proto), which an operation that failed on a host may end with. */
export const ORDER_WORDS: Readonly<Record<string, ExitCode>> = {
  'old-term': exitCodes.unavailable,
  'lease-held': exitCodes.precondition,
  'not-here': exitCodes.precondition,
  exists: exitCodes.precondition,
  'wrong-state': exitCodes.precondition,
  busy: exitCodes.precondition,
  'no-memory': exitCodes.precondition,
  storage: exitCodes.precondition,
  'no-network': exitCodes.precondition,
  image: exitCodes.notFound,
  cpu: exitCodes.precondition,
  host: exitCodes.failed,
  time: exitCodes.unavailable,
  unsupported: exitCodes.precondition,
  cancelled: exitCodes.failed,
  internal: exitCodes.failed,
};

/** Of an operation that failed. */
export const codeOfWord = (word: string): ExitCode => WORDS[word] ?? ORDER_WORDS[word] ?? exitCodes.failed;

const CODES: Readonly<Record<WireErrorCode, ExitCode>> = {
  'not-found': exitCodes.notFound,
  invalid: exitCodes.usage,
  precondition: exitCodes.precondition,
  unavailable: exitCodes.unavailable,
  denied: exitCodes.denied,
  unauthenticated: exitCodes.denied,
  exists: exitCodes.precondition,
  exhausted: exitCodes.precondition,
  aborted: exitCodes.precondition,
  deadline: exitCodes.unavailable,
  cancelled: exitCodes.failed,
  unsupported: exitCodes.precondition,
  internal: exitCodes.failed,
  unknown: exitCodes.failed,
};

/** What to do about it, where the controller's line cannot know. */
const HINTS: Readonly<Record<string, string>> = {
  'no-login': 'godwit login',
  'login-ended': 'godwit login',
};

/** What a controller refused, with its word. */
export class Refused extends CliError {
  constructor(
    code: number,
    message: string,
    readonly word: string,
  ) {
    super(code, message);
  }
}

/** Of this side: the other one is another cluster's, or not who it should be. It is there, and it is not asked. */
const isForeign = (error: WireError): boolean =>
  !error.remote && /^the certificate of |is not who it should be|wants a certificate/.test(error.message);

export const wordOf = (error: WireError): string => error.trailers['godwit-error-code'] ?? '';

/** The other side may have got the request: only this side does not know what became of it. */
export const isLost = (error: unknown): boolean => error instanceof WireError && !error.remote && /is not known$/.test(error.message);

/** @param changes the request was to change something: then an answer that was lost leaves the outcome open */
export function failureOf(error: unknown, changes = false): unknown {
  if (!(error instanceof WireError)) return error;
  const word = wordOf(error);
  const lost = changes && (isLost(error) || error.code === 'deadline');
  const code = lost ? exitCodes.unknown : (WORDS[word] ?? (isForeign(error) ? exitCodes.denied : CODES[error.code]));
  const hint = HINTS[word] === undefined || error.message.includes(HINTS[word]) ? '' : `: ${HINTS[word]}`;
  const open = lost && !error.message.includes('not known') ? ': whether it was done is not known, look before you ask again' : '';
  return new Refused(code, `${error.message}${open}${hint}`, word);
}
