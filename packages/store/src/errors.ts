/**
 * conflict      the key is not at the revision that was expected, or a guard no longer holds; read again and decide anew
 * not-found     there is no such key
 * unavailable   the store cannot be reached or is closed; `mayHaveHappened` tells whether a write may still land
 * full          no room: the disk, the server's limit, or the store's own
 * corrupt       what is stored is damaged; nothing was changed
 * too-large     a key or value beyond the limits (limits.ts)
 * newer-schema  written by a newer Godwit
 */
export type StoreErrorCode = 'conflict' | 'not-found' | 'unavailable' | 'full' | 'corrupt' | 'too-large' | 'newer-schema';

/** An operation on the store that failed. The message is one line that says what happened and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';

  constructor(
    readonly code: StoreErrorCode,
    message: string,
    /** For a write that failed as 'unavailable': it may be done, or still be done. Read the key to learn which. */
    readonly mayHaveHappened = false,
  ) {
    super(message);
  }
}

export const isConflict = (error: unknown): boolean => error instanceof StoreError && error.code === 'conflict';

export const closedError = (): StoreError => new StoreError('unavailable', 'the store is closed; open it again');
