/**
 * The controller's simulation over many seeds, of small clusters (two to four hosts, where all goes wrong at once) or
 * of a given size:
 *
 *   npm run simulate -- [--schedules 10000] [--first SEED] [--hosts H --vms V]
 *
 * Ends with 1 and the story of the first broken rule; `--first SEED --schedules 1`, with the same size, plays it again.
 */
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const { simulate } = createRequire(import.meta.url)('../../packages/controller/dist/testing/world.js');
const { Core } = createRequire(import.meta.url)('../../packages/controller/dist/core/core.js');
const number = (name, text, least) => {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  console.error(`--${name} is to be a whole number from ${least} on, not '${text}'\nusage: npm run simulate -- [--schedules NUMBER] [--first SEED] [--hosts NUMBER --vms NUMBER]`);
  process.exit(2);
};
const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '10000' },
    first: { type: 'string', default: '1' },
    hosts: { type: 'string' },
    vms: { type: 'string' },
  },
});
const first = number('first', values.first, 0);
const schedules = number('schedules', values.schedules, 1);
const sized = values.hosts !== undefined || values.vms !== undefined;
const size = sized ? { hosts: number('hosts', values.hosts ?? 3, 2), vms: number('vms', values.vms ?? 8, 1) } : undefined;

const counts = {};
const start = Date.now();
for (let seed = first; seed < first + schedules; seed++) {
  const outcome = simulate(seed, Core, size);
  for (const [what, times] of Object.entries(outcome.counts)) counts[what] = (counts[what] ?? 0) + times;
  if (outcome.failure) {
    const { rule, line, story } = outcome.failure;
    console.log(story.join('\n'));
    console.error(`seed ${seed}${size ? `, ${size.hosts} hosts, ${size.vms} VMs` : ''}: rule ${rule} is broken: ${line}`);
    process.exit(1);
  }
}
const memory = Math.round(process.memoryUsage().rss / 2 ** 20);
console.log(`${schedules} schedules${size ? ` of ${size.hosts} hosts and ${size.vms} VMs` : ''} in ${((Date.now() - start) / 1000).toFixed(0)} s, no rule broken; ${memory} MiB`);
console.log(JSON.stringify(Object.fromEntries(Object.entries(counts).sort())));
