/**
 * Proves that a file made by an enemy is refused, or read as damaged, in one
 * clear line, and never crashes, hangs, takes memory without bound, or gets
 * the guest's data into the image's own tables.
 */
import { checkImage, createImage, ImageFormatError, imageInfo, openImage, resolveBackingName } from './index';
import { inflateRaw } from './testing/node-file';
import { MemoryFile } from './testing/memory-file';
import { Random } from './testing/random';
import { tagged } from './testing/tagged-disk';

const name = 'evil';
const format = 'qcow2';
const CLUSTER = 512;

/** A small image with everything in it: data, zeroes, several L2 tables. */
async function sound(version: 2 | 3 = 3): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, { name, format, bytes: 300 * 512, clusterBytes: CLUSTER, version });
  const image = await openImage(file, { name, format });
  for (let i = 0; i < 300; i += 7) await image.write(i * 512, [tagged(i + 1, 2)]);
  await image.writeZeroes(20 * 512, 20 * 512);
  await image.close();
  return file.content();
}

/** Opens, reads all, writes, checks, repairs: only expected errors may come up. */
async function exercise(content: Uint8Array): Promise<void> {
  const guarded = async (act: () => Promise<unknown>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof ImageFormatError)) throw error;
      expect(error.message).toContain(name);
      expect(error.message).not.toContain('\n');
    }
  };
  await guarded(() => imageInfo(new MemoryFile(content.slice()), name));
  for (const readOnly of [true, false]) {
    await guarded(async () => {
      const file = new MemoryFile(content.slice());
      const image = await openImage(file, { name, format, readOnly, inflateRaw });
      const bytes = new Uint8Array(4096);
      for (let at = 0; at < Math.min(image.bytes, 1 << 18); at += 2048) {
        const part = bytes.subarray(0, Math.min(2048, image.bytes - at));
        await guarded(async () => image.read(at, [part]));
        if (!readOnly) await guarded(async () => image.write(at, [part.subarray(0, 512)]));
        if (!readOnly && at % 8192 === 0) await guarded(async () => image.discard(at, part.length));
      }
      await guarded(() => image.close());
    });
  }
  for (const repair of [false, true]) await guarded(() => checkImage(new MemoryFile(content.slice()), { name, format, repair }));
}

