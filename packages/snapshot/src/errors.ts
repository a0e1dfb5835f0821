/**
 * What can go wrong with a saved machine, as one line for people: which file, what
 * about it, what to do. Whatever the code, the state that was there before is untouched.
 */
export type SnapshotErrorCode =
  /** The file is none of Godwit's. */
  | 'not-a-state'
  /** Bytes are not those that were written. */
  | 'damaged'
  /** The end is missing. */
  | 'truncated'
  /** A newer Godwit wrote it. */
  | 'newer'
  /** It is whole, but not what the caller needs: a section is missing or unknown, the memory has another size. */
  | 'mismatch'
  | 'no-space'
  | 'io'
  | 'cancelled';

export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';

  constructor(
    readonly code: SnapshotErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const damaged = (file: string, what: string) =>
  new SnapshotError('damaged', `${file}: ${what}: the file is damaged; use another copy of it`);

export const truncated = (file: string, where: string) =>
  new SnapshotError('truncated', `${file}: ends in ${where}: it was not copied or written to its end; copy it again`);

export const newer = (file: string, what: string) =>
  new SnapshotError('newer', `${file}: ${what}: update Godwit on this host, or resume where it was suspended`);

export const mismatch = (file: string, what: string) => new SnapshotError('mismatch', `${file}: ${what}`);

const NO_SPACE = ['ENOSPC', 'EDQUOT'];

/** Whatever a port threw, as a SnapshotError. @param doing 'read' or 'write' */
export function fromPort(file: string, doing: 'read' | 'write', error: unknown): SnapshotError {
  if (error instanceof SnapshotError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== undefined && NO_SPACE.includes(code)) {
    const line = `${file}: no space left on the datastore; free some and try again (the state saved before, if any, is still there)`;
    return new SnapshotError('no-space', line, { cause: error });
  }
  const left = doing === 'write' ? '; the state saved before, if any, is still there' : '';
  return new SnapshotError('io', `${file}: cannot ${doing} it: ${message ?? String(error)}${left}`, { cause: error });
}
