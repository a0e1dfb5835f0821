/**
 * Proves that storage which fails at any one operation makes the request fail
 * with that code and nothing else: the disk still shows what it may, the same
 * request succeeds later, and the image checks clean.
 */
import { checkImage, createImage, openImage, type DiskImage } from './index';
import { MemoryFile, type Operation } from './testing/memory-file';
import { Random } from './testing/random';
import { tagged, tagsOf } from './testing/tagged-disk';

const name = 'top';
const SECTORS = 400;

type Request = (image: DiskImage) => Promise<void> | undefined;

/** Allocation, writes in place, copies of old data, zeroes, removal, reuse, growth; the model is what the last one wrote. */
const requests: { readonly act: Request; readonly first: number; readonly count: number; readonly tag: number }[] = [
  { act: (image) => image.write(10 * 512, [tagged(1, 30)]), first: 10, count: 30, tag: 1 },
  { act: (image) => image.write(15 * 512, [tagged(2, 10)]), first: 15, count: 10, tag: 2 },
  { act: (image) => image.flush(), first: 0, count: 0, tag: 0 },
  { act: (image) => image.writeZeroes(8 * 512, 16 * 512), first: 8, count: 16, tag: 0 },
  { act: (image) => image.write(12 * 512, [tagged(3, 5)], { fua: true }), first: 12, count: 5, tag: 3 },
  { act: (image) => image.writeZeroes(24 * 512, 16 * 512, { unmap: true }), first: 24, count: 16, tag: 0 },
  { act: (image) => image.flush(), first: 0, count: 0, tag: 0 },
  { act: (image) => image.write(30 * 512, [tagged(4, 370)]), first: 30, count: 370, tag: 4 },
  { act: (image) => image.discard(100 * 512, 100 * 512), first: 104, count: 96, tag: 0 },
  { act: (image) => image.flush(), first: 0, count: 0, tag: 0 },
  { act: (image) => image.write(90 * 512, [tagged(5, 300)]), first: 90, count: 300, tag: 5 },
];

async function base(): Promise<Uint8Array> {
  const made = new MemoryFile();
  await createImage(made, { name, format: 'qcow2', bytes: SECTORS * 512, clusterBytes: 4096, backing: { name: 'base', format: 'raw' } });
  return made.content();
}

async function open(file: MemoryFile): Promise<DiskImage> {
  const behind = new MemoryFile(tagged(99, SECTORS), { noDiscard: true });
  return openImage(file, { name, format: 'qcow2', cacheBytes: 1 }, async () => ({ name: 'base', file: behind }));
}

/** Runs all requests, each until it succeeds, with one failure somewhere. Gives the codes that came up; undefined: the operation was not reached. */
async function withFailure(
  kind: Operation,
  at: number,
  code: string,
  later: Random | undefined,
  made: Uint8Array,
): Promise<string[] | undefined> {
  let armed = false;
  let left = at;
  const file = new MemoryFile(made, {
    later,
    durable: true,
    fail: (operation) => (armed && operation === kind && --left === 0 ? code : undefined),
  });
  const image = await open(file);
  armed = true;
  const codes: string[] = [];
  const model: number[] = new Array(SECTORS).fill(99);
  for (const { act, first, count, tag } of requests) {
    try {
      await act(image);
    } catch (error) {
      codes.push((error as { code: string }).code);
      const found = await tagsNow(image);
      found.forEach((is, i) => {
        if (is !== model[i] && !(is === tag && i >= first && i < first + count)) throw new Error(`sector ${i} holds ${is}`);
      });
      await act(image);
    }
    model.fill(tag, first, first + count);
    expect(await tagsNow(image)).toEqual(model);
  }
  await image.close().catch((error) => codes.push(error.code));
  await expectSound(file, model);
  return left > 0 ? undefined : codes;
}

async function tagsNow(image: DiskImage): Promise<number[]> {
  const all = new Uint8Array(SECTORS * 512);
  await image.read(0, [all]);
  return tagsOf(all);
}

/** Of a close that failed the end is lost, but nothing is broken. */
async function expectSound(file: MemoryFile, model: number[]): Promise<void> {
  const copy = new MemoryFile(file.content());
  const report = await checkImage(copy, { name, format: 'qcow2', repair: true });
  expect(report.corruptions).toBe(0);
  const image = await open(copy);
  const found = await tagsNow(image);
  if (!file.closed) expect(found).toEqual(model);
  await image.close();
}

describe.each(['ENOSPC', 'EIO'])('%s', (code) => {
  test.each([
    ['write', 'at once'],
    ['write', 'later'],
    ['sync', 'at once'],
    ['sync', 'later'],
  ] as const)('at each %s, answered %s', async (kind, when) => {
    const made = await base();
    let failed = 0;
    for (let at = 1; at < 200; at++) {
      const codes = await withFailure(kind, at, code, when === 'later' ? new Random(at) : undefined, made);
      if (!codes) break;
      expect(codes.filter((found) => found !== code)).toEqual([]);
      // Space that could not be given back is nobody's failure.
      failed += codes.length;
    }
    expect(failed).toBeGreaterThan(kind === 'sync' ? 5 : 15);
  });
});

test('reads that fail end in that code, and go well later', async () => {
  const made = await base();
  for (let at = 1; at < 12; at++) {
    const codes = await withFailure('read', at, 'ESTALE', at % 2 ? new Random(at) : undefined, made).catch((error) => [error.code]);
    expect(codes?.every((code) => code === 'ESTALE') ?? true).toBe(true);
  }
});

test('a full file system takes no part of a failed request with it: the clusters are free again', async () => {
  let full = false;
  const made = new MemoryFile();
  await createImage(made, { name, format: 'qcow2', bytes: 1 << 20, clusterBytes: 4096 });
  const file = new MemoryFile(made.content(), { fail: (operation) => (full && operation === 'write' ? 'ENOSPC' : undefined) });
  const image = await openImage(file, { name, format: 'qcow2' });
  await image.write(0, [tagged(1, 8)]);
  full = true;
  for (let i = 0; i < 10; i++) expect(() => image.write(1 << 19, [tagged(2, 64)])).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
  full = false;
  await image.write(1 << 19, [tagged(2, 64)]);
  await image.close();
  expect(await checkImage(new MemoryFile(file.content()), { name, format: 'qcow2' })).toMatchObject({ leaks: 0, corruptions: 0 });
});

test('after a failed sync of a caching host nothing is written any more', async () => {
  let broken = true;
  const made = new MemoryFile();
  await createImage(made, { name, format: 'qcow2', bytes: 1 << 20 });
  const file = new MemoryFile(made.content(), { fail: (operation) => (broken && operation === 'sync' ? 'EIO' : undefined) });
  const image = await openImage(file, { name, format: 'qcow2' });
  await image.write(0, [tagged(1, 8)]);
  expect(() => image.flush()).toThrow(expect.objectContaining({ code: 'EIO' }));
  broken = false;
  expect(() => image.flush()).toThrow(/start the VM again/);
  expect(() => image.write(0, [tagged(1, 8)])).toThrow(/start the VM again/);
  const read = new Uint8Array(512);
  await image.read(0, [read]);
  expect(tagsOf(read)).toEqual([1]);
  await expect(image.close()).rejects.toThrow(/start the VM again/);
  expect(file.closed).toBe(true);
});
