/** Waits for `work`, but no longer than until `signal` is aborted: then undefined. Unlike Promise.race on one long-lived promise, it leaves nothing behind. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', stop);
      act();
    };
    work.then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });
}
