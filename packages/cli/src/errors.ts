/** Exit codes of the godwit command; documented in docs/cli.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, notFound: 3, precondition: 4, unavailable: 5, denied: 6, migrationFailed: 7, unknown: 8 } as const;

/** An error for a person: one line, no stack; `code` is the process's exit code. */
export class CliError extends Error {
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

export const usageError = (message: string): CliError => new CliError(exitCodes.usage, `${message} (see godwit help)`);

/** Errors whose message is one line for a person already. */
const oneLineErrors = new Set(['BootImageError', 'SnapshotError', 'ImageFormatError', 'ImageRequestError', 'DiskError', 'LeaseRefused', 'StorageError', 'WireError', 'AgentError', 'ConfigError', 'StoreError']);
const oneLineCodes = new Set(['GODWIT_METAL', 'GODWIT_NETWORK']);

/** Errors that a person can act on become one line; anything else is returned as it is, stack and all. */
export function explain(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && error.name === 'DiskError') return new CliError(exitCodes.notFound, error.message);
  const known = oneLineErrors.has(error.name) || (code !== undefined && oneLineCodes.has(code));
  return known ? new CliError(exitCodes.precondition, error.message) : error;
}
