/** Proves what every format keeps to: when a request is done on return, what it costs in syncs, and how it fails. */
import { checkImage, createImage, imageInfo, openImage, type DiskImage, type ImageFormat } from './index';
import { MemoryFile, type MemoryFileOptions } from './testing/memory-file';
import { Random } from './testing/random';
import { tagged, tagsOf } from './testing/tagged-disk';

const name = 'disk';
const BYTES = 4 << 20;

async function make(format: ImageFormat, options?: MemoryFileOptions): Promise<{ file: MemoryFile; image: DiskImage }> {
  const made = new MemoryFile();
  await createImage(made, { name, format, bytes: BYTES });
  const file = new MemoryFile(made.content(), options);
  return { file, image: await openImage(file, { name, format }) };
}

async function tagAt(image: DiskImage, sector: number): Promise<number> {
  const bytes = new Uint8Array(512);
  await image.read(sector * 512, [bytes]);
  return tagsOf(bytes)[0];
}

describe.each(['raw', 'qcow2'] as const)('%s', (format) => {
  test('over a file that answers at once, requests are done on return', async () => {
    const { image } = await make(format);
    const bytes = new Uint8Array(4096);
    expect(image.write(8192, [tagged(1, 4), tagged(2, 4)])).toBeUndefined();
    expect(image.read(8192, [bytes])).toBeUndefined();
    expect(image.flush()).toBeUndefined();
    expect(image.writeZeroes(8192, 512)).toBeUndefined();
    expect(tagsOf(bytes)).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
    expect(image.stats).toMatchObject({ reads: 1, readBytes: 4096, writes: 1, writtenBytes: 4096, flushes: 1, zeroed: 1, waited: 0 });
    image.immediate = false;
    expect(image.read(8192, [bytes])).toBeInstanceOf(Promise);
    await image.close();
  });

  test('over one that does not, they come back as promises, and closing waits for them', async () => {
    const { file, image } = await make(format, { later: new Random(1) });
    const writes = [1, 2, 3].map((tag) => image.write(tag * 512, [tagged(tag, 1)]));
    expect(writes.every((write) => write instanceof Promise)).toBe(true);
    await image.close();
    await Promise.all(writes);
    const again = await openImage(new MemoryFile(file.content()), { name, format });
    expect([await tagAt(again, 1), await tagAt(again, 2), await tagAt(again, 3)]).toEqual([1, 2, 3]);
  });

  test('syncs: none for a write, one for a flush or with fua, two after new clusters', async () => {
    const { file, image } = await make(format);
    const syncs = async (act: () => Promise<void> | undefined): Promise<number> => {
      const before = file.counts.sync;
      await act();
      return file.counts.sync - before;
    };
    expect(await syncs(() => image.write(0, [tagged(1, 8)]))).toBe(0);
    expect(await syncs(() => image.flush())).toBe(format === 'raw' ? 1 : 2);
    expect(await syncs(() => image.write(0, [tagged(2, 8)]))).toBe(0);
    expect(await syncs(() => image.flush())).toBe(1);
    expect(await syncs(() => image.write(0, [tagged(3, 8)], { fua: true }))).toBe(1);
    expect(await syncs(() => image.write(1 << 20, [tagged(3, 8)], { fua: true }))).toBe(format === 'raw' ? 1 : 2);
    await image.close();
  });

  test('flushes that wait together share their syncs', async () => {
    if (format === 'raw') return;
    const { file, image } = await make(format, { later: new Random(2) });
    const first = image.flush();
    const rest = Array.from({ length: 20 }, () => image.flush());
    await Promise.all([first, ...rest]);
    expect(file.counts.sync).toBe(2);
    await image.close();
  });

  test('what is out of range, not whole sectors, read-only or closed is refused', async () => {
    const { file, image } = await make(format);
    const refused = (act: () => unknown, code: string): void => expect(act).toThrow(expect.objectContaining({ code }));
    refused(() => image.read(BYTES, [new Uint8Array(512)]), 'EINVAL');
    refused(() => image.write(BYTES - 512, [new Uint8Array(1024)]), 'EINVAL');
    refused(() => image.write(100, [new Uint8Array(512)]), 'EINVAL');
    refused(() => image.read(0, [new Uint8Array(100)]), 'EINVAL');
    refused(() => image.discard(-512, 1024), 'EINVAL');
    refused(() => image.writeZeroes(Number.NaN, 512), 'EINVAL');
    await expect(image.resize(BYTES - 512)).rejects.toMatchObject({ code: 'EINVAL' });
    await image.close();
    refused(() => image.read(0, [new Uint8Array(512)]), 'EBADF');
    const reading = await openImage(new MemoryFile(file.content()), { name, format, readOnly: true });
    for (const act of [() => reading.write(0, [new Uint8Array(512)]), () => reading.discard(0, 512), () => reading.writeZeroes(0, 512)])
      refused(act, 'EROFS');
    expect(reading.flush()).toBeUndefined();
  });

  test('it grows, and shows zeroes there', async () => {
    const { file, image } = await make(format);
    await image.write(BYTES - 512, [tagged(1, 1)]);
    await image.resize(BYTES * 2);
    expect([image.sectors, await tagAt(image, BYTES / 512 - 1), await tagAt(image, BYTES / 512)]).toEqual([(BYTES * 2) / 512, 1, 0]);
    await image.write(BYTES, [tagged(2, 1)]);
    await image.close();
    expect(await imageInfo(new MemoryFile(file.content()), name)).toMatchObject({ format, bytes: BYTES * 2 });
  });
});

