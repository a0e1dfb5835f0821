/**
 * Proves that a store's file which is not as it was written is never taken for one: cut off at any place, or with any
 * bit turned, it is refused in one line and not touched, or holds exactly what it held. A journal that is cut off or
 * damaged costs the last commits, each whole, and never mixes two. A file from before the checksums gets them.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { StoreError } from '../errors';
import { putJson } from '../json';
import { bytes } from '../testing/bench';
import { Random } from '../testing/random';
import { openDatabase } from './database';
import { openEmbedded } from './open-embedded';
import { MIGRATIONS } from './schema';

/** SQLite's page. A WAL's frame has its head of 24 bytes before it, the WAL one of 32. */
const PAGE = 4_096;
const FRAME = PAGE + 24;
const SEED = Number(process.env.GODWIT_SEED ?? 20_261);
const FLIPS = 250;
let folder: string;
let file: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-damage-'));
  file = path.join(folder, 'store.db');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

async function fill(): Promise<void> {
  const memory = await openEmbedded({ file });
  for (let index = 0; index < 40; index++) await putJson(memory.store, `vms/vm-${index}`, { index, text: `${index}`.repeat(80) });
  for (let index = 0; index < 10; index++) await putJson(memory.store, `vms/vm-${index}`, { index, again: true });
  for (let index = 30; index < 35; index++) await memory.store.delete(`vms/vm-${index}`);
  // Longer than a page: its tail lies on pages of its own.
  await memory.store.put('big', new Uint8Array(3 * PAGE).fill(7));
  for (let index = 0; index < 20; index++) await memory.events.publish({ kind: 'vm', id: `vm-${index}`, data: { text: 'started', index } });
  await memory.close();
}

/** All that the store says, or why it refuses: a line. */
async function told(): Promise<string> {
  let memory: Awaited<ReturnType<typeof openEmbedded>> | undefined;
  try {
    memory = await openEmbedded({ file });
    const { store, events } = memory;
    const { entries, revision } = await store.list('');
    const lines = entries.map(({ key, value, revision: at, timeMs }) => `${key} ${at} ${timeMs} ${Buffer.from(value).toString('base64')}`);
    const history = await Promise.all(Array.from({ length: 40 }, (_, index) => store.history(`vms/vm-${index}`)));
    return JSON.stringify([
      revision,
      lines,
      history.map((list) => list.map((one) => ({ ...one, value: undefined }))),
      await events.read({ limit: 100 }),
    ]);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    expect(error.message).not.toContain('\n');
    return `refused ${error.code}: ${error.message}`;
  } finally {
    await memory?.close();
  }
}

/** What became of this damage; `refused`, or the same as before. */
async function damaged(what: string, data: Buffer, sound: string): Promise<'refused' | 'same'> {
  for (const end of ['', '-wal', '-shm', '.owner']) fs.rmSync(file + end, { force: true });
  fs.writeFileSync(file, data, { mode: 0o600 });
  const now = await told();
  if (now === sound) return 'same';
  expect([what, now]).toEqual([what, expect.stringMatching(/^refused (corrupt|newer-schema): .*store\.db/)]);
  expect([what, fs.readFileSync(file).equals(data)]).toEqual([what, true]);
  return 'refused';
}

test('cut off at any place it is refused and left as it is', async () => {
  await fill();
  const sound = await told();
  const whole = fs.readFileSync(file);
  for (let length = 512; length < whole.length; length += 512)
    expect([length, await damaged(`cut at ${length}`, whole.subarray(0, length), sound)]).toEqual([length, 'refused']);
}, 60_000);

