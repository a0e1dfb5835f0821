/** Runs fuzz guests in child processes and judges how their VMs end. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fuzzImage, randomFrom } from './fuzz-image.mjs';

/** How long a stopped VM may take to end. */
/** Long enough for a machine that does much else: what hangs hangs longer. */
const STOP_MS = 15_000;
/** The machine may be busy: starting a process counts against nobody. */
const START_MS = 15000;

const runner = path.join(path.dirname(fileURLToPath(import.meta.url)), 'run-guest.mjs');

/** One guest; resolves to null or a description of what went wrong. */
export function fuzzOnce(seed, { runMs = 1500, mode } = {}) {
  const { bytes, kinds, ways } = fuzzImage(seed);
  const r = randomFrom(seed ^ 0x55aa);
  const engine = mode ?? (r.below(4) ? 'translate' : 'interpret');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'godwit-fuzz-'));
  const image = path.join(folder, 'image');
  writeFileSync(image, bytes);
  const order = { image, mode: engine, seconds: 3600, announce: true };
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [runner, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', err = '', stopped = 0, slow = false, timer;
    const stop = () => {
      stopped = Date.now();
      child.kill('SIGTERM');
      timer = setTimeout(() => {
        slow = true;
        child.kill('SIGKILL');
      }, STOP_MS);
    };
    timer = setTimeout(stop, START_MS);
    child.stderr.on('data', (data) => {
      err += data;
      if (!stopped && err.includes('started\n')) {
        clearTimeout(timer);
        timer = setTimeout(stop, runMs);
        err = err.replace('started\n', '');
      }
    });
    child.stdout.on('data', (data) => { out += data; });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      rmSync(folder, { recursive: true, force: true });
      let answer = null;
      try { answer = JSON.parse(out); } catch {}
      const dots = answer ? answer.serial.split('.').length - 1 : 0;
      const what = slow ? `did not stop within ${STOP_MS} ms` : code !== 0 || !answer ? `ended with code ${code}, signal ${signal}` : null;
      resolve({ seed, kinds, ways, engine, dots, outcome: answer?.outcome, stats: answer?.stats, failure: what && `${what}\n${err.slice(0, 3000)}` });
    });
  });
}

/** Runs seeds from `from` until `deadline`; resolves to the failures. */
export async function fuzzUntil(deadline, from, options, report = () => {}) {
  const failures = [];
  for (let seed = from; Date.now() < deadline; seed++) {
    const result = await fuzzOnce(seed, options);
    report(result);
    if (result.failure) failures.push(result);
  }
  return failures;
}
