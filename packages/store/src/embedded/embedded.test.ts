/**
 * Proves what only the file can break: it belongs to one process and is private, a damaged, foreign or newer one is
 * refused and left as it is, a migration is whole or not at all, backups are whole and restore with the old file
 * kept, a full disk loses nothing, and what was acknowledged survives kill -9.
 */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { StoreError } from '../errors';
import { getJson, putJson } from '../json';
import { bytes, contents } from '../testing/bench';
import { restoreBackup } from './backup';
import { openDatabase } from './database';
import { openEmbedded } from './open-embedded';
import { MIGRATIONS } from './schema';

const PACKAGE = path.resolve(__dirname, '../../dist/index.js');
let folder: string;
let file: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-embedded-'));
  file = path.join(folder, 'store.db');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const refused = async (what: Promise<unknown> | (() => unknown)): Promise<StoreError> => {
  const error = await (typeof what === 'function' ? Promise.resolve().then(what) : what).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).message).not.toContain('\n');
  return error as StoreError;
};

const program = (body: string): string => `
  const { openEmbedded, putJson, getJson, StoreError } = require(${JSON.stringify(PACKAGE)});
  const file = ${JSON.stringify(file)};
  (async () => { ${body} })().catch((error) => { console.log(JSON.stringify({ code: error.code, message: error.message })); process.exit(3); });`;

test('the file and all beside it are for their owner alone', async () => {
  fs.writeFileSync(file, '', { mode: 0o644 });
  const memory = await openEmbedded({ file });
  await memory.store.put('secret', bytes('1'));
  await memory.backup(path.join(folder, 'backup'));
  const modes = fs.readdirSync(folder).map((name) => [name, (fs.statSync(path.join(folder, name)).mode & 0o777).toString(8)]);
  expect(new Set(modes.map(([, mode]) => mode))).toEqual(new Set(['600']));
  expect(modes.length).toBeGreaterThanOrEqual(4);
  await memory.close();
});

test('a second process is refused by the name of the first, and let in after its death', async () => {
  const child = spawn(process.execPath, ['-e', program(`await openEmbedded({ file }); console.log('open'); setInterval(() => {}, 1000);`)]);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const error = await refused(openEmbedded({ file }));
  expect([error.code, error.message]).toEqual(['unavailable', expect.stringContaining(`in use by process ${child.pid} (`)]);
  expect((await refused(() => restoreBackup(file, file))).code).toBe('unavailable');
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  await (await openEmbedded({ file })).close();
});

test('the same process is refused as well', async () => {
  const memory = await openEmbedded({ file });
  expect((await refused(openEmbedded({ file }))).code).toBe('unavailable');
  await memory.store.put('still', bytes('works'));
  await memory.close();
});

test('a damaged file is refused, said what to do about, and not touched', async () => {
  const memory = await openEmbedded({ file });
  await Promise.all(Array.from({ length: 200 }, (_, index) => memory.store.put(`key/${index}`, new Uint8Array(500).fill(index))));
  await memory.close();
  const whole = fs.readFileSync(file);
  const damages: [string, Buffer][] = [
    ['pages overwritten', Buffer.concat([whole.subarray(0, 8_192), Buffer.alloc(16_384, 0xa5), whole.subarray(24_576)])],
    ['cut off', whole.subarray(0, whole.length - 20_000)],
    ['the head gone', Buffer.concat([Buffer.alloc(100), whole.subarray(100)])],
    ['something else', Buffer.from('this is not a database, but a letter to a friend'.repeat(200))],
  ];
  for (const [what, damaged] of damages) {
    fs.writeFileSync(file, damaged);
    const error = await refused(openEmbedded({ file }));
    expect([what, error.code]).toEqual([what, 'corrupt']);
    expect(error.message).toMatch(/nothing was changed: stop the controller and restore the newest backup/);
    expect(fs.readFileSync(file).equals(damaged)).toBe(true);
  }
});

