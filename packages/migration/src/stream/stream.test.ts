/**
 * Proves: whatever memory there is and however it changes, what the encoder sends the decoder
 * makes the same of, by every kind of page; and whatever bytes come, the decoder throws a
 * StreamError or nothing, writes nowhere but in RAM, and not at all when it throws.
 */
import { MAX_MESSAGE_BYTES, MAX_NAMED_PAGES, PAGE_BYTES } from '../limits';
import { RoundPlanner } from '../round-planner';
import { StreamError } from '../errors';
import { runLengths } from '../testing/codec';
import { Random } from '../testing/random';
import { FRAME, FRAME_KIND, FrameReader, FrameWriter, newMessageBuffer } from './frame';
import { finishBatch, PAGE_AREA, PageEncoder } from './page-encoder';
import { PageDecoder } from './page-decoder';
import { ENCODING, PAGE_KIND, PAGES } from './page-layout';
import { applyDelta, checkDelta, encodeDelta, NO_DELTA, UNCHANGED } from './delta';
import { MemorySum, sameSum } from './page-sum';

const PAGE_COUNT = 200;

function bodiesOf(encoder: PageEncoder, planner: RoundPlanner, round: number, pack: boolean): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  for (;;) {
    const buffer = newMessageBuffer();
    const batch = encoder.next(planner, round, buffer);
    if (!batch) return bodies;
    if (batch.runs === 0) continue;
    const raw = buffer.subarray(PAGE_AREA, PAGE_AREA + batch.rawPages * PAGE_BYTES);
    const other = newMessageBuffer();
    const packed = pack && raw.length > 0 ? (runLengths.compress(raw, other.subarray(PAGE_AREA, PAGE_AREA + raw.length)) as number) : 0;
    const from = packed > 0 ? other : buffer;
    const length = finishBatch(batch, from, packed > 0 ? packed : raw.length, packed > 0);
    expect(FRAME.size + length).toBeLessThanOrEqual(encoder.messageBytes);
    bodies.push(from.slice(FRAME.size, FRAME.size + length));
  }
}

function scribble(ram: Uint8Array, random: Random): void {
  const page = random.below(PAGE_COUNT);
  const bytes = ram.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  const how = random.below(6);
  if (how === 0) bytes.fill(0);
  else if (how === 1) bytes.fill(1 + random.below(255));
  else if (how === 2) for (let at = 0; at < PAGE_BYTES; at++) bytes[at] = random.next() * 256;
  else if (how === 3) new Uint32Array(bytes.buffer, bytes.byteOffset, 1024).fill(random.next() * 2 ** 32, 3, 500);
  else for (let count = how === 4 ? 1 : 200; count > 0; count--) bytes[random.below(PAGE_BYTES)]++;
}

