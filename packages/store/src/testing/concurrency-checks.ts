/** Several clients at once: histories that must be linearizable, counters that must not lose a step, leaders that must be one. */
import assert from 'node:assert/strict';
import { Elector } from '../election/elector';
import type { ElectionTiming } from '../election/timing';
import { isConflict, StoreError } from '../errors';
import type { Memory } from '../memory';
import type { Store } from '../store';
import { type Bench, bytes, type Check, text } from './bench';
import { findViolation, type Operation, type Value } from './linearizability';
import { Random } from './random';

const CLIENTS = 4;
const KEYS = ['k/0', 'k/1', 'k/2'];

export interface Histories {
  readonly byKey: ReadonlyMap<string, readonly Operation[]>;
  readonly counts: Readonly<Record<string, number>>;
}

/** Clients that read, replace, create and delete a few keys at random until `enough`, noting every call and answer. */
export async function recordHistories(
  clients: readonly Store[],
  seed: number,
  enough: (operations: number, counts: Readonly<Record<string, number>>) => boolean,
): Promise<Histories> {
  const byKey = new Map<string, Operation[]>(KEYS.map((key) => [key, []]));
  const counts: Record<string, number> = {};
  let operations = 0;
  const act = async (
    store: Store,
    client: number,
    random: Random,
    known: Map<string, { revision: number; value: Value }>,
  ): Promise<void> => {
    const key = random.pick(KEYS);
    const called = performance.now();
    const note = (what: string, done: Operation['act'], answered = performance.now()): void => {
      counts[what] = (counts[what] ?? 0) + 1;
      byKey.get(key)!.push({ client, called, answered, act: done });
    };
    const at = known.get(key);
    if (!at || random.chance(0.4)) {
      const entry = await store.get(key).catch(() => null);
      if (entry === null) return;
      const value = entry ? text(entry.value) : null;
      known.set(key, { revision: entry?.revision ?? 0, value });
      return note('read', { do: 'read', saw: value });
    }
    const wrote: Value = random.chance(0.15) && at.value !== null ? null : `${client}.${operations}`;
    const isBlind = wrote !== null && random.chance(0.1);
    const expected = isBlind ? {} : { expected: at.value };
    const options = isBlind ? {} : { expect: at.revision };
    known.delete(key);
    try {
      const revision = wrote === null ? await store.delete(key, options) : await store.put(key, bytes(wrote), options);
      note('written', { do: 'write', ...expected, wrote, done: true });
      known.set(key, { revision: wrote === null ? 0 : revision, value: wrote });
    } catch (error) {
      if (isConflict(error)) note('conflict', { do: 'write', ...expected, wrote, done: false });
      else if (!(error instanceof StoreError)) throw error;
      else if (error.mayHaveHappened) note('unknown', { do: 'write', ...expected, wrote, done: false }, Number.POSITIVE_INFINITY);
      else counts[error.code] = (counts[error.code] ?? 0) + 1;
    }
  };
  await Promise.all(
    clients.map(async (store, client) => {
      const random = new Random(seed * 100 + client);
      const known = new Map<string, { revision: number; value: Value }>();
      for (; !enough(operations, counts); operations++) await act(store, client, random, known);
    }),
  );
  return { byKey, counts };
}

export function assertLinearizable({ byKey }: Histories, seed: number): void {
  for (const [key, history] of byKey) {
    const violation = findViolation(history);
    assert.equal(violation, undefined, `seed ${seed}, ${key}: no order explains ${JSON.stringify(violation)}`);
  }
}

const clientsOf = (bench: Bench, count = CLIENTS): Promise<Memory[]> => Promise.all(Array.from({ length: count }, () => bench.client()));

const TIMING: ElectionTiming = { leaseMs: 3_000, beatMs: 300, leadMs: 300 };

export const CONCURRENCY_CHECKS: readonly Check[] = [
  {
    name: 'concurrent reads, writes and deletions are linearizable',
    async run(open, seed) {
      const clients = await clientsOf(await open());
      const histories = await recordHistories(
        clients.map(({ store }) => store),
        seed,
        // How often writers meet depends on how busy the machine is: they go on until they have met often enough.
        (operations, { conflict = 0 }) => operations >= 600 && (conflict > 20 || operations >= 10_000),
      );
      for (const what of ['read', 'written', 'conflict'])
        assert.ok(histories.counts[what] > 20, `${what}: ${JSON.stringify(histories.counts)}`);
      assertLinearizable(histories, seed);
    },
  },
  {
    name: 'counting by compare-and-swap loses no step',
    async run(open) {
      const clients = await clientsOf(await open());
      const count = async ({ store }: Memory): Promise<void> => {
        for (let step = 0; step < 25; ) {
          const entry = await store.get('counter');
          const next = bytes(`${Number(entry ? text(entry.value) : 0) + 1}`);
          try {
            await store.put('counter', next, { expect: entry?.revision ?? 0 });
            step++;
          } catch (error) {
            if (!isConflict(error)) throw error;
          }
        }
      };
      await Promise.all(clients.map(count));
      assert.equal(text((await clients[0].store.get('counter'))!.value), `${25 * CLIENTS}`);
    },
  },
  {
    name: 'of several candidates one leads; after it resigned another does, in a later term, and the first can write no more',
    async run(open) {
      const bench = await open();
      const clients = await clientsOf(bench, 3);
      const elected: { who: number; term: number; store: Store }[] = [];
      let wake = (): void => undefined;
      const electors = clients.map(({ store }, who) => {
        const elector = new Elector(store, { id: `id-${who}`, name: `host-${who}`, address: `10.0.0.${who}:1` }, { timing: TIMING });
        elector.on('elected', ({ term, store: fenced }) => {
          elected.push({ who, term, store: fenced });
          wake();
        });
        return elector;
      });
      const electedAfter = async (before: number): Promise<(typeof elected)[number]> => {
        while (elected.length <= before) await new Promise<void>((resolve) => (wake = resolve));
        return elected[before];
      };
      for (const elector of electors) elector.start();
      const first = await electedAfter(0);
      await first.store.put('work', bytes('1'));
      assert.equal(electors.filter((elector) => elector.mayAct()).length, 1);
      await electors[first.who].stop();
      const second = await electedAfter(1);
      assert.notEqual(second.who, first.who);
      assert.ok(second.term > first.term);
      await second.store.put('work', bytes('2'));
      await assert.rejects(
        first.store.put('work', bytes('3')),
        (error: unknown) => isConflict(error) && /no longer leads \(its term was/.test(String(error)),
      );
      await assert.rejects(first.store.delete('work'), isConflict);
      // The store was restored, say, and the hosts know later terms.
      electors[second.who].raiseTerm(second.term + 1_000);
      const third = await electedAfter(2);
      assert.ok(third.term > second.term);
      await Promise.all(electors.map((elector) => elector.stop()));
      await assert.rejects(third.store.put('work', bytes('4')), isConflict);
      assert.equal(text((await clients[0].store.get('work'))!.value), '2');
    },
  },
];
