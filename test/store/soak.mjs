/**
 * The election's simulation over many seeds: node test/store/soak.mjs [--seeds 100000] [--first 1]
 * Ends with 1 and the story of the first broken rule; `--first SEED --seeds 1` plays it again.
 */
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const { simulate } = createRequire(import.meta.url)('../../packages/store/dist/testing/election-simulation.js');
const { values } = parseArgs({ options: { seeds: { type: 'string', default: '100000' }, first: { type: 'string', default: '1' } } });
const first = Number(values.first);
const seeds = Number(values.seeds);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(seeds) || seeds < 1) {
  console.error('usage: node test/store/soak.mjs [--seeds NUMBER] [--first SEED]');
  process.exit(2);
}

const counts = {};
const start = Date.now();
for (let seed = first; seed < first + seeds; seed++) {
  const outcome = simulate(seed);
  for (const [what, times] of Object.entries(outcome.counts)) counts[what] = (counts[what] ?? 0) + times;
  if (outcome.failure) {
    console.log(outcome.failure.story.join('\n'));
    console.error(`seed ${seed}: rule ${outcome.failure.rule} is broken`);
    process.exit(1);
  }
}
console.log(`${seeds} schedules in ${((Date.now() - start) / 1000).toFixed(0)} s, no rule broken: ${JSON.stringify(counts)}`);
