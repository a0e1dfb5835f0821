/** npm run bench: sets up, then measures. Arguments go to test/bench. */
import { join } from 'node:path';
import { root, runNode, step } from './lib/run.mjs';
import { setUp } from './setup.mjs';

await setUp({ tests: true });
await step('benchmarks', () => runNode(join(root, 'test/bench/bench.mjs'), process.argv.slice(2)));