test("another program's database and a newer version's are refused and not touched", async () => {
  const foreign = path.join(folder, 'foreign.db');
  const db = openDatabase(foreign);
  db.pragma('application_id = 1');
  db.close();
  expect((await refused(openEmbedded({ file: foreign }))).message).toMatch(/is a database, but not a Godwit store/);
  const newer = openDatabase(file, [...MIGRATIONS, 'CREATE TABLE later (x TEXT) STRICT']);
  newer.close();
  const before = fs.readFileSync(file);
  const error = await refused(openEmbedded({ file }));
  expect([error.code, error.message]).toEqual([
    'newer-schema',
    expect.stringContaining(`(schema ${MIGRATIONS.length + 1}, this one knows ${MIGRATIONS.length})`),
  ]);
  expect(fs.readFileSync(file).equals(before)).toBe(true);
});

test('a migration keeps what is stored; one that fails changes nothing', async () => {
  const memory = await openEmbedded({ file });
  await putJson(memory.store, 'kept', 1);
  await memory.close();
  const failing = [...MIGRATIONS, 'CREATE TABLE half (x TEXT) STRICT; CREATE TABLE changes (x TEXT) STRICT;'];
  expect(() => openDatabase(file, failing)).toThrow('already exists');
  await (await openEmbedded({ file })).close();
  const next = openDatabase(file, [...MIGRATIONS, `ALTER TABLE changes ADD COLUMN note TEXT; UPDATE changes SET note = 'was here'`]);
  expect(next.prepare('SELECT note FROM changes').pluck().get()).toBe('was here');
  next.close();
});

test('a backup made under writes is whole; restored, it replaces the file, keeps the old one, and no revision is used twice', async () => {
  const backup = path.join(folder, 'backup.db');
  const memory = await openEmbedded({ file });
  for (let index = 0; index < 300; index++) await putJson(memory.store, `k/${index}`, { index, filler: 'x'.repeat(2_000) });
  let writes = 0;
  const done = memory.backup(backup).then(() => true);
  while (!(await Promise.race([done, Promise.resolve(false)]))) {
    // Both or neither: pairs show a backup that mixes two moments.
    const value = ++writes;
    await Promise.all([putJson(memory.store, 'pair/a', value), putJson(memory.store, 'pair/b', value)]);
  }
  const last = await putJson(memory.store, 'after', 'the backup');
  await memory.events.publish({ kind: 'vm', id: 'a', data: 'after' });
  expect((await refused(() => restoreBackup(backup, file))).message).toMatch(/in use by process/);
  await memory.close();
  fs.writeFileSync(file, 'damaged beyond repair');
  const kept = restoreBackup(backup, file)!;
  expect(fs.readFileSync(kept, 'utf8')).toBe('damaged beyond repair');
  const again = await openEmbedded({ file });
  const found = await contents(again.store);
  expect(found.size).toBeGreaterThanOrEqual(300);
  expect(found.has('after')).toBe(false);
  expect(found.get('pair/a')).toBe(found.get('pair/b'));
  expect(await putJson(again.store, 'new', 1)).toBeGreaterThan(last + 1_000_000);
  const { value: first } = await again.store.watch('', { after: last })[Symbol.asyncIterator]().next();
  expect(first).toEqual({ type: 'reset' });
  await again.close();
  expect((await refused(() => restoreBackup(path.join(folder, 'none'), file))).code).toBe('not-found');
  const bad = path.join(folder, 'bad');
  fs.writeFileSync(bad, 'no backup'.repeat(1_000));
  expect((await refused(() => restoreBackup(bad, file))).message).toMatch(/was not restored: /);
  await (await openEmbedded({ file })).close();
});

