/** How long a command looks at something that goes on without it: until Ctrl-C, or the time of --timeout. */
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

/** What `work` gives, or undefined when the attention ended first. */
export async function attend<T>(io: Io, timeoutMs: number | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<{ value: T } | { why: 'interrupted' | 'time' }> {
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
