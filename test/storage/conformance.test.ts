/**
 * Proves that a mounted folder and an NFS export through libnfs behave alike, as
 * datastores need it: exclusive creation and links, whole replacement, positional I/O on any
 * memory, guards, errors with codes. And that a server that hangs or restarts costs time, not data.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  clockMs,
  Datastore,
  Deadline,
  type FileSystem,
  LocalFileSystem,
  NfsFileSystem,
  replaceFile,
  type VmConfig,
  VmDirectory,
} from '@godwit/storage';
import { NfsServer } from '../support/nfs-server';

let server: NfsServer;
let local: string;
beforeAll(async () => {
  server = await NfsServer.start();
  local = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-local-'));
});
afterAll(async () => {
  await server.stop();
  fs.rmSync(local, { recursive: true });
});

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error) => error.code,
  );

describe.each(['local', 'nfs'])('%s', (kind) => {
  let files: FileSystem;
  let other: FileSystem;
  const connect = (): FileSystem => (kind === 'nfs' ? new NfsFileSystem(server.url) : new LocalFileSystem(local));
  beforeAll(() => {
    files = connect();
    other = connect();
  });
  afterAll(async () => {
    await files.close();
    await other.close();
  });

  test('a new file is made once, by whoever is first', async () => {
    const outcomes = await Promise.all(
      [files, other, files, other].map((one) => code(one.open('once', { write: true, create: 'new' }).then((file) => file.close()))),
    );
    expect(outcomes.sort()).toEqual(['EEXIST', 'EEXIST', 'EEXIST', 'done']);
    expect(await code(files.open('once', { create: 'if-missing', write: true }).then((file) => file.close()))).toBe('done');
    expect(await code(files.open('missing'))).toBe('ENOENT');
  });

  test('a link is made once', async () => {
    await replaceFile(files, 'one', 'one');
    const outcomes = await Promise.all([files, other, files].map((fs) => code(fs.link('one', 'linked'))));
    expect(outcomes.sort()).toEqual(['EEXIST', 'EEXIST', 'done']);
    expect(await files.stat('linked')).toMatchObject({ type: 'file', size: 3, links: 2, inode: (await files.stat('one')).inode });
  });

  test('what is written is read, at any position, in pieces, into shared memory', async () => {
    const data = randomBytes(5_000_003);
    const file = await files.open('data', { write: true, create: 'new' });
    await file.write([data.subarray(0, 7), data.subarray(7, 7), data.subarray(7, 4_100_000), data.subarray(4_100_000)], 513);
    await file.sync();
    expect(await file.size()).toBe(5_000_516);
    const back = new Uint8Array(new SharedArrayBuffer(5_000_003));
    expect(await file.read(back, 513)).toBe(data.length);
    expect(Buffer.compare(Buffer.from(back), data)).toBe(0);
    const parts = [new Uint8Array(3), new Uint8Array(0), new Uint8Array(2_000_000), new Uint8Array(50)];
    expect(await file.readParts(parts, 513 + 5_000_003 - 2_000_010)).toBe(2_000_010);
    expect(Buffer.concat(parts).subarray(0, 2_000_010).equals(data.subarray(-2_000_010))).toBe(true);
    // Beyond the end: less, then nothing. The hole in front is zeroes.
    expect(await file.read(new Uint8Array(100), 5_000_500)).toBe(16);
    expect(await file.read(new Uint8Array(100), 6_000_000)).toBe(0);
    const front = new Uint8Array(513).fill(9);
    expect([await file.read(front, 0), Math.max(...front)]).toEqual([513, 0]);
    await file.truncate(10);
    expect(await file.size()).toBe(10);
    await file.close();
    expect(await code(file.read(front, 0))).toBe('EINVAL');
  });

  test('many requests at once, each where it belongs', async () => {
    const file = await files.open('many', { write: true, create: 'new' });
    await Promise.all(Array.from({ length: 64 }, (_, index) => file.write([Buffer.alloc(4_096, index)], index * 4_096)));
    await Promise.all(
      Array.from({ length: 64 }, async (_, index) => {
        const block = Buffer.alloc(4_096);
        expect([await file.read(block, index * 4_096), block.every((byte) => byte === index)]).toEqual([4_096, true]);
      }),
    );
    await file.close();
  });

  test('a guard that has run out lets nothing be written', async () => {
    const deadline = new Deadline();
    const file = await files.open('guarded', { write: true, create: 'new', guard: deadline.guard });
    expect(await code(file.write([Buffer.from('no')], 0))).toBe('EFENCED');
    deadline.set(clockMs() + 60_000, clockMs() + 50_000);
    expect([deadline.mayRun(), await code(file.write([Buffer.from('yes')], 0))]).toEqual([true, 'done']);
    deadline.set(clockMs() - 1, clockMs() - 1);
    expect([deadline.mayWrite(), await code(file.write([Buffer.from('no')], 0))]).toEqual([false, 'EFENCED']);
    const read = Buffer.alloc(9);
    expect(read.toString('utf8', 0, await file.read(read, 0))).toBe('yes');
    await file.close();
  });

  test('replacement is whole: a reader sees the old or the new', async () => {
    await replaceFile(files, 'config', 'a'.repeat(4_000));
    let done = false;
    const reader = (async () => {
      const seen = new Set<string>();
      while (!done) seen.add((await other.readFresh('config', 8_000)).toString());
      return seen;
    })();
    for (let round = 0; round < 20; round++) await replaceFile(files, 'config', (round % 2 ? 'a' : 'b').repeat(4_000));
    done = true;
    for (const content of await reader) expect(content).toMatch(/^(a{4000}|b{4000})$/);
    expect((await files.list('')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('folders, names, errors', async () => {
    await files.makeFolder('folder');
    expect(await code(files.makeFolder('folder'))).toBe('EEXIST');
    await replaceFile(files, 'folder/x', 'x');
    expect([await files.list('folder'), await code(files.removeFolder('folder'))]).toEqual([['x'], 'ENOTEMPTY']);
    await files.rename('folder/x', 'y');
    await files.removeFolder('folder');
    expect([await code(files.list('folder')), await code(files.unlink('folder')), await code(files.stat('y/z'))]).toEqual([
      'ENOENT',
      'ENOENT',
      'ENOTDIR',
    ]);
    expect(await code(files.readFresh('data', 5))).toBe('EFBIG');
    for (const trick of ['../etc', 'a//b', './a', 'a/..', '/etc', 'a\0b'])
      expect(await code((async () => files.stat(trick))())).toBe('EINVAL');
    const { totalBytes, freeBytes } = await files.space();
    expect([totalBytes >= freeBytes, freeBytes > 0]).toEqual([true, true]);
  });

  describe('datastore', () => {
    const where = (): string => (kind === 'nfs' ? server.url : local);
    const config: VmConfig = {
      schema: 1,
      vmId: randomUUID(),
      name: 'web-1',
      memoryBytes: 64 << 20,
      disks: [{ file: 'root.img', bus: 'virtio', readOnly: false }],
      networks: [{ mac: '52:54:00:12:34:56', adapter: 'virtio', network: 'user' }],
      settings: {},
    };

    test('has one identity, however often and from wherever it is initialised', async () => {
      await expect(Datastore.open(where())).rejects.toThrow(/is no datastore/);
      const stores = await Promise.all([Datastore.init(where()), Datastore.init(where())]);
      expect(stores[0].id).toBe(stores[1].id);
      for (const store of stores) await store.close();
    });

    test('another path to it is the same store; a newer or damaged one is refused', async () => {
      const store = await Datastore.open(where());
      const seen = await Datastore.open(kind === 'nfs' ? server.folder : local);
      expect(seen.id).toBe(store.id);
      const identity = await store.files.readFresh('datastore.json', 1_000);
      await replaceFile(store.files, 'datastore.json', '{"format":2}');
      await expect(Datastore.open(where())).rejects.toThrow(/newer Godwit/);
      await replaceFile(store.files, 'datastore.json', '{"form');
      await expect(Datastore.open(where())).rejects.toThrow(/damaged/);
      await replaceFile(store.files, 'datastore.json', identity);
      await store.close();
    });

    test('VMs are created once, opened, changed, removed', async () => {
      const store = await Datastore.open(where());
      const created = await Promise.allSettled([VmDirectory.create(store, config), VmDirectory.create(store, config)]);
      expect(created.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
      const vm = await store.vm('web-1');
      expect([await vm.readConfig(), await store.vmNames()]).toEqual([config, ['web-1']]);
      await vm.writeConfig({ ...config, memoryBytes: 128 << 20 });
      expect((await vm.readConfig()).memoryBytes).toBe(128 << 20);
      const disk = await vm.openDisk('root.img', { write: true, create: 'new' });
      await disk.write([Buffer.from('x')], 0);
      await disk.close();
      await vm.remove();
      await expect(store.vm('web-1')).rejects.toThrow(/no VM named web-1/);
      expect(await store.vmNames()).toEqual([]);
      await expect(store.vm('../x')).rejects.toThrow(/no name/);
      await store.close();
    });
  });
});

test('a hole gives its space back', async () => {
  const files = new LocalFileSystem(local);
  const file = await files.open('hole', { write: true, create: 'new' });
  await file.write([Buffer.alloc(1 << 20, 1)], 0);
  await file.discard!(4_096, 1 << 19);
  const data = Buffer.alloc(1 << 20);
  await file.read(data, 0);
  expect([data[4_095], data[4_096], data[4_095 + (1 << 19)], data[4_096 + (1 << 19)]]).toEqual([1, 0, 0, 1]);
  expect(fs.statSync(path.join(local, 'hole')).blocks * 512).toBeLessThan(1 << 20);
  file.writeNow!([Buffer.from('now')], 0);
  file.syncNow!();
  expect([file.readNow!(data.subarray(0, 3), 0), data.toString('utf8', 0, 3)]).toEqual([3, 'now']);
  await file.close();
});

test('a full export says so, and what was there stays', async () => {
  const small = await NfsServer.start({ sizeBytes: 4 << 20 });
  const files = new NfsFileSystem(small.url);
  const file = await files.open('grows', { write: true, create: 'new' });
  await file.write([Buffer.alloc(1 << 20, 7)], 0);
  expect(await code(file.write([Buffer.alloc(8 << 20)], 1 << 20))).toBe('ENOSPC');
  expect(await code(file.write([Buffer.alloc(8 << 20)], 1 << 20))).toBe('ENOSPC');
  await file.truncate(1 << 20);
  expect(await code(file.write([Buffer.alloc(1 << 20)], 1 << 20))).toBe('done');
  const back = Buffer.alloc(1 << 20);
  expect([await file.read(back, 0), back.every((byte) => byte === 7)]).toEqual([1 << 20, true]);
  await file.close();
  await files.close();
  await small.stop();
});

test('a server that hangs: requests end in time; when it goes on, files are as they were', async () => {
  const files = new NfsFileSystem(server.url, { timeoutMs: 700 });
  const file = await files.open('hangs', { write: true, create: 'new' });
  await file.write([Buffer.from('before')], 0);
  await server.hang();
  const start = Date.now();
  expect(await code(file.write([Buffer.from('during')], 100))).toBe('ETIMEDOUT');
  expect(await code(file.size())).toBe('ETIMEDOUT');
  expect(Date.now() - start).toBeLessThan(4_000);
  server.goOn();
  const back = Buffer.alloc(6);
  expect([await file.read(back, 0), back.toString()]).toEqual([6, 'before']);
  await file.close();
  await files.close();
});

test('a server that is killed and started again: open files go on', async () => {
  const files = new NfsFileSystem(server.url, { timeoutMs: 5_000 });
  const file = await files.open('restart', { write: true, create: 'new' });
  await file.write([Buffer.from('kept')], 0);
  await server.kill();
  expect(await code(file.write([Buffer.from('lost')], 0))).toMatch(/ECONN/);
  await server.run();
  const back = Buffer.alloc(4);
  expect([await file.read(back, 0), back.toString()]).toEqual([4, 'kept']);
  await file.write([Buffer.from('more')], 0);
  fs.writeFileSync(path.join(server.folder, 'another'), 'another');
  // Replaced meanwhile by somebody else: not taken for the same file.
  await server.kill();
  fs.renameSync(path.join(server.folder, 'another'), path.join(server.folder, 'restart'));
  await server.run();
  const outcome = await code(file.write([Buffer.from('oops')], 0));
  expect(['ESTALE', 'ECONNRESET', 'ECONNREFUSED']).toContain(outcome);
  expect(await code(file.write([Buffer.from('oops')], 0))).toBe('ESTALE');
  await file.close();
  await files.close();
});

test('what is no NFS datastore is said clearly', async () => {
  expect(() => new NfsFileSystem('nfs://')).toThrow(/nfs:\/\/server\/export/);
  expect(() => new NfsFileSystem('nfs://host/x?version=4')).toThrow(/not understood/);
  expect(() => new NfsFileSystem(server.url, { library: 'libmissing.so.1' })).toThrow(/apt-get install libnfs13|another libnfs/);
  const nobody = new NfsFileSystem('nfs://127.0.0.1/x?nfsport=9&mountport=9', { timeoutMs: 2_000 });
  expect(await code(nobody.list(''))).toMatch(/ECONNREFUSED|ETIMEDOUT/);
  await nobody.close();
  await expect(Datastore.open(path.join(local, 'nowhere'))).rejects.toThrow(/no such folder; is it mounted/);
  await expect(Datastore.open('ftp://x/y')).rejects.toThrow(/a datastore is a folder/);
});