describe('pages', () => {
  test.each([1, 2, 3, 4, 5, 6])('arrive as they are, round after round (seed %i)', (seed) => {
    const random = new Random(seed);
    const ram = new Uint8Array(PAGE_COUNT * PAGE_BYTES);
    const copy = new Uint8Array(PAGE_COUNT * PAGE_BYTES);
    const encoder = new PageEncoder(ram, random.pick([0, 5, 60, PAGE_COUNT]) * PAGE_BYTES);
    const decoder = new PageDecoder(copy, runLengths);
    const planner = new RoundPlanner(PAGE_COUNT);
    planner.addRuns([{ firstPage: 0, pages: PAGE_COUNT }]);
    const kinds = { zeroPages: 0, fillPages: 0, deltaPages: 0, rawPages: 0, unchangedPages: 0 };
    for (let round = 0; round < 12; round++) {
      for (let writes = 150; writes > 0; writes--) scribble(ram, random);
      if (round > 0) planner.addDirty(new Uint8Array(PAGE_COUNT).fill(1));
      const next = encoder.next.bind(encoder);
      encoder.next = (...given) => {
        const batch = next(...given);
        if (batch) for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) kinds[kind] += batch.counts[kind];
        return batch;
      };
      for (const body of bodiesOf(encoder, planner, round, seed % 2 === 0)) expect(decoder.decode(body)).toBe(round);
      encoder.next = next;
      expect(Buffer.compare(ram, copy)).toBe(0);
      expect(decoder.sum.total).toEqual(encoder.sum.total);
    }
    expect(kinds.zeroPages).toBeGreaterThan(0);
    expect(kinds.fillPages).toBeGreaterThan(0);
    if (encoder.cache.capacity >= 60) expect(kinds.deltaPages).toBeGreaterThan(50);
    expect(encoder.cache.pages).toBeLessThanOrEqual(encoder.cache.capacity);
  });

  test('what is zero on the target already, and what is unchanged, costs nothing', () => {
    const ram = new Uint8Array(PAGE_COUNT * PAGE_BYTES);
    for (let at = 8 * PAGE_BYTES; at < 9 * PAGE_BYTES; at++) ram[at] = at * 31;
    const encoder = new PageEncoder(ram, PAGE_COUNT * PAGE_BYTES);
    const planner = new RoundPlanner(PAGE_COUNT);
    const sizes = [0, 1, 2].map((round) => {
      planner.addDirty(new Uint8Array(PAGE_COUNT).fill(1));
      return bodiesOf(encoder, planner, round, false).reduce((sum, body) => sum + body.length, 0);
    });
    expect(sizes).toEqual([PAGE_BYTES + PAGES.size + 8, PAGE_BYTES + PAGES.size + 8, 0]);
  });

  test('a page dirty again is left to the next round, and then comes', () => {
    const ram = new Uint8Array(4 * PAGE_BYTES).fill(7);
    ram[0] = ram[PAGE_BYTES] = 1;
    const encoder = new PageEncoder(ram, 0);
    const planner = new RoundPlanner(4);
    planner.addRuns([{ firstPage: 0, pages: 2 }]);
    const batch = encoder.next(planner, 0, newMessageBuffer(), new Uint8Array([0, 1, 0, 0]))!;
    expect(batch.counts).toMatchObject({ rawPages: 1, skippedPages: 1 });
    planner.addDirty(new Uint8Array([0, 1, 0, 0]));
    expect(encoder.next(planner, 1, newMessageBuffer())!.counts).toMatchObject({ rawPages: 1, skippedPages: 0 });
  });
});

describe('deltas', () => {
  test('any change becomes the same change', () => {
    const random = new Random(9);
    const out = new Int32Array(512);
    const same = (one: Int32Array, other: Int32Array): boolean =>
      Buffer.compare(new Uint8Array(one.buffer), new Uint8Array(other.buffer)) === 0;
    const before = Int32Array.from({ length: 1024 }, () => random.next() * 2 ** 32);
    let paid = 0;
    for (let turn = 0; turn < 400; turn++) {
      const now = before.slice();
      for (let count = Math.floor(random.next() ** 3 * 700); count > 0; count--) now[random.below(1024)] ^= random.next() * 2 ** 32;
      const length = encodeDelta(before, 0, now, 0, out, 0);
      if (length === NO_DELTA) continue;
      if (length !== UNCHANGED) {
        expect(checkDelta(out, 0, length)).toBe(length);
        applyDelta(before, 0, out, 0);
        paid++;
      }
      if (!same(before, now)) throw new Error(`turn ${turn}: the page is another`);
    }
    expect(paid).toBeGreaterThan(100);
  });

  test('a counter costs 12 bytes; the first and last words are reached', () => {
    const before = new Int32Array(1024);
    const now = new Int32Array(1024);
    now[0] = now[1023] = 5;
    const out = new Int32Array(512);
    expect(encodeDelta(before, 0, now, 0, out, 0) * 4).toBe(20);
    now[0] = 0;
    expect(encodeDelta(before, 0, now, 0, out, 0) * 4).toBe(12);
  });

  test('hostile ones never reach beyond the page', () => {
    const random = new Random(10);
    const page = new Int32Array(1024 + 64);
    let taken = 0;
    for (let turn = 0; turn < 30_000; turn++) {
      const words = Int32Array.from({ length: 12 }, () =>
        random.chance(0.5) ? random.next() * 2 ** 32 : (random.below(3) << 16) | random.below(1030),
      );
      words[0] = random.below(13);
      if (checkDelta(words, 0, 12) === 0) continue;
      taken++;
      applyDelta(page, 0, words, 0);
    }
    expect(taken).toBeGreaterThan(20);
    expect(page.subarray(1024).every((word) => word === 0)).toBe(true);
  });
});

