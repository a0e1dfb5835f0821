/** Drives the two sides of warm-side.mjs from a test. */
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assemble, guestFolder } from '../../engine/support/assemble.mjs';

const here = path.join(guestFolder, '..', '..', 'migration', 'support');
const STEP_LIMIT_MS = 60_000;
const FUNCTIONS = 4096;

export class Side {
  next = 1;
  waiting = new Map();
  /** `guest`: see warm-side.mjs; an image's file alone will do. */
  constructor(role, guest = {}) {
    const order = typeof guest === 'string' ? { image: guest } : guest;
    this.child = fork(path.join(here, 'warm-side.mjs'), [role, JSON.stringify(order)], { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) reject(new Error(`${role}: ${error}`));
      else resolve(result);
    });
    this.child.on('exit', (code, signal) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`${role} ended with ${code ?? signal}`));
    });
  }
  do(what, rest = {}) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to "${what}"`)), STEP_LIMIT_MS);
      const settled = (settle) => (value) => {
        clearTimeout(timer);
        settle(value);
      };
      this.waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.child.send({ id, do: what, ...rest });
    });
  }
  /** Until `holds(stats)`; rejects when it never does. */
  async until(what, holds, act = () => this.do('stats')) {
    const limit = Date.now() + STEP_LIMIT_MS;
    for (;;) {
      const now = await act();
      if (holds(now)) return now;
      if (Date.now() > limit) throw new Error(`${what} did not come: ${JSON.stringify(now)}`);
      await sleep(10);
    }
  }
  stop() {
    this.child.kill('SIGKILL');
  }
}

/** The guest of many-functions.s as a file; `rewrite`: passes between two pages of code that it changes, a power of two, or 0. */
export function guestImage(folder, rewrite) {
  const source = readFileSync(path.join(here, 'many-functions.s'), 'utf8');
  const file = path.join(folder, `guest-${rewrite}`);
  writeFileSync(file, assemble(`.set REWRITE, ${rewrite}\n.set REWRITE_LOG2, ${Math.log2(rewrite || 1)}\n${source}`));
  return file;
}

/**
 * Gives `act` a folder and a way to make sides; all are gone afterwards.
 * @param {(folder: string, side: (role: string, guest?: string | object) => Side) => Promise<unknown>} act
 */
export async function withSides(act) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'godwit-warm-'));
  const sides = [];
  try {
    return await act(folder, (role, guest) => {
      const side = new Side(role, guest);
      sides.push(side);
      return side;
    });
  } finally {
    for (const side of sides) side.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Boots the guest and lets it make its functions. */
export async function started(side) {
  await side.do('boot');
  await side.until('the guest\'s start', (text) => text.includes('started'), () => side.do('text'));
}

/** Nothing is left to be translated ahead for now: two looks in a row see the same. */
export async function untilWarm(side, atLeast = 1) {
  let last = -1;
  return side.until('warmth', ({ warm }) => {
    const same = warm.translated === last && warm.listed >= atLeast;
    last = warm.translated;
    return same;
  }, async () => {
    await sleep(100);
    return side.do('stats');
  });
}

/**
 * @param {Side} from @param {Side} to
 * @param {{ rounds?: number, list?: (hot: Uint8Array | null) => Uint8Array | Uint8Array[] | null, quietFrom?: number, settle?: boolean, sampleMs?: number }} how
 * Moves the guest: round 0, `rounds` further ones; `onRound(number, list)` gives the list of hot
 * blocks to be told of, or nothing. `quietFrom`: rounds from that one on are written without notice.
 */
export async function move(from, to, { rounds = 2, list = (hot) => hot, quietFrom = Infinity, settle = true, sampleMs } = {}) {
  await to.do('reserve');
  const carry = async (round) => to.do('take', { pages: await from.do('round', { first: round === 0 }), quiet: round >= quietFrom });
  await carry(0);
  const hot = list(await from.do('hotBlocks'));
  for (const each of hot === null ? [] : [hot].flat()) await to.do('warm', { list: each });
  for (let round = 1; round <= rounds; round++) {
    if (settle && hot !== null) await untilWarm(to);
    await carry(round);
  }
  if (settle && hot !== null) await untilWarm(to);
  await from.do('pause');
  await carry(rounds + 1);
  await to.do('restore', { state: await from.do('state') });
  const before = await to.do('stats');
  await to.do('start', { sampleMs });
  await from.do('discard');
  return before;
}

/** Lets the guest go on until it has called each function, and end; what it printed last, in words. */
export async function finish(side) {
  const first = await side.do('calls');
  await side.until('two more passes', (calls) => (calls - first) >>> 0 > 2 * FUNCTIONS, () => side.do('calls'));
  await side.do('input');
  const { outcome, stats, text } = await side.do('end');
  const line = /end (\w+) (\w+) (\w+)/.exec(text);
  if (!line) throw new Error(`the guest did not end as it should: ${JSON.stringify(outcome)} ${text}`);
  return { sum: line[1], stale: parseInt(line[2], 16), bad: parseInt(line[3], 16), stats, end: outcome.kind };
}
