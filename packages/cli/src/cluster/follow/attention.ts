/** How long a command looks at something that goes on without it: until Ctrl-C, or the time of --timeout. */
import { CliError, exitCodes } from '../../errors';
import type { Io } from '../output/io';

export class Attention {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly release: () => void;
  /** Why it ended early. */
  why: 'interrupted' | 'time' | undefined;

  constructor(io: Io, timeoutMs: number | undefined) {
    const end = (why: 'interrupted' | 'time') => (): void => {
      this.why ??= why;
      this.controller.abort();
    };
    this.release = io.onInterrupt(end('interrupted'));
    if (timeoutMs !== undefined) this.timer = setTimeout(end('time'), Math.min(timeoutMs, 2 ** 31 - 1));
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  end(): void {
    clearTimeout(this.timer);
    this.release();
  }
}

/** Ended, also by Ctrl-C or --timeout; or the controller was lost and has not come back. */
export type Attended<T> = { readonly value: T } | { readonly why: 'interrupted' | 'time' | 'lost'; readonly line: string };

const LINES = { interrupted: '', time: 'it has not ended in time' } as const;

/** As `attend`, of something that goes on without its controller being seen: to lose sight of it is no failure of it. */
export async function attendWhatGoesOn<T>(
  io: Io,
  timeoutMs: number | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Attended<T>> {
  try {
    const seen = await attend(io, timeoutMs, work);
    return 'value' in seen ? seen : { why: seen.why, line: LINES[seen.why] };
  } catch (error) {
    const isLost = error instanceof CliError && (error.code === exitCodes.unavailable || error.code === exitCodes.unknown);
    if (!isLost) throw error;
    return { why: 'lost', line: error.message };
  }
}

/** What `work` gives, or undefined when the attention ended first. */
export async function attend<T>(
  io: Io,
  timeoutMs: number | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<{ value: T } | { why: 'interrupted' | 'time' }> {
  const attention = new Attention(io, timeoutMs);
  try {
    return { value: await work(attention.signal) };
  } catch (error) {
    if (attention.why === undefined) throw error;
    return { why: attention.why };
  } finally {
    attention.end();
  }
}
