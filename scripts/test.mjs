/**
 * npm test: all there is to check, on a machine that may have nothing but Node,
 * python3, make and g++. Arguments go to jest: `npm test -- packages/isa`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { layers, lint, testTypes } from './lib/checks.mjs';
import { root, runNode, step, tool } from './lib/run.mjs';
import { setUp } from './setup.mjs';

/** jest's own summary goes to people; these are the numbers for the last line. */
const RESULTS = join(root, '.cache/test-results.json');

const jestArguments = process.argv.slice(2);

await setUp({ tests: true });
await step('lint', lint);
await step('layers', layers);
await step('types of the tests', testTypes);
await step('tests', () => runNode(tool.jest, ['--json', `--outputFile=${RESULTS}`, ...jestArguments]));

const results = JSON.parse(readFileSync(RESULTS, 'utf8'));
console.log(`${results.numPassedTests} passed, ${results.numFailedTests} failed, ${results.numPendingTests} skipped`);
