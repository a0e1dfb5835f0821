/** Proves: the small parts, each by itself: planner, pacing, packing, versions, control messages, registry, history. */
import { StreamError } from './errors';
import { MAX_RECORDED_ROUNDS } from './limits';
import { Pacer } from './pacer';
import { agreeVersion, parseSourceMessage, parseTargetMessage } from './protocol';
import { MigrationRegistry } from './registry';
import { RoundPlanner } from './round-planner';
import { keepRound, type RoundRecord } from './statistics';
import { PackAdvisor } from './stream/pack-advisor';
import { SentCache } from './stream/sent-cache';
import { Random } from './testing/random';
import { vmFacts } from './testing/facts';

describe('planner', () => {
  test('gives every page named, ascending, once, as a plain set would', () => {
    const random = new Random(3);
    for (let turn = 0; turn < 60; turn++) {
      const pageCount = 1 + random.below(70);
      const planner = new RoundPlanner(pageCount);
      const model = new Set<number>();
      for (let step = 0; step < 12; step++) {
        const offset = random.below(4);
        const dirty = new Uint8Array(pageCount + 4).subarray(offset, offset + pageCount);
        for (let count = random.below(20); count > 0; count--) dirty[random.below(pageCount)] = 1 + random.below(255);
        expect(planner.addDirty(dirty)).toBe(dirty.filter(Boolean).length);
        dirty.forEach((value, page) => value && model.add(page));
        if (random.chance(0.3)) planner.addRuns([{ firstPage: pageCount - 1, pages: 9 }]), model.add(pageCount - 1);
        expect(planner.pages).toBe(model.size);
        for (let count = random.below(30); count > 0; count--) {
          const page = planner.take();
          expect(page).toBe(model.size > 0 ? Math.min(...model) : -1);
          model.delete(page);
        }
      }
    }
  });
});

test('sent pages: bounded, and a set larger than the cache keeps the part that is there', () => {
  const cache = new SentCache(100, 40 * 4096);
  const words = new Int32Array(1024);
  for (let round = 1; round < 6; round++) {
    for (let page = 0; page < 60; page++) cache.put(page, round, words.fill(page), 0);
    expect(cache.pages).toBe(40);
    const found = Array.from({ length: 60 }, (_, page) => cache.find(page)).filter((slot) => slot >= 0);
    expect(found.length).toBe(40);
    expect(new Set(found).size).toBe(40);
  }
  // Another working set takes the room over once the first is left alone.
  for (let round = 8; round < 12; round++) for (let page = 60; page < 100; page++) cache.put(page, round, words.fill(page), 0);
  const slot = cache.find(99);
  expect(cache.wordsOf(slot)[cache.offsetOf(slot)]).toBe(99);
  cache.drop(99);
  expect(cache.find(99)).toBe(-1);
});

test('the bandwidth cap is kept, changes at once, and lends no more than a moment', () => {
  const pacer = new Pacer();
  let now = 0;
  let bytes = 0;
  while (now < 1000) {
    now += pacer.waitMs(now, 1_000_000);
    pacer.sent(now, 10_000, 1_000_000);
    bytes += 10_000;
  }
  expect(bytes).toBeGreaterThan(980_000);
  expect(bytes).toBeLessThan(1_060_000);
  expect(pacer.waitMs(now, 0)).toBe(0);
});

