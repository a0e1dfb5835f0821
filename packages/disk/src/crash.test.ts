/**
 * Proves that a crash at any moment, with any part of the unsynced writes
 * lost, leaves an image that holds all that was flushed, and has no fault but
 * leaked clusters, which a check gives back. Requests, also several at once,
 * run over a file that answers in random order; now and then the file is taken
 * as a crash might leave it, opened, compared, checked and repaired.
 */
import { checkImage, createImage, openImage, type CreateImageOptions, type DiskImage } from './index';
import { MemoryFile } from './testing/memory-file';
import { Random } from './testing/random';
import { tagged, TaggedDisk, tagsOf } from './testing/tagged-disk';

const BASE_TAG = 0x0ba00000;
const name = 'top';
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Setup extends Partial<CreateImageOptions> {
  /** Sectors there are at first; the image then grows. */
  readonly growFrom?: number;
  /** Written in one piece after the growth, so that the refcount table fills up and moves. */
  readonly fill?: number;
}

const setups: Setup[] = [
  { clusterBytes: 512 },
  { clusterBytes: 4096 },
  { clusterBytes: 65536 },
  { clusterBytes: 4096, version: 2 },
  { clusterBytes: 2048, refcountBits: 1 },
  { clusterBytes: 4096, backing: { name: 'base', format: 'raw' } },
  { clusterBytes: 512, backing: { name: 'base', format: 'raw' }, refcountBits: 64, growFrom: 64 },
  { clusterBytes: 512, refcountBits: 64, growFrom: 64, fill: 4000 },
];

class CrashSession {
  readonly disk: TaggedDisk;
  crashes = 0;
  private readonly base: Uint8Array;
  private readonly busy = new Set<number>();
  private tag = 0;
  private sectors: number;
  private readonly size: number;

  constructor(
    private readonly setup: Setup,
    private readonly random: Random,
  ) {
    this.size = this.sectors = setup.fill ? setup.fill + 800 : 600;
    this.base = new Uint8Array(this.size * 512);
    for (let i = 0; i < this.size; i++) this.base.set(tagged(BASE_TAG + i, 1), i * 512);
    const shown = setup.growFrom ?? this.size;
    this.disk = new TaggedDisk(this.size, (i) => (setup.backing && i < shown ? BASE_TAG + i : 0));
  }

  async run(requests: number): Promise<void> {
    const { growFrom, ...options } = this.setup;
    const made = new MemoryFile();
    await createImage(made, { name, format: 'qcow2', ...options, bytes: (growFrom ?? this.size) * 512 });
    const file = new MemoryFile(made.content(), { later: this.random });
    const image = await this.open(file, false);
    this.sectors = image.sectors;
    const open: Promise<void>[] = [];
    for (let i = 0; i < requests; i++) {
      if (growFrom && i === 12) {
        await Promise.all(open.splice(0));
        await this.watch(file, [image.resize(this.size * 512)]);
        this.sectors = this.size;
        if (this.setup.fill) {
          await image.write(512 * 700, [tagged(0, this.setup.fill)]);
          await this.watch(file, [this.flush(image)], 0.15);
        }
      }
      open.push(this.request(image));
      if (open.length >= this.random.pick([1, 3, 6])) await this.watch(file, open.splice(0));
    }
    await this.watch(file, [...open, image.close()]);
    expect(this.disk.illegal(await this.tags(file.content()))).toEqual([]);
    expect(await checkImage(new MemoryFile(file.content()), { name, format: 'qcow2' })).toMatchObject({ leaks: 0, corruptions: 0 });
  }

  /** Crashes now and then, until all is done. */
  private async watch(file: MemoryFile, work: Promise<void>[], odds = this.setup.fill ? 0.03 : 0.12): Promise<void> {
    let done = false;
    const all = Promise.all(work).finally(() => (done = true));
    while (!done) {
      await tick();
      if (this.random.chance(odds)) await this.crash(file.afterCrash(this.random));
    }
    await all;
  }

