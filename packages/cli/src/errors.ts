/** Exit codes of the godwit command; documented in docs/cli.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, notFound: 3, precondition: 4 } as const;

/** An error for a person: one line, no stack; `code` is the process's exit code. */
export class CliError extends Error {
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

export const usageError = (message: string): CliError => new CliError(exitCodes.usage, `${message} (see godwit help)`);

/** Errors that a person can act on become one line; anything else is returned as it is, stack and all. */
export function explain(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === 'BootImageError' || (error as NodeJS.ErrnoException).code === 'GODWIT_METAL') {
    return new CliError(exitCodes.precondition, error.message);
  }
  return error;
}
