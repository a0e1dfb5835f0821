/** What the other end sent is not what this protocol allows: the migration fails, nothing else does. */
export type StreamErrorCode =
  /** Not a message of this protocol, or none of this kind. */
  | 'not-a-message'
  /** Another version than was agreed. */
  | 'version'
  /** Bytes are not those that were sent. */
  | 'damaged'
  /** A message is missing, twice there, or out of its turn. */
  | 'order'
  /** A number in it is out of bounds. */
  | 'bounds'
  /** Packed data that does not unpack to what was announced. */
  | 'packing'
  /** Counts or sums of the two ends differ. */
  | 'mismatch';

export class StreamError extends Error {
  override readonly name = 'StreamError';

  constructor(
    readonly code: StreamErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** One line for people, whatever was thrown. */
export const lineOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0];