test(`with any bit turned (seed ${SEED}) it is refused, or says exactly what it said before`, async () => {
  await fill();
  const sound = await told();
  const whole = fs.readFileSync(file);
  const random = new Random(SEED);
  const outcomes = { refused: 0, same: 0 };
  for (let flip = 0; flip < FLIPS; flip++) {
    const [at, bit] = [Math.floor(random.next() * whole.length), Math.floor(random.next() * 8)];
    const data = Buffer.from(whole);
    data[at] ^= 1 << bit;
    outcomes[await damaged(`bit ${bit} of byte ${at}`, data, sound)]++;
  }
  // The rest is room that nothing is stored in.
  expect(outcomes.refused).toBeGreaterThan(FLIPS / 5);
}, 120_000);

test('each bit of the head is known by its place, or harmless', async () => {
  await fill();
  const sound = await told();
  const whole = fs.readFileSync(file);
  for (let bit = 0; bit < 800; bit++) {
    const data = Buffer.from(whole);
    data[bit >> 3] ^= 1 << (bit % 8);
    await damaged(`bit ${bit % 8} of byte ${bit >> 3}`, data, sound);
  }
}, 120_000);

test('a journal that is cut off or damaged costs its last commits, and each of the others is whole', async () => {
  const memory = await openEmbedded({ file });
  // Two keys in one turn are one commit: never the one without the other.
  for (let n = 1; n <= 30; n++) await Promise.all([putJson(memory.store, 'pair/a', n), putJson(memory.store, 'pair/b', n)]);
  const copy = path.join(folder, 'copy');
  fs.copyFileSync(file, `${copy}.db`);
  fs.copyFileSync(`${file}-wal`, `${copy}.wal`);
  await memory.close();
  const [main, wal] = [fs.readFileSync(`${copy}.db`), fs.readFileSync(`${copy}.wal`)];
  const frames = Math.floor((wal.length - 32) / FRAME);
  expect(frames).toBeGreaterThan(20);
  let newest = 0;
  for (let frame = 0; frame <= frames; frame++)
    for (const [length, flipped] of [
      [32 + frame * FRAME, false],
      [32 + frame * FRAME + 700, false],
      [wal.length, true],
    ] as const) {
      const journal = Buffer.from(wal.subarray(0, length));
      if (flipped && frame < frames) journal[32 + frame * FRAME + 900] ^= 4;
      fs.writeFileSync(file, main);
      fs.writeFileSync(`${file}-wal`, journal);
      const again = await openEmbedded({ file });
      const [a, b] = await Promise.all(['a', 'b'].map((one) => again.store.get(`pair/${one}`)));
      expect([frame, a && Buffer.from(a.value).toString()]).toEqual([frame, b && Buffer.from(b.value).toString()]);
      newest = Math.max(newest, Number(a ? Buffer.from(a.value).toString() : 0));
      await again.store.put('goes/on', bytes('1'));
      await again.close();
    }
  expect(newest).toBe(30);
}, 60_000);

test('a file from before the checksums keeps what it holds, and has them from then on', async () => {
  const old = openDatabase(file, MIGRATIONS.slice(0, 1));
  const insert = old.prepare('INSERT INTO changes (key, time_ms, latest, value) VALUES (?, ?, ?, ?)');
  insert.run('kept', 1, 1, Buffer.from('1'));
  insert.run('gone', 2, 1, null);
  old.prepare('INSERT INTO events (time_ms, kind, id, data) VALUES (?, ?, ?, ?)').run(3, 'vm', 'a', '"began"');
  old.close();
  const memory = await openEmbedded({ file });
  expect(await memory.store.get('kept')).toMatchObject({ key: 'kept', revision: 1, timeMs: 1 });
  expect(await memory.store.history('gone')).toMatchObject([{ type: 'delete' }]);
  expect(await memory.events.read({ limit: 1 })).toMatchObject([{ data: 'began' }]);
  await memory.close();
  const sound = await told();
  const whole = fs.readFileSync(file);
  const at = whole.lastIndexOf('"began"');
  const data = Buffer.from(whole);
  data[at + 1] ^= 1;
  expect(await damaged('an event', data, sound)).toBe('refused');
});
