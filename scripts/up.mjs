/** npm run up: from a fresh checkout to a cluster with a running guest. Arguments go to `godwit up`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './lib/run.mjs';
import { setUp } from './setup.mjs';

await setUp();
const main = join(root, 'packages/cli/dist/main.js');
const child = spawn(process.execPath, [main, 'up', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
// A Ctrl-C at the terminal reaches it by itself; told twice it does no more than once.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 1 : (code ?? 1);
});