describe('hostile streams', () => {
  const guard = PAGE_BYTES;
  /** RAM in the midst of a larger buffer: writes outside would show. */
  function target(): { whole: Uint8Array; decoder: PageDecoder } {
    const whole = new Uint8Array(PAGE_COUNT * PAGE_BYTES + 2 * guard).fill(0xa5);
    const ram = whole.subarray(guard, whole.length - guard);
    ram.fill(0);
    return { whole, decoder: new PageDecoder(ram, runLengths) };
  }
  const untouched = (whole: Uint8Array): boolean =>
    whole.subarray(0, guard).every((byte) => byte === 0xa5) && whole.subarray(-guard).every((byte) => byte === 0xa5);

  test('a changed body is a StreamError and leaves RAM alone, or is harmless', () => {
    const random = new Random(11);
    const ram = new Uint8Array(PAGE_COUNT * PAGE_BYTES);
    const encoder = new PageEncoder(ram, PAGE_COUNT * PAGE_BYTES);
    const planner = new RoundPlanner(PAGE_COUNT);
    const bodies: Uint8Array[] = [];
    for (let round = 0; round < 4; round++) {
      for (let writes = 30; writes > 0; writes--) scribble(ram, random);
      planner.addDirty(new Uint8Array(PAGE_COUNT).fill(1));
      bodies.push(...bodiesOf(encoder, planner, round, round % 2 === 0));
    }
    const { whole, decoder } = target();
    let refused = 0;
    for (let turn = 0; turn < 1500; turn++) {
      const body = random.pick(bodies).slice();
      const tail = Math.max(0, body.length - 300);
      for (let count = 1 + random.below(3); count > 0; count--) {
        const at = random.chance(0.5)
          ? Math.floor(random.next() * Math.min(16, body.length))
          : tail + Math.floor(random.next() * (body.length - tail));
        body[at] = random.chance(0.5) ? random.next() * 256 : body[at] ^ 0x80;
      }
      const cut = random.chance(0.2) ? body.slice(0, Math.floor((random.next() * body.length) / 4) * 4) : body;
      const before = decoder.sum.total;
      try {
        decoder.decode(cut);
      } catch (error) {
        expect(error).toBeInstanceOf(StreamError);
        expect(decoder.sum.total).toEqual(before);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(500);
    expect(untouched(whole)).toBe(true);
  });

  const body = (runs: number[], pageBytes = 0, small: number[] = [], encoding = 0): Uint8Array => {
    const words = new Uint32Array(4 + pageBytes / 4 + runs.length + small.length);
    words.set([0, (runs.length / 2) | (encoding << 16), pageBytes, small.length * 4]);
    words.set(runs, 4 + pageBytes / 4);
    words.set(small, 4 + pageBytes / 4 + runs.length);
    return new Uint8Array(words.buffer);
  };
  const kind = (value: number, pages: number): number => ((value << 24) | pages) >>> 0;

  test.each([
    ['a page beyond RAM', body([PAGE_COUNT, kind(PAGE_KIND.zero, 1)])],
    ['a run over the end of RAM', body([PAGE_COUNT - 1, kind(PAGE_KIND.zero, 2)])],
    ['a page number that wraps', body([0xffffffff, kind(PAGE_KIND.zero, 2)])],
    ['a run of nothing', body([0, kind(PAGE_KIND.zero, 0)])],
    ['a page named twice', body([3, kind(PAGE_KIND.zero, 2), 4, kind(PAGE_KIND.zero, 1)])],
    ['descending pages', body([5, kind(PAGE_KIND.zero, 1), 2, kind(PAGE_KIND.zero, 1)])],
    ['an unknown kind', body([0, kind(9, 1)])],
    ['a page without its data', body([0, kind(PAGE_KIND.raw, 1)])],
    ['data without a page', body([], PAGE_BYTES)],
    ['a fill without its word', body([0, kind(PAGE_KIND.fill, 1)])],
    ['more small data than pages take', body([0, kind(PAGE_KIND.zero, 1)], 0, [1, 2])],
    ['a delta longer than its area', body([0, kind(PAGE_KIND.delta, 1)], 0, [5, 0])],
    ['a delta beyond its page', body([0, kind(PAGE_KIND.delta, 1)], 0, [2, 1024 | (1 << 16), 1])],
    ['packed data that unpacks to less', body([0, kind(PAGE_KIND.raw, 1)], 4, [], ENCODING.lz4)],
    ['packed data for no page', body([], 4, [], ENCODING.lz4)],
    ['an unknown encoding', body([], 0, [], 7)],
    ['more pages than a message may name', body([0, kind(PAGE_KIND.zero, MAX_NAMED_PAGES + 1)])],
    ['a header cut short', new Uint8Array(12)],
  ])('%s is refused', (_, bytes) => {
    const { whole, decoder } = target();
    expect(() => decoder.decode(bytes)).toThrow(StreamError);
    expect(untouched(whole) && decoder.pages === 0).toBe(true);
  });

  test('frames: any changed byte, lost, doubled or foreign message is noticed', () => {
    const writer = new FrameWriter();
    const messages = Array.from({ length: 3 }, (_, index) => {
      const buffer = newMessageBuffer();
      buffer.fill(index + 1, FRAME.size, FRAME.size + 41 + index);
      return writer.seal(buffer, FRAME_KIND.control, 41 + index).slice();
    });
    const codeOf = (act: () => unknown): string => {
      try {
        act();
        return 'taken';
      } catch (error) {
        expect(error).toBeInstanceOf(StreamError);
        return (error as StreamError).code;
      }
    };
    for (let at = 0; at < messages[0].length; at++) {
      const changed = messages[0].slice();
      changed[at] ^= 1 << (at % 8);
      expect(codeOf(() => new FrameReader().open(changed))).not.toBe('taken');
    }
    expect(codeOf(() => new FrameReader().open(messages[1]))).toBe('order');
    const reader = new FrameReader();
    // Unaligned, as a socket delivers it.
    const shifted = new Uint8Array(messages[0].length + 1);
    shifted.set(messages[0], 1);
    expect(reader.open(shifted.subarray(1)).body.length).toBe(41);
    expect(codeOf(() => reader.open(messages[0]))).toBe('order');
    expect(codeOf(() => reader.open(messages[2]))).toBe('order');
    expect(codeOf(() => reader.open(new Uint8Array(MAX_MESSAGE_BYTES + 4)))).toBe('not-a-message');
    expect(codeOf(() => reader.open(new Uint8Array(0)))).toBe('not-a-message');
    const other = new FrameWriter();
    other.version = 2;
    expect(codeOf(() => new FrameReader().open(other.seal(newMessageBuffer(), FRAME_KIND.pages, 8)))).toBe('version');
  });
});

describe('the sum over memory', () => {
  test('follows each change and tells pages that changed places', () => {
    const random = new Random(12);
    const words = Int32Array.from({ length: 4 * 1024 }, () => random.next() * 2 ** 32);
    const fresh = (): MemorySum => {
      const sum = new MemorySum(4);
      for (let page = 0; page < 4; page++) sum.set(page, words, page);
      return sum;
    };
    const kept = fresh();
    for (let turn = 0; turn < 50; turn++) {
      const word = random.below(words.length);
      const before = kept.total;
      words[word] ^= 1 << random.below(32);
      kept.set(word >> 10, words, word >> 10);
      expect(sameSum(kept.total, before)).toBe(false);
      expect(kept.total).toEqual(fresh().total);
    }
    const swapped = new MemorySum(4);
    for (let page = 0; page < 4; page++) swapped.set(page ^ 1, words, page);
    expect(sameSum(swapped.total, kept.total)).toBe(false);
    for (let page = 0; page < 4; page++) kept.setZero(page);
    expect(kept.total).toEqual({ low: 0, high: 0 });
  });
});
