/**
 * Fuzzes the engine: random, hostile guests, each in a process of its own. The
 * guest may end as it likes; its VM must not crash, throw, or outlive a request
 * to stop (SIGTERM) by more than two seconds.
 *
 *   node test/engine/fuzz.mjs --minutes 10 [--from SEED] [--mode translate|interpret]
 *   node test/engine/fuzz.mjs --seed 4711            one seed again
 *
 * A failure prints its seed; the rest of a run goes on. Exit code 1: some failed.
 */
import { parseArgs } from 'node:util';
import { fuzzOnce, fuzzUntil } from './support/fuzz-run.mjs';

function print({ seed, kinds, ways, engine, dots, outcome, failure }) {
  console.log(`seed ${seed} ${engine} ${kinds.join('+')} ways ${ways.toString(16)}: ${outcome ? `${outcome.kind}, ${dots * 256} snippets` : 'no answer'}${failure ? `\nFAILED ${failure}` : ''}`);
}

const { values } = parseArgs({ options: { minutes: { type: 'string' }, from: { type: 'string' }, seed: { type: 'string' }, mode: { type: 'string' }, ms: { type: 'string' } } });
const options = { mode: values.mode, runMs: values.ms ? Number(values.ms) : undefined };
let failures;
if (values.seed !== undefined) {
  const result = await fuzzOnce(Number(values.seed), options);
  print(result);
  failures = result.failure ? [result] : [];
} else {
  const from = values.from !== undefined ? Number(values.from) : Date.now() % 1_000_000;
  failures = await fuzzUntil(Date.now() + Number(values.minutes ?? 0.5) * 60_000, from, options, print);
  console.log(`${failures.length} failed${failures.map((f) => `\n  node test/engine/fuzz.mjs --seed ${f.seed} --mode ${f.engine}`).join('')}`);
}
process.exitCode = failures.length ? 1 : 0;
