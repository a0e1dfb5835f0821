/**
 * The pause as somebody else on the network sees it: probe.c in a network namespace of its own
 * sends an ICMP echo each millisecond; the longest time between two answers is the gap.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { nowMs } from './series.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const INTERVAL_US = 1000;

/** A C program below `folder`, built once for each of its versions. */
export function buildTool(folder, name, sources, flags = []) {
  const hash = createHash('sha256').update(JSON.stringify(flags));
  for (const source of sources) hash.update(readFileSync(source));
  const file = path.join(folder, `${name}-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const partial = `${file}.partial-${process.pid}`;
  execFileSync('gcc', ['-O2', '-Wall', '-Wextra', ...flags, '-o', partial, ...sources.filter((source) => source.endsWith('.c'))], { stdio: 'inherit' });
  renameSync(partial, file);
  return file;
}

export class Probe {
  /** Arrivals of answers, milliseconds, rising. */
  times = [];
  /** Round trips of the same answers, milliseconds. */
  trips = [];
  /** @param space where it runs (test/support/hosts.mjs); `folder`: where the program is built */
  constructor(space, address, folder) {
    const program = buildTool(folder, 'probe', [path.join(here, 'probe.c')]);
    this.child = space.spawn(program, [address, String(INTERVAL_US)], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
    let rest = '';
    this.child.stdout.setEncoding('latin1').on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const [, sent, arrived] = line.split(' ').map(Number);
        this.times.push(arrived / 1e6);
        this.trips.push((arrived - sent) / 1e6);
      }
    });
  }

  /** Until answers come. @throws Error */
  async ready(limitMs = 10_000) {
    for (const limit = nowMs() + limitMs; this.times.length < 20; await new Promise((resolve) => setTimeout(resolve, 20))) {
      if (nowMs() > limit) throw new Error('the guest answers no echoes');
    }
  }

  /** Drops what is older: one probe watches many moves. */
  forget(before) {
    const kept = this.times.findIndex((at) => at >= before);
    const from = kept < 0 ? this.times.length : kept;
    this.times = this.times.slice(from);
    this.trips = this.trips.slice(from);
  }

  /** Sends nothing until `go`: a guest that is not being measured has no work, and takes no CPU from one that is. */
  rest() {
    this.child.kill('SIGSTOP');
  }
  go() {
    this.child.kill('SIGCONT');
  }

  async stop() {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
