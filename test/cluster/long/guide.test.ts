/** Proves that deploy/README.md tells the truth: its commands, done in its order on five machines in namespaces, make a cluster. */
import { spawn } from 'node:child_process';
import path from 'node:path';

const LIMIT_MS = 10 * 60_000;

test(
  'the commands of the guide make a cluster with NATS and two controllers, whose VM moves, and none of whose services is root',
  async () => {
    const child = spawn(process.execPath, [path.join(__dirname, 'guide.mjs')], { stdio: ['ignore', 'ignore', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS - 10_000);
    let said = '';
    child.stderr.on('data', (data) => (said += data));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    clearTimeout(timer);
    if (code !== 0) console.log(said.slice(-20_000));
    expect([code, said.trimEnd().split('\n').at(-1)]).toEqual([0, 'the guide works']);
  },
  LIMIT_MS,
);