test('what was acknowledged before kill -9 is there afterwards', async () => {
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [
      '-e',
      program(`const { store } = await openEmbedded({ file }); const old = await getJson(store, 'n');
               for (let n = (old?.value ?? 0) + 1; ; n++) { await putJson(store, 'n', n); await putJson(store, 'k/' + n, 'x'.repeat(3000)); process.stdout.write(n + '\\n'); }`),
    ]);
    let output = '';
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdout.on('data', (data) => {
      output += data;
      if (output.split('\n').length > 20 * (round + 1)) child.kill('SIGKILL');
    });
    await ended;
    const acknowledged = Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1));
    const memory = await openEmbedded({ file });
    expect(acknowledged).toBeGreaterThan(0);
    expect((await getJson<number>(memory.store, 'n'))!.value).toBeGreaterThanOrEqual(acknowledged);
    expect(await memory.store.get(`k/${acknowledged}`)).toBeDefined();
    await memory.close();
  }
});

test('a full disk is told, nothing is lost, and it goes on once there is room', () => {
  // A file system of its own, of 3 MB, in a mount namespace of its own.
  const script = `mount -t tmpfs -o size=3m,mode=0700 none ${folder} && exec ${process.execPath} -e "$PROGRAM"`;
  const body = `
    const fs = require('node:fs');
    const filler = ${JSON.stringify(path.join(folder, 'filler'))};
    const memory = await openEmbedded({ file });
    await putJson(memory.store, 'first', 'kept');
    fs.writeFileSync(filler, Buffer.alloc(1_700_000));
    const codes = {}; let stored = 0;
    for (let n = 0; n < 60 && !codes.full; n++) {
      try { await memory.store.put('big/' + n, new Uint8Array(60_000).fill(n + 1)); stored = n + 1; } catch (error) { codes[error.code] = error.message; }
    }
    // A write too large in the same turn must not fail the small one for good.
    const some = await Promise.allSettled([memory.store.put('big/x', new Uint8Array(200_000)), memory.events.publish({ kind: 'vm', id: 'a', data: 1 })]);
    const listed = (await memory.store.list('big/')).entries;
    const right = listed.every(({ key, value }) => value.length === 60_000 && value[0] === Number(key.slice(4)) + 1);
    const backup = await memory.backup(file + '.backup').catch((error) => error.code + ': ' + error.message);
    fs.rmSync(filler);
    await putJson(memory.store, 'last', 'works');
    await memory.close();
    const again = await openEmbedded({ file });
    console.log(JSON.stringify({ codes, stored, listed: listed.length, right, some: some[0].reason?.code, backup, files: fs.readdirSync(${JSON.stringify(folder)}),
      keys: (await again.store.list('')).entries.length, first: (await getJson(again.store, 'first')).value, last: (await getJson(again.store, 'last')).value }));
    await again.close();`;
  const { stdout, stderr, status } = spawnSync('unshare', ['-rm', '--propagation', 'private', 'sh', '-c', script], {
    encoding: 'utf8',
    env: { ...process.env, PROGRAM: program(body) },
  });
  expect([status, stderr, status === 0 || stdout]).toEqual([0, '', true]);
  const told = JSON.parse(stdout) as Record<string, unknown>;
  expect(told).toMatchObject({
    right: true,
    first: 'kept',
    last: 'works',
    some: 'full',
    backup: expect.stringMatching(/^full: the backup .* was not made: /),
  });
  expect((told.codes as Record<string, string>)['full']).toMatch(
    /^the disk of the store .* is full; nothing was lost or changed: make room there and try again$/,
  );
  expect(told.stored).toBeGreaterThan(2);
  expect(told.listed).toBe(told.stored);
  expect(told.keys).toBe((told.stored as number) + 2);
  expect((told.files as string[]).filter((name) => name.includes('part'))).toEqual([]);
});

test('a folder that is not there, or closed to this user, is told', async () => {
  expect((await refused(openEmbedded({ file: path.join(folder, 'none', 'store.db') }))).message).toMatch(
    /cannot be made .*; check its folder/,
  );
  await expect(openEmbedded({ file: 'relative.db' })).rejects.toThrow(RangeError);
});
