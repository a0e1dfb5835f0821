/**
 * Proves that a VM is warm when it arrives: most code that it needs after the switch
 * has been translated ahead, by the engine's own counters; and that this changes
 * nothing else: results are the same with and without, code that changes while it
 * moves is never run stale, even where the word of a change is lost, and no list of
 * hot blocks, however false, does harm. The guest (support/many-functions.s) checks
 * each answer of its 4096 functions against their bytes.
 */
import path from 'node:path';
import { Random } from '../../packages/migration/src/testing/random';
import { hostileLists } from './support/hostile-lists';
import { finish, guestImage, move, started, withSides } from './support/warm-move.mjs';

const FUNCTIONS = 4096;
/** Those on pages that the rewriting guest changes. */
const REWRITTEN = 1024;

test('most blocks that the guest needs after the switch are found warm, and its results are those of a cold move', () =>
  withSides(async (folder, side) => {
    const image = guestImage(folder, 0);
    const results = [];
    for (const list of [(hot: Uint8Array | null) => hot, () => null]) {
      const from = side('source', image), to = side('target');
      await started(from);
      const before = await move(from, to, { list });
      results.push({ before, ...(await finish(to)) });
    }
    const [hot, none] = results;
    expect(hot.before.warm.translated).toBeGreaterThan(FUNCTIONS);
    expect(hot.stats.native.WarmUsed).toBeGreaterThan(FUNCTIONS);
    expect(hot.stats.translation.blocks).toBeLessThan(FUNCTIONS / 20);
    expect(none.stats.native.WarmUsed).toBe(0);
    expect(none.stats.translation.blocks).toBeGreaterThan(FUNCTIONS);
    for (const { stale, bad, end, sum } of results) expect({ stale, bad, end, sum }).toEqual({ stale: 0, bad: 0, end: 'power-off', sum: hot.sum });
  }));

test('code that changes between rounds is translated again, and never run stale', () =>
  withSides(async (folder, side) => {
    const image = guestImage(folder, 256);
    const from = side('source', image), to = side('target');
    await started(from);
    const before = await move(from, to, { rounds: 6 });
    const { stale, end, stats } = await finish(to);
    expect({ stale, end }).toEqual({ stale: 0, end: 'power-off' });
    // Told of each write, the target noticed what had changed and made it anew.
    expect(before.warm.dropped).toBeGreaterThan(0);
    expect(before.warm.translated).toBeGreaterThan(FUNCTIONS);
    expect(stats.native.WarmUsed).toBeGreaterThan(FUNCTIONS - REWRITTEN);
  }));

test('code that changes unnoticed is not run stale either: its bytes are compared at its first use', () =>
  withSides(async (folder, side) => {
    const image = guestImage(folder, 256);
    const from = side('source', image), to = side('target');
    await started(from);
    const before = await move(from, to, { rounds: 6, quietFrom: 1 });
    const { stale, end, stats } = await finish(to);
    expect({ stale, end }).toEqual({ stale: 0, end: 'power-off' });
    expect(before.warm.dropped).toBe(0);
    expect(stats.native.WarmStale).toBeGreaterThan(0);
    expect(stats.native.WarmUsed).toBeGreaterThan(FUNCTIONS - REWRITTEN);
  }));

test('lists full of lies cost time and nothing else', () =>
  withSides(async (folder, side) => {
    const seed = Number(process.env.GODWIT_WARM_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const image = guestImage(folder, 256);
    const from = side('source', image), to = side('target');
    await started(from);
    try {
      await move(from, to, { list: (hot: Uint8Array | null) => [...hostileLists(new Random(seed), hot!), hot!] });
      const { stale, end, stats } = await finish(to);
      expect({ stale, end }).toEqual({ stale: 0, end: 'power-off' });
      expect(stats.warm.listed).toBeGreaterThan(10_000);
      expect(stats.native.WarmUsed).toBeGreaterThan(FUNCTIONS - REWRITTEN);
    } catch (error) {
      throw new Error(`GODWIT_WARM_SEED=${seed}: ${(error as Error).stack}`);
    }
  }));

test('a saved VM carries the list, is warm when it goes on, and goes on without it', () =>
  withSides(async (folder, side) => {
    const image = guestImage(folder, 0);
    const file = path.join(folder, 'state');
    const from = side('source', image);
    await started(from);
    await from.do('saveFile', { path: file });
    from.stop();
    for (const plain of [false, true]) {
      const to = side('target');
      const hot = await to.do('loadFile', { path: file, plain });
      expect(hot).toBeGreaterThan(8 * FUNCTIONS);
      const { stale, bad, end, stats } = await finish(to);
      expect({ stale, bad, end }).toEqual({ stale: 0, bad: 0, end: 'power-off' });
      if (plain) expect(stats.warm.listed).toBe(0);
      else expect(stats.native.WarmUsed).toBeGreaterThan(0);
    }
  }));
