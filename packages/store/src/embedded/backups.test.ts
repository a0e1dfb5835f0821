/** Proves that a store keeps backups of itself, as many as it should, that each can be restored, and that a failure is told. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getJson, putJson } from '../json';
import { restoreBackup } from './backup';
import { keepBackups, listBackups } from './backups';
import { type EmbeddedMemory, openEmbedded } from './open-embedded';

let folder: string;
let file: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-backups-'));
  file = path.join(folder, 'store.db');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

async function until(holds: () => boolean): Promise<void> {
  for (const limit = Date.now() + 20_000; !holds(); await sleep(5))
    if (Date.now() > limit) throw new Error('what was waited for did not come');
}

test('the newest stay, and the last, made at the end, restores what was there', async () => {
  const memory = await openEmbedded({ file });
  await putJson(memory.store, 'n', 1);
  // Another file of that folder is none of them.
  fs.writeFileSync(`${file}.backup-of-mine`, '');
  const seen = new Set<string>();
  const end = keepBackups(memory, file, { everyMs: 20, keep: 3 }, (line) => expect(line).toBe('none'));
  await until(() => {
    for (const one of listBackups(file)) seen.add(one);
    return seen.size >= 5;
  });
  await putJson(memory.store, 'n', 2);
  await end();
  await memory.close();
  const [newest, ...others] = listBackups(file);
  expect(others).toHaveLength(2);
  expect(newest > others[0]).toBe(true);
  expect(fs.existsSync(`${file}.backup-of-mine`)).toBe(true);
  fs.writeFileSync(file, 'damaged');
  restoreBackup(newest, file);
  const again = await openEmbedded({ file });
  expect(await getJson(again.store, 'n')).toMatchObject({ value: 2 });
  await again.close();
});

test('one that was made lately is enough for a while, also after a restart; the last is made at the end', async () => {
  const memory = await openEmbedded({ file });
  const made: string[] = [];
  const counted: EmbeddedMemory = { ...memory, backup: (target) => memory.backup(target).then(() => void made.push(target)) };
  const end = keepBackups(counted, file, { everyMs: 3_600_000, keep: 3 }, fail);
  await until(() => made.length === 1);
  await end();
  expect(made).toHaveLength(2);
  const endAgain = keepBackups(counted, file, { everyMs: 3_600_000, keep: 3 }, fail);
  await sleep(50);
  expect(made).toHaveLength(2);
  await endAgain();
  await memory.close();
});

test('one that cannot be made is told, and tried again', async () => {
  const memory = await openEmbedded({ file });
  let tries = 0;
  const failing: EmbeddedMemory = {
    ...memory,
    backup: (target) => (++tries < 3 ? Promise.reject(new Error('no room')) : memory.backup(target)),
  };
  const told: string[] = [];
  const end = keepBackups(failing, file, { everyMs: 10, keep: 1 }, (line) => told.push(line));
  await until(() => listBackups(file).length === 1);
  await end();
  await memory.close();
  expect(told.slice(0, 2)).toEqual(['no room', 'no room']);
});

function fail(line: string): never {
  throw new Error(line);
}