describe('packing', () => {
  const BATCH = 512 * 1024;
  /** How often of 400 batches it is packed, where a batch takes so many milliseconds. */
  const played = (plainMs: number, packedMs: number, packedBytes: number, advisor = new PackAdvisor()): number => {
    let now = 0;
    let packed = 0;
    advisor.begin(now);
    for (let batch = 0; batch < 400; batch++) {
      const packs = advisor.wants(BATCH, now, false);
      if (packs) advisor.note(BATCH, packedBytes);
      packed += packs ? 1 : 0;
      now += packs ? packedMs : plainMs;
    }
    return packed / 400;
  };
  test('goes on where it is quicker, and stops where it is not', () => {
    expect(played(5, 2, BATCH / 2)).toBeGreaterThan(0.8);
    expect(played(1, 1.5, BATCH / 2)).toBeLessThan(0.2);
    expect(played(2, 1.9, BATCH / 2)).toBeLessThan(0.2);
  });
  test('not when nothing gets smaller, however the times look', () => {
    expect(played(5, 2, 0)).toBeLessThan(0.2);
  });
  test('a change is noticed', () => {
    const advisor = new PackAdvisor();
    expect(played(1, 1.5, BATCH / 2, advisor)).toBeLessThan(0.2);
    played(5, 2, BATCH / 2, advisor);
    expect(played(5, 2, BATCH / 2, advisor)).toBeGreaterThan(0.8);
  });
  test('nothing is tried in the last round', () => {
    const advisor = new PackAdvisor();
    expect(Array.from({ length: 40 }, (_, now) => advisor.wants(BATCH, now, true))).not.toContain(true);
    played(5, 2, BATCH / 2, advisor);
    expect(Array.from({ length: 40 }, (_, now) => advisor.wants(BATCH, now, true))).not.toContain(false);
  });
});

test('versions: the newest that both speak', () => {
  expect(agreeVersion({ oldest: 1, newest: 2 }, { oldest: 2, newest: 3 })).toBe(2);
  expect(agreeVersion({ oldest: 2, newest: 3 }, { oldest: 1, newest: 2 })).toBe(2);
  expect(agreeVersion({ oldest: 3, newest: 4 }, { oldest: 1, newest: 2 })).toBeUndefined();
});

describe('control messages', () => {
  const offer = {
    type: 'offer',
    protocol: { oldest: 1, newest: 1 },
    migrationId: 'm',
    vm: vmFacts(),
    config: { anything: [1] },
    source: { hostId: 'a', hostName: 'b', vmmId: 'c' },
    wallClockMs: 5,
  };
  test('come through as they were, without what a later version may add', () => {
    expect(parseSourceMessage(JSON.stringify({ ...offer, later: 1 }))).toEqual(offer);
    expect(parseTargetMessage('{"type":"received","round":3}')).toEqual({ type: 'received', round: 3 });
  });
  test.each([
    ['no JSON', '{'],
    ['no record', '7'],
    ['an unknown type', '{"type":"postcopy"}'],
    ['a type that every object has', '{"type":"constructor"}'],
    ['a field missing', '{"type":"roundEnd","round":1}'],
    ['a number that is none', '{"type":"pausing","round":"1"}'],
    ['a number out of bounds', '{"type":"pausing","round":-1}'],
    ['RAM larger than any', JSON.stringify({ ...offer, vm: vmFacts({ memoryBytes: 2 ** 50 }) })],
    ['a list too long', JSON.stringify({ ...offer, vm: vmFacts({ networks: Array(2000).fill('x') }) })],
    ['a text too long', JSON.stringify({ type: 'cancel', why: 'x'.repeat(5000) })],
    ['far too much', `{"type":"cancel","why":"${'x'.repeat(300_000)}"}`],
  ])('%s is a StreamError', (_, json) => {
    expect(() => parseSourceMessage(json)).toThrow(StreamError);
  });
});

test('a second migration of a VM is refused, with the first one named', () => {
  const registry = new MigrationRegistry();
  expect(registry.begin('vm-1', 'm-1', 'out')).toBeNull();
  expect(registry.begin('vm-1', 'm-2', 'in')).toMatch(/being moved away already by migration m-1/);
  expect(registry.begin('vm-2', 'm-3', 'in')).toBeNull();
  registry.end('vm-1', 'm-2');
  expect(registry.current('vm-1')).toBe('m-1');
  registry.end('vm-1', 'm-1');
  expect(registry.begin('vm-1', 'm-2', 'out')).toBeNull();
});

test('a long history of rounds is thinned out, its newest kept', () => {
  let rounds: readonly RoundRecord[] = [];
  for (let round = 0; round < 2000; round++) rounds = keepRound(rounds, { round } as RoundRecord);
  expect(rounds.length).toBeLessThanOrEqual(MAX_RECORDED_ROUNDS);
  expect(rounds.slice(-100).map(({ round }) => round)).toEqual(Array.from({ length: 100 }, (_, index) => 1900 + index));
  expect(rounds[0].round).toBe(0);
});
