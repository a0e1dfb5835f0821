/**
 * npm run sanitize [-- TESTS]: the native layer under AddressSanitizer and
 * UndefinedBehaviorSanitizer, in the engine, boot and differential tests.
 *
 * Node itself is not instrumented, so the sanitizer's library must be there
 * before it. It is to leave the fault signals alone: they are the machine's page
 * faults, and V8's; what faults in our own code still ends the process.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root, runNode, step } from './lib/run.mjs';

const DEFAULT_TESTS = ['test/engine', 'test/boot', 'test/differential'];

await step('native layer with sanitizers', () => runNode(join(root, 'scripts/build-native.cjs'), ['metal', '--sanitize']));
const library = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
process.env.GODWIT_NATIVE = 'Debug';
process.env.LD_PRELOAD = library;
process.env.ASAN_OPTIONS = ['segv', 'sigbus', 'sigfpe', 'sigill']
  .map((signal) => `handle_${signal}=0`)
  .concat('allow_user_segv_handler=1', 'detect_stack_use_after_return=0', 'detect_leaks=0')
  .join(':');
const tests = process.argv.slice(2);
await step('tests', () => runNode(join(root, 'node_modules/jest/bin/jest.js'), tests.length > 0 ? tests : DEFAULT_TESTS));