  private async request(image: DiskImage): Promise<void> {
    const { random } = this;
    const kind = random.below(12);
    if (kind < 3) return this.flush(image);
    const unit = kind < 8 ? 1 : Math.max(1, (this.setup.clusterBytes ?? 512) / 512);
    const count = Math.min(unit * (1 + random.below(random.pick([1, 8, 100]))), this.sectors);
    const first = random.below((this.sectors - count) / unit) * unit;
    for (let i = first; i < first + count; i++) if (this.busy.has(i)) return;
    for (let i = first; i < first + count; i++) this.busy.add(i);
    const tag = kind < 8 ? ++this.tag : 0;
    const written = this.disk.writing(first, count, tag);
    const fua = kind === 4;
    if (kind < 8) await image.write(first * 512, [tagged(tag, count)], { fua });
    // Whole clusters of version 3 read as zeroes then; version 2 has no backing image here.
    else if (kind < 10) await image.discard(first * 512, count * 512);
    else await image.writeZeroes(first * 512, count * 512, { unmap: random.chance(0.5) });
    written();
    for (let i = first; i < first + count; i++) this.busy.delete(i);
  }

  private async flush(image: DiskImage): Promise<void> {
    const flushed = this.disk.flushing();
    await image.flush();
    flushed();
  }

  /** New tables come to lie where data was, and the storage does not clear what is given back. */
  async reuse(): Promise<void> {
    const made = new MemoryFile();
    await createImage(made, { name, format: 'qcow2', clusterBytes: 512, bytes: this.size * 512 });
    const file = new MemoryFile(made.content(), { later: this.random, noDiscard: true });
    const image = await this.open(file, false);
    // Words that would be tables full of references.
    for (let i = 0; i < 192; i++) await this.written(i, 1, 0x0000_0002, (data) => image.write(i * 512, [data]));
    await this.flush(image);
    await this.written(0, 192, 0, () => image.discard(0, 192 * 512));
    for (let i = 0; i < 3; i++) await this.flush(image);
    for (let i = 192; i < this.size; i += 64) {
      await this.written(i, 2, i, (data) => image.write(i * 512, [data]));
      await this.watch(file, [this.flush(image)], 0.5);
    }
    await this.watch(file, [image.close()]);
  }

  private async written(first: number, count: number, tag: number, act: (data: Uint8Array) => Promise<void> | undefined): Promise<void> {
    const answered = this.disk.writing(first, count, tag);
    await act(tagged(tag, count));
    answered();
  }

  private async crash(left: Uint8Array): Promise<void> {
    this.crashes++;
    const before = await this.tags(left);
    expect(this.disk.illegal(before)).toEqual([]);
    const file = new MemoryFile(left);
    const report = await checkImage(file, { name, format: 'qcow2', repair: true });
    expect(report).toMatchObject({ corruptions: 0, repaired: report.leaks > 0 });
    expect(await checkImage(file, { name, format: 'qcow2' })).toMatchObject({ leaks: 0, corruptions: 0 });
    const image = await this.open(file, false);
    await image.write(0, [tagged(7, 5)]);
    await image.close();
    expect(await this.tags(file.content())).toEqual([7, 7, 7, 7, 7, ...before.slice(5)]);
    expect(await checkImage(new MemoryFile(file.content()), { name, format: 'qcow2' })).toMatchObject({ leaks: 0, corruptions: 0 });
  }

  private async tags(content: Uint8Array): Promise<number[]> {
    const image = await this.open(new MemoryFile(content), true);
    const all = new Uint8Array(image.bytes);
    await image.read(0, [all]);
    await image.close();
    // What the image has not grown to yet.
    return [...tagsOf(all), ...new Array(this.size - image.sectors).fill(0)];
  }

  private open(file: MemoryFile, readOnly: boolean): Promise<DiskImage> {
    return openImage(file, { name, format: 'qcow2', readOnly, cacheBytes: 1 }, async (base) => ({
      name: base,
      file: new MemoryFile(this.base),
    }));
  }
}

describe.each(setups.map((setup) => [JSON.stringify(setup), setup] as const))('%s', (_, setup) => {
  test.each(setup.fill ? [1] : [1, 2])('seed %i', async (seed) => {
    const session = new CrashSession(setup, new Random(seed));
    await session.run(setup.fill ? 30 : 50);
    expect(session.crashes).toBeGreaterThan(3);
  });
});

test.each([1, 2])('new tables in clusters that were used before, seed %i', async (seed) => {
  await new CrashSession({}, new Random(seed)).reuse();
});
