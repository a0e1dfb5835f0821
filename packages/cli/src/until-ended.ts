/** A service's main: what was begun runs until it is told to end (SIGTERM, SIGINT) or cannot go on. */

/** @param fails resolves with the reason why it cannot go on. @throws what it resolves with, after `stop` */
export async function untilEnded(stop: () => Promise<void>, fails: Promise<Error> = new Promise(() => {})): Promise<void> {
  const signal = new Promise<undefined>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(undefined));
  });
  // Nothing else may keep the process: a service that has no connection yet has only timers that do not.
  const held = setInterval(() => {}, 2 ** 30);
  const error = await Promise.race([signal, fails]);
  clearInterval(held);
  await stop();
  if (error) throw error;
}
