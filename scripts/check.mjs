/** npm run lint, npm run layers, npm run typecheck: one check by itself. */
import * as checks from './lib/checks.mjs';
import { step } from './lib/run.mjs';

for (const name of process.argv.slice(2)) await step(name, checks[name]);
