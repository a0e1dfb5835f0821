/**
 * Requests to a guest's web server, several at a time, without end, and whether each body is
 * what the server has:   node web.mjs http://ADDRESS BUSYBOX
 * A line a request: ARRIVED_MS TOOK_MS ok|wrong|failed. (The guest serves the first KiB of its own busybox.)
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { nowMs } from './series.mjs';

const SIZES = [1, 16, 64];
const AT_A_TIME = 4;
const TIMEOUT_MS = 10_000;

/** The client as a child in another namespace; counts what it says. */
export class WebClient {
  /** [ms, requests answered so far] */
  points = [];
  tookMs = [];
  answered = 0;
  wrong = 0;
  failed = 0;
  constructor(space, address, busybox) {
    this.child = space.spawn(process.execPath, [fileURLToPath(import.meta.url), `http://${address}`, busybox], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
    let rest = '';
    this.child.stdout.setEncoding('latin1').on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) this.take(line.split(' '));
    });
  }

  take([arrived, took, how]) {
    if (how === 'ok') this.points.push([Number(arrived), ++this.answered]);
    else this[how]++;
    this.tookMs.push([Number(arrived), Number(took)]);
  }

  /** Until the server is busy. @throws Error */
  async busy(limitMs = 20_000) {
    for (const limit = nowMs() + limitMs; this.answered < 10; await sleep(20)) {
      if (nowMs() > limit) throw new Error(`the guest's web server answered ${this.answered} requests in ${limitMs} ms, ${this.failed} failed`);
    }
  }

  /** The longest that a request took which ended in that time. */
  longest(from, to) {
    return Math.max(0, ...this.tookMs.filter(([ms]) => ms >= from && ms <= to).map(([, took]) => took));
  }

  async stop() {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

async function client(base, file) {
  // Whoever listens has ended.
  process.stdout.on('error', () => process.exit(0));
  const whole = readFileSync(file);
  const wanted = Object.fromEntries(SIZES.map((size) => [size, whole.subarray(0, size * 1024)]));
  const one = (size) => new Promise((resolve) => {
    const request = http.get(`${base}/${size}`, { agent: false, timeout: TIMEOUT_MS }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part)).on('end', () => resolve(Buffer.concat(parts).equals(wanted[size]) ? 'ok' : 'wrong')).on('error', () => resolve('failed'));
    });
    request.on('timeout', () => request.destroy()).on('error', () => resolve('failed'));
  });
  const loop = async (from) => {
    for (let number = from; ; number++) {
      const began = nowMs();
      const how = await one(SIZES[number % SIZES.length]);
      process.stdout.write(`${nowMs()} ${nowMs() - began} ${how}\n`);
      if (how === 'failed') await sleep(50);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, (_, at) => loop(at)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await client(process.argv[2], process.argv[3]);
