/**
 * Proves that the dirty log misses no write: a real kernel boots and works while
 * rounds of a few milliseconds follow each other, and what the log calls clean is
 * compared with a copy of memory. Writes by guest code, by the page walk, by
 * delivered interrupts, by devices and by the interpreter all pass through here.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { images, running } from '../boot/guest';

const runner = path.join(__dirname, 'support', 'dirty-log-run.mjs');
const script = [
  'i=0; while [ $i -lt 40 ]; do x=$(echo $i); i=$((i+1)); done',
  'seq 1 30000 > /tmp/a; sort -rn /tmp/a | sort -n | cmp - /tmp/a && gzip -c /tmp/a | gunzip -c | cmp - /tmp/a && echo all done',
].join('; ');

async function log(kernel: 'kernel686' | 'kernelPae', extra: object) {
  const files = await images();
  const order = { kernel: files[kernel], initrd: files.initrd, commandLine: running(script), mode: 'translate', roundMs: 25, seconds: 60, ...extra };
  const { stdout } = await promisify(execFile)(process.execPath, [runner, JSON.stringify(order)], { maxBuffer: 1 << 24, timeout: 120_000 });
  return JSON.parse(stdout) as { rounds: number; dirtyPages: number; lost: number[]; outcome: { kind: string }; serial: string };
}

test.each(['kernel686', 'kernelPae'] as const)('%s', async (kernel) => {
  const { rounds, dirtyPages, lost, outcome, serial } = await log(kernel, {});
  expect(serial).toContain('all done');
  expect(outcome.kind).toBe('power-off');
  expect(lost).toEqual([]);
  expect(rounds).toBeGreaterThan(20);
  expect(dirtyPages).toBeGreaterThan(1000);
});

test('logging that ends and begins again', async () => {
  const { lost, serial } = await log('kernel686', { stopLogEvery: 7 });
  expect(serial).toContain('all done');
  expect(lost).toEqual([]);
});

test('the interpreter alone', async () => {
  const { rounds, lost } = await log('kernel686', { mode: 'interpret', seconds: 12 });
  expect(rounds).toBeGreaterThan(20);
  expect(lost).toEqual([]);
});
