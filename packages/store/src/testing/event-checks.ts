/** What every EventLog must do. */
import assert from 'node:assert/strict';
import { StoreError } from '../errors';
import type { StoredEvent, SubscriptionEvent } from '../events';
import { MAX_EVENT_BYTES } from '../limits';
import type { Check } from './bench';

const dataOf = (events: readonly StoredEvent[]): unknown[] => events.map(({ data }) => data);

async function take(events: AsyncIterator<SubscriptionEvent>, count: number): Promise<SubscriptionEvent[]> {
  const taken: SubscriptionEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

const seen = (events: readonly SubscriptionEvent[]): unknown[] => events.map((one) => (one.type === 'event' ? one.event.data : one.type));

export const EVENT_CHECKS: readonly Check[] = [
  {
    name: 'events are read backwards, by subject, time and page',
    async run(open) {
      const bench = await open();
      const { events } = await bench.client();
      assert.deepEqual(await events.read({ limit: 10 }), []);
      const sequences: number[] = [];
      for (let index = 0; index < 200; index++) {
        sequences.push(await events.publish({ kind: index % 50 === 0 ? 'host' : 'vm', id: `id-${index % 2}`, data: index }));
      }
      assert.deepEqual(
        sequences,
        [...sequences].sort((a, b) => a - b),
      );
      assert.deepEqual(dataOf(await events.read({ limit: 3 })), [199, 198, 197]);
      assert.deepEqual(dataOf(await events.read({ kind: 'host', limit: 10 })), [150, 100, 50, 0]);
      assert.deepEqual(dataOf(await events.read({ kind: 'vm', id: 'id-1', limit: 2 })), [199, 197]);
      assert.deepEqual(dataOf(await events.read({ id: 'id-0', limit: 2 })), [198, 196]);
      assert.deepEqual(dataOf(await events.read({ kind: 'host', before: sequences[100], limit: 10 })), [50, 0]);
      const [newest] = await events.read({ limit: 1 });
      assert.deepEqual(newest, { kind: 'vm', id: 'id-1', data: 199, sequence: sequences[199], timeMs: newest.timeMs });
      assert.ok(Math.abs(newest.timeMs - Date.now()) < 60_000);
      assert.equal((await events.read({ sinceMs: newest.timeMs + 60_000, limit: 5 })).length, 0);
      assert.equal((await events.read({ untilMs: newest.timeMs - 60_000, limit: 5 })).length, 0);
      assert.equal((await events.read({ sinceMs: newest.timeMs - 60_000, untilMs: newest.timeMs + 1, limit: 500 })).length, 200);
      await bench.closeAll();
      assert.deepEqual(dataOf(await (await bench.client()).events.read({ limit: 1 })), [199]);
    },
  },
  {
    name: 'wrong names and too large events are refused',
    async run(open) {
      const { events } = await (await open()).client();
      for (const kind of ['', 'a.b', 'a b', '*', '>', 'x'.repeat(129)])
        await assert.rejects(events.publish({ kind, id: 'a', data: 0 }), RangeError);
      await assert.rejects(
        events.publish({ kind: 'vm', id: 'a', data: 'x'.repeat(MAX_EVENT_BYTES) }),
        (error: unknown) => error instanceof StoreError && error.code === 'too-large',
      );
      await events.publish({ kind: 'vm', id: 'a', data: undefined });
      assert.deepEqual(dataOf(await events.read({ limit: 5 })), [null]);
    },
  },
  {
    name: 'a subscription shows what comes, in order, to every client; a later one begins where it is told',
    async run(open) {
      const bench = await open();
      const [here, there] = [(await bench.client()).events, (await bench.client()).events];
      const start = await here.publish({ kind: 'vm', id: 'a', data: 'before' });
      const [all, hosts] = [there.subscribe({}), here.subscribe({ kind: 'host' })];
      await here.publish({ kind: 'vm', id: 'a', data: 1 });
      await there.publish({ kind: 'host', id: 'h', data: 2 });
      await here.publish({ kind: 'vm', id: 'b', data: 3 });
      assert.deepEqual(seen(await take(hosts[Symbol.asyncIterator](), 1)), [2]);
      const iterator = all[Symbol.asyncIterator]();
      // The other client may have been shown the first one only now.
      const first = await take(iterator, 1);
      assert.deepEqual(
        seen([...first, ...(await take(iterator, seen(first)[0] === 'before' ? 3 : 2))]).filter((data) => data !== 'before'),
        [1, 2, 3],
      );
      const resumed = here.subscribe({ kind: 'vm' }, { after: start });
      assert.deepEqual(seen(await take(resumed[Symbol.asyncIterator](), 2)), [1, 3]);
      for (const one of [all, hosts, resumed]) one.close();
      assert.equal((await iterator.next()).done, true);
    },
  },
  {
    name: 'the oldest go, and who was too slow is told',
    async run(open) {
      const { events } = await (await open({ maxEvents: 50 })).client();
      const start = await events.publish({ kind: 'vm', id: 'a', data: 0 });
      for (let index = 1; index <= 120; index++) await events.publish({ kind: 'vm', id: 'a', data: index });
      const read = dataOf(await events.read({ limit: 500 }));
      assert.deepEqual([read.length, read[0], read[49]], [50, 120, 71]);
      const late = await (await open({ maxEvents: 50 })).client();
      assert.deepEqual(await late.events.read({ limit: 1 }), []);
      const behind = events.subscribe({}, { after: start - 1 });
      const shown = seen(await take(behind[Symbol.asyncIterator](), 3));
      behind.close();
      // The newest may still be in memory; what is shown is without a gap, or the gap is told.
      assert.ok(shown[0] === 'lost' ? shown[1] === 71 : shown[0] === 0, JSON.stringify(shown));
    },
  },
  {
    name: 'old events go by their age',
    async run(open) {
      const { events } = await (await open({ maxEventAgeMs: 1_000 })).client();
      await events.publish({ kind: 'vm', id: 'a', data: 'old' });
      const until = Date.now() + 15_000;
      let left: unknown[] = ['old'];
      while (left.includes('old') && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        await events.publish({ kind: 'vm', id: 'a', data: 'new' });
        left = dataOf(await events.read({ limit: 100 }));
      }
      assert.ok(!left.includes('old') && left.includes('new'));
    },
  },
];