test('a raw file that ends within a sector reads as zeroes behind its end', async () => {
  const image = await openImage(new MemoryFile(new Uint8Array(1000).fill(1)), { name, format: 'raw' });
  const bytes = new Uint8Array(1024).fill(9);
  await image.read(0, [bytes.subarray(0, 512), bytes.subarray(512)]);
  expect([image.sectors, bytes[999], bytes[1000], bytes[1023]]).toEqual([2, 1, 0, 0]);
});

test('a raw image on storage that cannot punch holes takes discards, and zeroes by writing', async () => {
  const file = new MemoryFile(new Uint8Array(8192).fill(1));
  file.discard = () => Promise.reject(Object.assign(new Error('no'), { code: 'EOPNOTSUPP' }));
  const image = await openImage(file, { name, format: 'raw' });
  await image.discard(0, 4096);
  await image.writeZeroes(4096, 4096, { unmap: true });
  expect(file.content()).toEqual(new Uint8Array(8192).fill(1, 0, 4096));
});

test('a removed cluster is used again, its space given back, only when its removal is durable', async () => {
  const { file, image } = await make('qcow2', { later: new Random(3) });
  await image.write(0, [tagged(1, 1024)]);
  await image.flush();
  const size = await file.size();
  await image.discard(0, 1024 * 512);
  await image.write(1 << 20, [tagged(2, 1024)]);
  expect(await file.size()).toBeGreaterThan(size);
  for (let i = 0; i < 2; i++) await image.flush();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const grown = await file.size();
  await image.write(2 << 20, [tagged(3, 1024)]);
  expect(await file.size()).toBe(grown);
  await image.close();
});

test('a cluster that a slow write may still reach is not given to another', async () => {
  let release = (): void => {};
  let holding = false;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const hold = (): Promise<void> | undefined => (holding ? held : undefined);
  const { file, image } = await make('qcow2', { later: new Random(4), noDiscard: true, hold });
  await image.write(0, [tagged(1, 128)]);
  await image.flush();
  holding = true;
  const slow = image.write(0, [tagged(2, 128)]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  holding = false;
  await image.discard(0, 128 * 512);
  for (let i = 0; i < 3; i++) await image.flush();
  await image.write(1 << 20, [tagged(3, 128)]);
  release();
  await slow;
  expect([await tagAt(image, 0), await tagAt(image, (1 << 20) / 512)]).toEqual([0, 3]);
  await image.close();
  expect(await checkImage(new MemoryFile(file.content()), { name, format: 'qcow2' })).toMatchObject({ leaks: 0, corruptions: 0 });
});
