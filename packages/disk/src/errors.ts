/**
 * The image cannot be used as it is: not the format it should be, damaged, or
 * in need of something that is not supported. One line: which file, what is
 * wrong, what to do. `code` is that of errno 117, "structure needs cleaning":
 * unlike EIO it does not go away by waiting.
 */
export class ImageFormatError extends Error {
  override readonly name = 'ImageFormatError';
  readonly code = 'EUCLEAN';
}

/** A request that the image cannot carry out, or options that make no sense. */
export class ImageRequestError extends Error {
  override readonly name = 'ImageRequestError';

  constructor(
    readonly code: 'EINVAL' | 'EROFS' | 'EBADF' | 'EFBIG' | 'EIO',
    message: string,
  ) {
    super(message);
  }
}

/** Codes after which nothing was written and no write is still under way. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? 'EIO');
export const isFull = (error: unknown): boolean => FULL.has(codeOf(error));
