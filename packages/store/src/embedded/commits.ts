/**
 * Group commit: writes that are asked for in one turn of the event loop become one transaction,
 * so that they share its wait for the disk. Each checks its own conditions inside; one that
 * refuses writes nothing and does not hinder the others.
 */
import { closedError } from '../errors';
import { onFile, type Sqlite } from './sqlite';

interface Write {
  /** Within the transaction; throws before its first statement that writes if it refuses. */
  readonly act: () => unknown;
  readonly done: (result: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** Writes in one transaction, at most: bounds how long the event loop stands still. */
const MAX_WRITES = 64;

export class Commits {
  private waiting: Write[] = [];
  private closed = false;

  constructor(
    private readonly file: string,
    private readonly db: Sqlite,
    /** After each commit that wrote, or that failed and was undone. */
    private readonly after: (undone: boolean) => void,
  ) {}

  run<T>(act: () => T): Promise<T> {
    if (this.closed) return Promise.reject(closedError());
    return new Promise<T>((resolve, reject) => {
      if (this.waiting.push({ act, done: resolve as Write['done'], failed: reject }) === 1) setImmediate(() => this.commit());
    });
  }

  /** Does what waits, then nothing more. */
  close(): void {
    while (this.waiting.length > 0) this.commit();
    this.closed = true;
  }

  private commit(): void {
    const batch = this.waiting.splice(0, MAX_WRITES);
    if (this.waiting.length > 0) setImmediate(() => this.commit());
    if (batch.length === 0) return;
    const settle = this.attempt(batch);
    if (settle instanceof Fault && batch.length > 1) {
      // One large value may have been too much for the disk: each for itself.
      for (const write of batch) {
        const alone = this.attempt([write]);
        if (alone instanceof Fault) write.failed(alone.error);
        else for (const tell of alone) tell();
      }
    } else if (settle instanceof Fault) batch[0].failed(settle.error);
    else for (const tell of settle) tell();
  }

  /** What to tell each one, once it is on disk; or why nothing is. */
  private attempt(batch: readonly Write[]): (() => void)[] | Fault {
    try {
      const all = this.db.transaction(() =>
        batch.map(({ act, done, failed }) => {
          try {
            const result = act();
            return () => done(result);
          } catch (error) {
            if (isSqlite(error)) throw error;
            return () => failed(error);
          }
        }),
      );
      const tell = onFile(this.file, () => all.immediate(), true);
      this.after(false);
      return tell;
    } catch (error) {
      this.after(true);
      return new Fault(error);
    }
  }
}

class Fault {
  constructor(readonly error: unknown) {}
}

const isSqlite = (error: unknown): boolean => String((error as { code?: unknown }).code).startsWith('SQLITE_');
