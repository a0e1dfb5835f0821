/** Exit codes of the godwit command; documented in docs/cli.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, notFound: 3, precondition: 4 } as const;

/** An error for a person: one line, no stack; `code` is the process's exit code. */
export class CliError extends Error {
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

export const usageError = (message: string): CliError => new CliError(exitCodes.usage, `${message} (see godwit help)`);
