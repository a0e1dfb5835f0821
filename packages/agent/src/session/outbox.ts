/**
 * What is to be told to the controller. Each thing has a key; when it changes again before it was sent, only its
 * newest state goes, so what waits is bounded by what there is. Pure.
 *
 * What an order changed is told before its result: kinds are sent in the order of RANK.
 */
const RANK = { vmm: 0, migration: 1, datastore: 2, host: 3, result: 4, counters: 5 } as const;
export type Kind = keyof typeof RANK;

export class Outbox {
  private waiting = new Map<string, { readonly kind: Kind; readonly build: () => object | undefined }>();
  private wake: (() => void) | undefined;

  get length(): number {
    return this.waiting.size;
  }

  /** @param build called when it is sent; undefined: there is nothing to tell any more */
  put(kind: Kind, key: string, build: () => object | undefined): void {
    const whole = `${kind} ${key}`;
    // To the end: what it says is as new as what was put last.
    this.waiting.delete(whole);
    this.waiting.set(whole, { kind, build });
    this.wake?.();
  }

  /** All that waits, in the order in which it is to be sent; each as the field of AgentMessage that it is. */
  take(): object[] {
    const taken = [...this.waiting.values()].sort((a, b) => RANK[a.kind] - RANK[b.kind]);
    this.waiting.clear();
    return taken.flatMap(({ kind, build }) => {
      const message = build();
      return message ? [{ [kind]: message }] : [];
    });
  }

  /** Settles when something waits, or the signal is aborted. */
  async some(signal: AbortSignal): Promise<void> {
    while (this.waiting.size === 0 && !signal.aborted) {
      const { promise, resolve } = deferred();
      this.wake = resolve;
      signal.addEventListener('abort', resolve, { once: true });
      await promise;
      // The signal lives as long as the session: nothing may gather at it.
      signal.removeEventListener('abort', resolve);
      this.wake = undefined;
    }
  }

  /** A new session begins with everything anyway. */
  clear(): void {
    this.waiting.clear();
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
