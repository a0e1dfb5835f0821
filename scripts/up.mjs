/** npm run up: from a fresh checkout to a running guest. Arguments go to `godwit up`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './lib/run.mjs';
import { setUp } from './setup.mjs';

await setUp();
const main = join(root, 'packages/cli/dist/main.js');
// The terminal is the guest's console: godwit gets it as it is, Ctrl-C too.
process.on('SIGINT', () => {});
const child = spawn(process.execPath, [main, 'up', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 1 : (code ?? 1);
});
