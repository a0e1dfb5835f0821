/**
 * Proves, with three hosts and two controllers in network namespaces, real NFS and real NATS, eight VMs and a client for
 * each: what SPECIFICATION.md promises of a cluster when hosts are emptied, cut off, and when any process is killed.
 * One run of fleet.mjs; each test is a part of its report.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { SCENARIOS } from './scenarios.mjs';

interface Report {
  readonly scenarios: readonly { readonly name: string; readonly broken: readonly string[]; readonly figures: object }[];
  readonly broken: readonly string[];
  readonly history?: { readonly samples: number; readonly writes: number };
}
/** For all of it, on a slow machine under load. */
const LIMIT_MS = 25 * 60_000;
let folder: string;
let report: Report;
let ended: Promise<unknown>;
let stop = (): void => {};

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'godwit-fleet-'));
  const file = path.join(folder, 'report.json');
  const child = spawn(process.execPath, [path.join(__dirname, 'fleet.mjs'), '--json', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  stop = () => void child.kill('SIGKILL');
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  ended = new Promise((resolve) => child.once('exit', resolve));
  await ended;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    throw new Error(`the fleet left no report: ${said.slice(-4_000)}`);
  }
  if (report.broken.length > 0 || report.scenarios.some(({ broken }) => broken.length > 0)) console.log(said.slice(-20_000));
  else console.log(JSON.stringify(report, null, 1));
}, LIMIT_MS);
afterAll(async () => {
  stop();
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

test.each(SCENARIOS)('$name: $promise', ({ name }) => {
  expect(report.broken).toEqual([]);
  expect(report.scenarios.find((one) => one.name === name)).toMatchObject({ name, broken: [] });
});

test('over all of it no VM had two runners, no acknowledged write was lost, and every operation ended', () => {
  expect(report.broken).toEqual([]);
  // Enough was seen to judge by.
  expect(report.history!.samples).toBeGreaterThan(500);
  expect(report.history!.writes).toBeGreaterThan(500);
});
