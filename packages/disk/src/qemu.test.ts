/** Proves that QEMU and this package agree on qcow2 images, in both directions. */
import fs from 'node:fs';
import path from 'node:path';
import { checkImage, convertImage, createImage, imageInfo, openImage, resolveBackingName, type DiskImage, type ImageFormat } from './index';
import { inflateRaw, NodeFile } from './testing/node-file';
import { qemuCheck, qemuCompare, qemuImg, qemuIo, withFolder } from './testing/qemu';
import { Random } from './testing/random';

const openFile = (name: string, readOnly = false, format: ImageFormat = 'qcow2'): Promise<DiskImage> =>
  openImage(NodeFile.open(name, readOnly ? 'r' : 'r+'), { name, format, readOnly, inflateRaw }, async (backing, from) => {
    const full = resolveBackingName(backing, from);
    return { name: full, file: NodeFile.open(full, 'r') };
  });

const NOISE = Uint8Array.from({ length: 1 << 19 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
/** Bytes that differ from call to call. */
const noise = (random: Random, bytes: number): Uint8Array => {
  const start = random.below(NOISE.length - bytes);
  return NOISE.slice(start, start + bytes);
};

/** Random writes, zeroes and discards, on both alike. */
async function scribble(image: DiskImage, mirror: Uint8Array, random: Random, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const sectors = 1 + random.below(random.pick([2, 20, 300]));
    const first = random.below(image.sectors - sectors);
    const [from, to] = [first * 512, (first + sectors) * 512];
    if (random.chance(0.6)) {
      const data = noise(random, to - from);
      await image.write(from, [data]);
      mirror.set(data, from);
    } else if (random.chance(0.5)) {
      await image.writeZeroes(from, to - from, { unmap: random.chance(0.5) });
      mirror.fill(0, from, to);
    } else {
      await image.discard(from, to - from);
      await image.read(from, [mirror.subarray(from, to)]);
    }
  }
}

async function content(image: DiskImage): Promise<Uint8Array> {
  const bytes = new Uint8Array(image.bytes);
  // Both ways to read into several parts.
  const middle = 4096 * 77;
  await image.read(0, [bytes.subarray(0, 512), bytes.subarray(512, middle)]);
  image.immediate = false;
  await image.read(middle, [bytes.subarray(middle, -512), bytes.subarray(-512)]);
  image.immediate = true;
  return bytes;
}

function expectSame(a: Uint8Array, b: Uint8Array): void {
  expect(Buffer.compare(a, b)).toBe(0);
}

const BYTES = 3 * 1024 * 1024 + 512 * 3;

describe('QEMU reads what is written here', () => {
  test.each([
    [512, 3, 16],
    [4096, 2, 16],
    [65536, 3, 1],
    [65536, 3, 64],
    [2 * 1024 * 1024, 3, 16],
  ] as const)('clusters of %i bytes, version %i, refcounts of %i bits', (clusterBytes, version, refcountBits) =>
    withFolder(async (folder) => {
      const random = new Random(clusterBytes + version);
      const [base, over, raw] = ['base', 'over', 'raw'].map((name) => path.join(folder, name));
      const mirror = new Uint8Array(BYTES);
      const options = { format: 'qcow2', bytes: BYTES, clusterBytes, version, refcountBits } as const;
      await createImage(NodeFile.open(base, 'w+'), { name: base, ...options });
      const image = await openFile(base);
      await scribble(image, mirror, random, 25);
      await image.close();
      qemuCheck(base);
      fs.writeFileSync(raw, mirror);
      qemuCompare(base, 'qcow2', raw, 'raw');

      await createImage(NodeFile.open(over, 'w+'), { name: over, ...options, backing: { name: 'base', format: 'qcow2' } });
      const clone = await openFile(over);
      await scribble(clone, mirror, random, 25);
      await clone.close();
      qemuCheck(over);
      fs.writeFileSync(raw, mirror);
      qemuCompare(over, 'qcow2', raw, 'raw');

      const flat = path.join(folder, 'flat');
      await createImage(NodeFile.open(flat, 'w+'), { name: flat, ...options });
      const [source, target] = [await openFile(over, true), await openFile(flat)];
      await convertImage(source, target);
      await Promise.all([source.close(), target.close()]);
      qemuCheck(flat);
      qemuCompare(flat, 'qcow2', raw, 'raw');
    })(),
  );

  test(
    'a disk that has grown, in front of an image that is larger than it was',
    withFolder(async (folder) => {
      const [base, over] = ['base', 'over'].map((name) => path.join(folder, name));
      fs.writeFileSync(base, new Uint8Array(1024 * 1024).fill(0xaa));
      await createImage(NodeFile.open(over, 'w+'), {
        name: over,
        format: 'qcow2',
        bytes: 100 * 512,
        clusterBytes: 512,
        backing: { name: 'base', format: 'raw' },
      });
      const image = await openFile(over);
      await image.resize(2 * 1024 * 1024);
      await image.close();
      qemuCheck(over);
      const raw = path.join(folder, 'raw');
      const expected = new Uint8Array(2 * 1024 * 1024);
      fs.writeFileSync(raw, expected.fill(0xaa, 0, 100 * 512));
      expect(qemuCompare(over, 'qcow2', raw, 'raw')).toMatch(/identical/);
    }),
  );
});

describe('what QEMU wrote is read, changed, and sound afterwards', () => {
  test.each([
    'cluster_size=512',
    'cluster_size=2M',
    'compat=0.10',
    'cluster_size=4k,refcount_bits=1',
    'cluster_size=4k,lazy_refcounts=on',
    'preallocation=metadata',
  ])('-o %s', (options) =>
    withFolder(async (folder) => {
      const random = new Random(options.length);
      const [raw, image] = ['raw', 'image'].map((name) => path.join(folder, name));
      const mirror = new Uint8Array(BYTES);
      for (let i = 0; i < 30; i++) mirror.set(noise(random, 3000), random.below(BYTES - 3000));
      fs.writeFileSync(raw, mirror);
      for (const compress of options.startsWith('pre') ? [[]] : [[], ['-c']]) {
        qemuImg('convert', ...compress, '-f', 'raw', '-O', 'qcow2', '-o', options, raw, image);
        const before = await openFile(image, true);
        expectSame(await content(before), mirror);
        await before.close();
        const opened = await openFile(image);
        const changed = mirror.slice();
        await scribble(opened, changed, random, 20);
        expectSame(await content(opened), changed);
        await opened.close();
        qemuCheck(image);
        const mirrorFile = path.join(folder, 'mirror');
        fs.writeFileSync(mirrorFile, changed);
        qemuCompare(image, 'qcow2', mirrorFile, 'raw');
        expect(await checkImage(NodeFile.open(image), { name: image, format: 'qcow2' })).toMatchObject({
          leaks: 0,
          corruptions: 0,
          messages: [],
        });
      }
    })(),
  );

  test(
    'a chain of three with relative names',
    withFolder(async (folder) => {
      fs.mkdirSync(path.join(folder, 'bases'));
      const [raw, middle, top] = ['bases/raw', 'bases/middle', 'top'].map((name) => path.join(folder, name));
      const pattern = new Uint8Array(BYTES).map((_, i) => i >>> 7);
      fs.writeFileSync(raw, pattern);
      qemuImg('create', '-f', 'qcow2', '-o', 'backing_file=raw,backing_fmt=raw', middle);
      qemuIo(middle, 'write -P 0x11 4k 100k', 'write -z 300k 200k', 'discard 1M 512k');
      qemuImg('create', '-f', 'qcow2', '-o', 'backing_file=bases/middle,backing_fmt=qcow2,cluster_size=4k', top);
      qemuIo(top, 'write -P 0x22 50k 10k');
      const flat = path.join(folder, 'flat');
      qemuImg('convert', '-O', 'raw', top, flat);
      const image = await openFile(top, true);
      expectSame(await content(image), fs.readFileSync(flat));
      await image.close();
    }),
  );

  test(
    'the refcount table grows when the file does',
    withFolder(async (folder) => {
      const file = path.join(folder, 'image');
      qemuImg('create', '-f', 'qcow2', '-o', 'cluster_size=512', file, '20M');
      const image = await openFile(file);
      const piece = new Uint8Array(256 * 1024).fill(0x5a);
      for (let at = 0; at < 20 * 1024 * 1024; at += piece.length) await image.write(at, [piece]);
      await image.close();
      qemuCheck(file);
      expect(qemuIo(file, 'read -P 0x5a 0 20M')).not.toMatch(/failed/);
    }),
  );

  test(
    'refcounts that were put off when QEMU died are repaired on opening',
    withFolder(async (folder) => {
      const file = path.join(folder, 'image');
      qemuImg('create', '-f', 'qcow2', '-o', 'lazy_refcounts=on', file, '20M');
      qemuIo(file, 'write -P 0x33 1M 1M', 'flush', 'abort');
      expect(await imageInfo(NodeFile.open(file), file)).toMatchObject({ dirty: true });
      const image = await openFile(file);
      await image.write(5 * 1024 * 1024, [new Uint8Array(1024 * 1024).fill(0x44)]);
      await image.close();
      expect(await imageInfo(NodeFile.open(file), file)).toMatchObject({ dirty: false });
      qemuCheck(file);
      expect(qemuIo(file, 'read -P 0x33 1M 1M', 'read -P 0x44 5M 1M')).not.toMatch(/failed/);
    }),
  );

  test(
    'leaks and wrong counts are repaired so that QEMU agrees',
    withFolder(async (folder) => {
      const file = path.join(folder, 'image');
      qemuImg('create', '-f', 'qcow2', '-o', 'cluster_size=4k', file, '20M');
      qemuIo(file, 'write -P 0x33 1M 1M');
      const bytes = fs.readFileSync(file);
      const table = Number(bytes.readBigUInt64BE(48));
      const block = Number(bytes.readBigUInt64BE(table));
      for (let i = 20; i < 40; i++) bytes.writeUInt16BE(i % 3, block + i * 2);
      fs.writeFileSync(file, bytes);
      const report = await checkImage(NodeFile.open(file), { name: file, format: 'qcow2', repair: true });
      expect(report).toMatchObject({ repaired: true, leaks: 7, corruptions: 7, beyondRepair: 0 });
      qemuCheck(file);
      expect(qemuIo(file, 'read -P 0x33 1M 1M')).not.toMatch(/failed/);
    }),
  );
});

describe('what is not supported is refused by name', () => {
  test.each([
    ['extended_l2=on', /extended L2/],
    ['data_file=DATA', /external data file/],
    ['compression_type=zstd', /zstd/],
  ])('%s', (options, message) =>
    withFolder(async (folder) => {
      const file = path.join(folder, 'image');
      qemuImg('create', '-f', 'qcow2', '-o', options.replace('DATA', path.join(folder, 'data')), file, '1M');
      await expect(openFile(file)).rejects.toThrow(message);
    })(),
  );

  test(
    'internal snapshots: read, not written',
    withFolder(async (folder) => {
      const file = path.join(folder, 'image');
      qemuImg('create', '-f', 'qcow2', file, '1M');
      qemuIo(file, 'write -P 0x55 0 64k');
      qemuImg('snapshot', '-c', 'one', file);
      await expect(openFile(file)).rejects.toThrow(/snapshot/);
      const image = await openFile(file, true);
      expect((await content(image))[100]).toBe(0x55);
      await image.close();
    }),
  );

  test(
    'an image behind whose format is not given',
    withFolder(async (folder) => {
      const file = path.join(folder, 'image');
      qemuImg('create', '-f', 'raw', path.join(folder, 'base'), '1M');
      qemuImg('create', '-u', '-f', 'qcow2', '-b', 'base', '-F', 'raw', file, '1M');
      qemuImg('rebase', '-u', '-f', 'qcow2', '-b', 'base', '-F', 'vmdk', file);
      await expect(openFile(file)).rejects.toThrow(/vmdk/);
    }),
  );
});
