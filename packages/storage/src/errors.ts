import os from 'node:os';

/** A file operation that failed. `code` is the errno's name, or one of those below. */
export class StorageError extends Error {
  override readonly name = 'StorageError';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The guard stopped a write: this process no longer has the right to the VM. */
export const FENCED = 'EFENCED';

/** Codes that mean "the storage is away for now": retrying later may help. */
const AWAY = new Set([
  'ETIMEDOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EIO',
  'ESTALE',
  'EAGAIN',
  'ENOTCONN',
]);

export const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? 'EIO';
export const isAway = (error: unknown): boolean => AWAY.has(codeOf(error));
export const isFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(codeOf(error));

const NAMES = new Map(Object.entries(os.constants.errno).map(([name, number]) => [number, name]));

/** The native part's answer, or its error. ECANCELED is the guard's (native/guard.h). */
export function check<T>(answer: T, doing: string): T {
  if (typeof answer !== 'number' || answer >= 0) return answer;
  const name = NAMES.get(-answer) ?? 'EIO';
  const code = name === 'ECANCELED' ? FENCED : name;
  throw new StorageError(code, `${doing}: ${TEXTS[code] ?? code}`);
}

/** The same form for errors of Node's fs. */
export function wrap(error: unknown, doing: string): StorageError {
  if (error instanceof StorageError) return error;
  const code = codeOf(error);
  return new StorageError(code, `${doing}: ${TEXTS[code] ?? (error as Error).message}`);
}

const TEXTS: Record<string, string> = {
  [FENCED]: 'the lease of this VM has run out here, nothing was written',
  ENOSPC: 'the datastore is full',
  EDQUOT: "the datastore's quota is used up",
  ETIMEDOUT: 'the storage does not answer',
  ECONNREFUSED: 'the storage cannot be reached',
  ECONNRESET: 'the connection to the storage broke',
  ESTALE: 'the file was removed or replaced by another host',
  ENOENT: 'there is no such file or folder',
  EEXIST: 'it exists already',
  EACCES: 'permission denied',
  EROFS: 'the file system is read-only',
};
