/**
 * Proves that an image reads as a plain array of sectors would, whatever its
 * format, cluster size, version, refcount width and backing image: random
 * requests, many at once and overlapping, over files that answer at once or
 * later, with caches that are too small; closed, opened again and checked.
 */
import { checkImage, createImage, openImage, type DiskImage } from './index';
import { MemoryFile } from './testing/memory-file';
import { Random } from './testing/random';
import { tagged, tagsOf } from './testing/tagged-disk';

interface Setup {
  readonly format: 'raw' | 'qcow2';
  readonly clusterBytes?: number;
  readonly version?: 2 | 3;
  readonly refcountBits?: number;
  readonly backing?: 'raw' | 'qcow2';
  readonly later?: boolean;
}

const setups: Setup[] = [
  { format: 'raw' },
  { format: 'raw', later: true },
  ...[512, 4096, 65536].flatMap((clusterBytes) =>
    [false, true].flatMap((later) => [
      { format: 'qcow2' as const, clusterBytes, later },
      { format: 'qcow2' as const, clusterBytes, later, backing: 'qcow2' as const },
    ]),
  ),
  { format: 'qcow2', clusterBytes: 512, version: 2, backing: 'raw', later: true },
  { format: 'qcow2', clusterBytes: 1024, version: 2 },
  { format: 'qcow2', clusterBytes: 1024, refcountBits: 1, later: true },
  { format: 'qcow2', clusterBytes: 512, refcountBits: 64, backing: 'raw' },
  { format: 'qcow2', clusterBytes: 2048, refcountBits: 4, later: true },
];

/** An odd size, so that the last cluster is cut; and a backing image that ends within it. */
const SECTORS = 1203;
const BACKING_SECTORS = 777;
const BACKING_TAG = 0x0bac0000;

async function makeBacking(format: 'raw' | 'qcow2'): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, { name: 'base', format, bytes: BACKING_SECTORS * 512, clusterBytes: 1024 });
  const image = await openImage(file, { name: 'base', format });
  for (let i = 0; i < BACKING_SECTORS; i += 3) await image.write(i * 512, [tagged(BACKING_TAG + i, 1)]);
  await image.close();
  return file.content();
}

class Session {
  readonly tags: number[];
  private base: Uint8Array | undefined;
  private content: Uint8Array = new Uint8Array(0);
  private tag = 0;

  constructor(
    private readonly setup: Setup,
    private readonly random: Random,
  ) {
    this.tags = Array.from({ length: SECTORS }, (_, i) => (setup.backing && i < BACKING_SECTORS && i % 3 === 0 ? BACKING_TAG + i : 0));
  }

  async create(): Promise<void> {
    const { format, clusterBytes, version, refcountBits, backing } = this.setup;
    if (backing) this.base = await makeBacking(backing);
    const file = new MemoryFile();
    await createImage(file, {
      name: 'top',
      format,
      bytes: SECTORS * 512,
      clusterBytes,
      version,
      refcountBits,
      backing: backing && { name: 'base', format: backing },
    });
    this.content = file.content();
  }

  async reopened(act: (image: DiskImage) => Promise<void>): Promise<void> {
    const later = this.setup.later ? this.random : undefined;
    // What storage cannot give back is reused with its old content.
    const file = new MemoryFile(this.content, { later, noDiscard: this.random.chance(0.5) });
    const image = await openImage(file, { name: 'top', format: this.setup.format, cacheBytes: 1 }, async (name) => ({
      name,
      file: new MemoryFile(this.base, { later }),
    }));
    await act(image);
    await image.close();
    this.content = file.content();
    const report = await checkImage(new MemoryFile(this.content), { name: 'top', format: this.setup.format });
    expect(report).toMatchObject({ leaks: 0, corruptions: 0, messages: [] });
  }

  /** Some requests at once; afterwards every sector holds what it held, or what one of them wrote there. */
  async burst(image: DiskImage): Promise<void> {
    const { random } = this;
    const written: Set<number>[] = this.tags.map(() => new Set());
    const must = new Set<number>();
    const legal = (s: number, tag: number): boolean => written[s].has(tag) || (tag === this.tags[s] && !must.has(s));
    const wrote = (first: number, count: number, tag: number): void => {
      for (let s = first; s < first + count; s++) {
        written[s].add(tag);
        must.add(s);
      }
    };
    const reads: { first: number; bytes: Uint8Array }[] = [];
    const work: (Promise<void> | undefined)[] = [];
    for (let i = random.pick([1, 1, 3, 8]); i > 0; i--) {
      const first = random.below(SECTORS);
      const count = 1 + random.below(Math.min(SECTORS - first, random.pick([1, 8, 64, 400])));
      const kind = random.below(10);
      if (kind < 5) {
        const tag = ++this.tag;
        const cut = random.below(count + 1);
        work.push(image.write(first * 512, [tagged(tag, cut), tagged(tag, count - cut)], { fua: random.chance(0.1) }));
        wrote(first, count, tag);
      } else if (kind < 7) {
        const bytes = new Uint8Array(count * 512).fill(0xee);
        work.push(image.read(first * 512, random.chance(0.5) ? [bytes] : [bytes.subarray(0, 512), bytes.subarray(512)]));
        reads.push({ first, bytes });
      } else if (kind < 8) {
        work.push(image.writeZeroes(first * 512, count * 512, { unmap: random.chance(0.5) }));
        wrote(first, count, 0);
      } else if (kind < 9) {
        work.push(image.discard(first * 512, count * 512));
        for (let s = first; s < first + count; s++) written[s].add(0);
      } else work.push(image.flush());
    }
    await Promise.all(work);
    const all = new Uint8Array(SECTORS * 512);
    await image.read(0, [all]);
    const found = tagsOf(all);
    found.forEach((tag, s) => {
      if (!legal(s, tag)) throw new Error(`sector ${s} holds ${tag}, not one of ${[...written[s]]}`);
    });
    for (const { first, bytes } of reads) {
      tagsOf(bytes).forEach((tag, i) => {
        if (tag !== this.tags[first + i] && !written[first + i].has(tag)) throw new Error(`sector ${first + i} was read as ${tag}`);
      });
    }
    found.forEach((tag, s) => {
      this.tags[s] = tag;
    });
  }
}

describe.each(setups.map((setup) => [JSON.stringify(setup), setup] as const))('%s', (_, setup) => {
  test.each([1])('seed %i', async (seed) => {
    const random = new Random(seed);
    const session = new Session(setup, random);
    await session.create();
    for (let i = 0; i < 3; i++) {
      await session.reopened(async (image) => {
        for (let j = 0; j < 10; j++) await session.burst(image);
      });
    }
    await session.reopened(async (image) => {
      const all = new Uint8Array(SECTORS * 512);
      await image.read(0, [all]);
      expect(tagsOf(all)).toEqual(session.tags);
    });
  });
});