const INTERESTING = [0, 1, 7, 0x7f, 0xff, 0x200, 0x600, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

test.each([1, 2, 3])('damaged headers and tables, seed %i', async (seed) => {
  const random = new Random(seed);
  const good = await sound(seed === 2 ? 2 : 3);
  for (let i = 0; i < 150; i++) {
    const content = good.slice();
    const view = new DataView(content.buffer);
    for (let j = 1 + random.below(3); j > 0; j--) {
      const at = random.chance(0.6) ? random.below(26) * 4 : random.below(content.length / 4) * 4;
      if (at !== 0) view.setUint32(at, random.chance(0.7) ? random.pick(INTERESTING) : random.below(2 ** 32));
    }
    await exercise(random.chance(0.1) ? content.subarray(0, random.below(content.length)) : content);
  }
});

const be64 = (view: DataView, at: number, value: number): void => view.setBigUint64(at, BigInt(value));

describe('refused on opening', () => {
  test.each<[string, RegExp, (view: DataView) => void]>([
    ['no magic', /is it raw/, (view) => view.setUint32(0, 0)],
    ['version 4', /version 4/, (view) => view.setUint32(4, 4)],
    ['clusters of 2^31', /sound/, (view) => view.setUint32(20, 31)],
    ['encryption', /encrypted/, (view) => view.setUint32(32, 1)],
    ['a huge L1 table', /L1 table of/, (view) => view.setUint32(36, 0xffffffff)],
    ['too small an L1 table', /too few/, (view) => view.setUint32(36, 1)],
    ['an L1 table at no cluster', /L1 table at/, (view) => be64(view, 40, 513)],
    ['a huge refcount table', /refcount table of/, (view) => view.setUint32(56, 0x100000)],
    ['a huge disk', /a disk of/, (view) => be64(view, 24, 2 ** 60)],
    ['an unknown feature', /unknown feature 40/, (view) => view.setUint32(72, 0x100)],
    ['wide refcounts', /refcounts of/, (view) => view.setUint32(96, 7)],
    ['a long header', /a header of/, (view) => view.setUint32(100, 0x10000)],
    ['a long name behind', /name/, (view) => (be64(view, 8, 200), view.setUint32(16, 1024))],
    ['a long extension', /extension of/, (view) => (view.setUint32(104, 5), view.setUint32(108, 0xffffffff))],
    ['a corrupt image', /marked as corrupt/, (view) => view.setUint32(76, 2)],
    ['the L1 table on the refcount table', /damaged/, (view) => be64(view, 40, Number(view.getBigUint64(48)))],
  ])('%s', async (_, message, damage) => {
    const content = await sound();
    damage(new DataView(content.buffer));
    const opening = openImage(new MemoryFile(content), { name, format });
    await expect(opening).rejects.toBeInstanceOf(ImageFormatError);
    await expect(opening).rejects.toThrow(message);
  });
});

test('a guest cannot write through an entry that points to the header or a table', async () => {
  const content = await sound();
  const view = new DataView(content.buffer);
  const l1 = Number(view.getBigUint64(40));
  const l2 = Number(view.getBigUint64(l1) & 0xffffffffffff00n);
  for (const target of [0x200, l1, l2, Number(view.getBigUint64(48))]) {
    view.setBigUint64(l2, BigInt(target) | (1n << 63n));
    const file = new MemoryFile(content.slice());
    const image = await openImage(file, { name, format });
    for (const act of [() => image.write(0, [tagged(9, 1)]), () => image.discard(0, 512), () => image.writeZeroes(0, 512)]) {
      expect(act).toThrow(ImageFormatError);
    }
    await image.close();
    expect(file.content().subarray(0, l2)).toEqual(content.subarray(0, l2));
  }
});

test('free clusters that are tables are not handed out', async () => {
  const content = await sound();
  const view = new DataView(content.buffer);
  const block = Number(view.getBigUint64(Number(view.getBigUint64(48))));
  for (let i = 0; i < 4; i++) view.setUint16(block + i * 2, 0);
  const image = await openImage(new MemoryFile(content), { name, format });
  expect(() => image.write(4 * 512, [tagged(9, 1)])).toThrow(/counts as free and holds a table/);
});

describe('backing files', () => {
  const over = async (backing: string, behind: 'raw' | 'qcow2' = 'qcow2'): Promise<Uint8Array> => {
    const file = new MemoryFile();
    await createImage(file, { name, format, bytes: 1 << 20, backing: { name: backing, format: behind } });
    return file.content();
  };

  test('a loop ends in an error, and what was opened is closed', async () => {
    const files = new Map([
      ['a', await over('b')],
      ['b', await over('a')],
    ]);
    const opened: MemoryFile[] = [];
    const opening = openImage(new MemoryFile(files.get('a')), { name: 'a', format }, async (behind) => {
      const file = new MemoryFile(files.get(behind));
      opened.push(file);
      return { name: behind, file };
    });
    await expect(opening).rejects.toThrow(/which lies over/);
    expect(opened.map((file) => file.closed)).toEqual([true, true]);
  });

  test('a chain without end is cut off', async () => {
    let depth = 0;
    const opening = openImage(new MemoryFile(await over('x')), { name, format }, async () => ({
      name: `x${++depth}`,
      file: new MemoryFile(await over('x')),
    }));
    await expect(opening).rejects.toThrow(/more than 31/);
    expect(depth).toBe(31);
  });

  test.each(['nbd:host:1', 'json:{}', 'http://host/disk'])('%s is no file', async (backing) => {
    await expect(over(backing)).rejects.toThrow(/not a file's name/);
  });

  test.each([
    ['base', '/vms/a/disk', '/vms/a/base'],
    ['../b/./base', '/vms/a/disk', '/vms/b/base'],
    ['/x/../../etc/base', '/vms/a/disk', '/etc/base'],
    ['../base', 'disk', '../base'],
    ['../../base', 'a/disk', '../base'],
  ])('%s from %s is %s', (backing, from, path) => expect(resolveBackingName(backing, from)).toBe(path));
});
