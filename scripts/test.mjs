/**
 * npm test: all there is to check, on a machine that may have nothing but Node,
 * python3, make and g++. Arguments go to jest: `npm test -- packages/isa`.
 */
import { layers, lint, testTypes } from './lib/checks.mjs';
import { runNode, step, tool } from './lib/run.mjs';
import { setUp } from './setup.mjs';

const jestArguments = process.argv.slice(2);

await setUp({ tests: true });
await step('lint', lint);
await step('layers', layers);
await step('types of the tests', testTypes);
await step('tests', () => runNode(tool.jest, jestArguments));
