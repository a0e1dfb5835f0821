/**
 * Proves, for half a minute's worth of fixed seeds, that hostile guests cannot
 * crash the VMM, make it throw, or keep it from stopping within two seconds.
 * `node test/engine/fuzz.mjs --minutes N` does the same at length.
 */
import { fuzzUntil } from './support/fuzz-run.mjs';

const RUN_MS = 20_000;

test('hostile guests are contained', async () => {
  const failures = await fuzzUntil(Date.now() + RUN_MS, 1, { runMs: 800 });
  expect(failures.map(({ seed, engine, failure }) => `seed ${seed} ${engine}: ${failure}`)).toEqual([]);
}, RUN_MS + 60_000);
