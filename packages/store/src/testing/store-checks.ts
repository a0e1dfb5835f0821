/** What every Store must do, whatever is behind it. */
import assert from 'node:assert/strict';
import { StoreError } from '../errors';
import { HISTORY_PER_KEY, MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../limits';
import type { Store } from '../store';
import { bytes, type Check, contents, noted, replay, text, upToCurrent } from './bench';

const code = (expected: StoreError['code'], message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StoreError, `a StoreError, not ${String(error)}`);
  assert.equal(error.code, expected);
  assert.ok(!error.message.includes('\n') && error.message.length > 20);
  if (message) assert.match(error.message, message);
  return true;
};

const valueOf = async (store: Store, key: string): Promise<string | undefined> => {
  const entry = await store.get(key);
  return entry && text(entry.value);
};

export const STORE_CHECKS: readonly Check[] = [
  {
    name: 'writes are compare-and-swap, revisions grow, a deletion is a change too',
    async run(open) {
      const { store } = await (await open()).client();
      assert.equal(await store.get('a'), undefined);
      const first = await store.put('a', bytes('1'), { expect: 0 });
      await assert.rejects(store.put('a', bytes('x'), { expect: 0 }), code('conflict', /a exists already/));
      const second = await store.put('a', bytes('2'), { expect: first });
      await assert.rejects(store.put('a', bytes('x'), { expect: first }), code('conflict', /a was changed meanwhile/));
      const third = await store.put('a', bytes('3'));
      await assert.rejects(store.delete('a', { expect: second }), code('conflict'));
      assert.equal(await valueOf(store, 'a'), '3');
      assert.equal((await store.get('a'))?.revision, third);
      const fourth = await store.delete('a', { expect: third });
      assert.ok(0 < first && first < second && second < third && third < fourth);
      assert.equal(await store.get('a'), undefined);
      await assert.rejects(store.put('a', bytes('x'), { expect: third }), code('conflict', /a was deleted meanwhile/));
      await assert.rejects(store.delete('a'), code('not-found', /no a in the store/));
      assert.ok((await store.put('a', bytes('again'), { expect: 0 })) > fourth);
    },
  },
  {
    name: 'values are bytes, copied; an empty one is a value',
    async run(open) {
      const { store } = await (await open()).client();
      const value = Uint8Array.from({ length: 256 }, (_, index) => index);
      const written = store.put('bytes', value);
      value.fill(0);
      await written;
      const { value: read } = (await store.get('bytes'))!;
      assert.deepEqual(
        [...read],
        Array.from({ length: 256 }, (_, index) => index),
      );
      await store.put('empty', new Uint8Array());
      assert.equal((await store.get('empty'))?.value.length, 0);
    },
  },
  {
    name: 'keys and sizes out of bounds are refused, those at the bounds are not',
    async run(open) {
      const { store } = await (await open()).client();
      for (const key of [
        '',
        '/a',
        'a/',
        'a//b',
        'a b',
        'a.',
        '.a',
        'a..b',
        'a*',
        'a>',
        '_own',
        'a/_b',
        'ä',
        'a/b/c/d/e/f/g/h/i/j/k/l/m',
        'a\n',
      ]) {
        await assert.rejects(store.put(key, bytes('')), RangeError, key);
        await assert.rejects(store.get(key), RangeError, key);
      }
      const longest = 'k'.repeat(MAX_KEY_BYTES);
      await assert.rejects(store.put(`${longest}k`, bytes('')), code('too-large'));
      await assert.rejects(store.put('a', new Uint8Array(MAX_VALUE_BYTES + 1)), code('too-large', /value of a has 262145 bytes/));
      await store.put(longest, new Uint8Array(MAX_VALUE_BYTES));
      assert.equal((await store.get(longest))?.value.length, MAX_VALUE_BYTES);
      for (const key of ['A-1_x=/b.c/0', '-', 'a=']) await store.put(key, bytes(key));
      assert.throws(() => store.watch('no-slash'), RangeError);
      await assert.rejects(store.list('no-slash'), RangeError);
    },
  },
  {
    name: 'a list has whole segments, sorted, as of one revision',
    async run(open) {
      const { store } = await (await open()).client();
      for (const key of ['vms/b', 'vms/a/x', 'vms2/a', 'vms', 'hosts/a', 'vms/a', 'vms/a.b', 'vms/a0', 'gone/a'])
        await store.put(key, bytes(key));
      const last = await store.delete('gone/a');
      const { entries, revision } = await store.list('vms/');
      assert.deepEqual(
        entries.map(({ key }) => key),
        ['vms/a', 'vms/a.b', 'vms/a/x', 'vms/a0', 'vms/b'],
      );
      assert.ok(revision >= last);
      assert.deepEqual(
        entries.map(({ key, value }) => text(value) === key),
        Array(5).fill(true),
      );
      assert.equal((await store.list('')).entries.length, 8);
      assert.deepEqual((await store.list('none/')).entries, []);
      assert.deepEqual((await store.list('vms/', { local: true })).entries.length, 5);
    },
  },
  {
    name: 'a guard ties a write to another key',
    async run(open) {
      const { store } = await (await open()).client();
      const guard = {
        key: 'lock',
        holds: (entry: { value: Uint8Array } | undefined) => !!entry && text(entry.value) === 'mine',
        otherwise: 'the lock is not mine; get it',
      };
      await assert.rejects(store.put('a', bytes('1'), { guards: [guard] }), code('conflict', /^the lock is not mine; get it$/));
      await store.put('lock', bytes('mine'));
      await store.put('a', bytes('1'), { guards: [guard] });
      await store.put('lock', bytes('theirs'));
      await assert.rejects(store.delete('a', { guards: [guard] }), code('conflict'));
      assert.equal(await valueOf(store, 'a'), '1');
    },
  },
  {
    name: 'a watch shows what is there, then changes in order, and can be resumed',
    async run(open) {
      const { store } = await (await open()).client();
      await store.put('w/a', bytes('1'));
      await store.put('w/b', bytes('1'));
      await store.delete('w/b');
      await store.put('other', bytes('1'));
      const watch = store.watch('w/');
      const events = watch[Symbol.asyncIterator]();
      assert.deepEqual(noted(await upToCurrent(events)), ['reset', 'w/a=1', 'current']);
      await store.put('w/c', bytes('1'));
      const seen = await upToCurrent(events);
      assert.deepEqual(noted(seen), ['w/c=1', 'current']);
      const after = (seen[1] as { revision: number }).revision;
      watch.close();
      assert.equal((await events.next()).done, true);
      await store.put('w/a', bytes('2'));
      await store.delete('w/c');
      await store.put('other', bytes('2'));
      const resumed = store.watch('w/', { after });
      assert.deepEqual(noted(await upToCurrent(resumed[Symbol.asyncIterator]())), ['w/a=2', 'w/c deleted', 'current']);
      resumed.close();
      const fromTheFuture = store.watch('w/', { after: 1e12 });
      assert.deepEqual(noted(await upToCurrent(fromTheFuture[Symbol.asyncIterator]())), ['reset', 'w/a=2', 'current']);
      fromTheFuture.close();
    },
  },
  {
    name: 'watches that keep up, lag behind, and come late all end with the truth, in order',
    async run(open) {
      const bench = await open();
      const [writer, reader] = [(await bench.client()).store, (await bench.client()).store];
      const [keen, slow] = [reader.watch('w/')[Symbol.asyncIterator](), reader.watch('w/')[Symbol.asyncIterator]()];
      const [keenKnows, slowKnows] = [new Map<string, string>(), new Map<string, string>()];
      replay(slowKnows, await upToCurrent(slow));
      let last = 0;
      const follow = (async () => {
        for (;;) {
          const events = await upToCurrent(keen);
          for (const event of events) {
            if (event.type === 'reset') continue;
            assert.ok(event.revision >= last, 'revisions never go back');
            last = event.revision;
          }
          replay(keenKnows, events);
          if (keenKnows.has('w/end')) return;
        }
      })();
      await Promise.all(Array.from({ length: 900 }, (_, index) => writer.put(`w/${index % 300}`, bytes(`${index}`))));
      for (let index = 0; index < 300; index += 3) await writer.delete(`w/${index}`);
      await writer.put('w/end', bytes('end'));
      await follow;
      while (!slowKnows.has('w/end')) replay(slowKnows, await upToCurrent(slow));
      const truth = await contents(writer, 'w/');
      assert.equal(truth.size, 201);
      assert.deepEqual(new Map([...keenKnows].sort()), new Map([...truth].sort()));
      assert.deepEqual(new Map([...slowKnows].sort()), new Map([...truth].sort()));
    },
  },
  {
    name: 'a watch from before forgotten deletions begins anew',
    async run(open) {
      const bench = await open({ deletions: { kept: 20, tidyAt: 30, minAgeMs: -60_000 } });
      const { store } = await bench.client();
      await store.put('w/old', bytes('1'));
      const start = await store.put('w/stays', bytes('1'));
      for (let index = 0; index < 40; index++) {
        await store.put(`w/${index}`, bytes('1'));
        await store.delete(`w/${index}`);
      }
      const fromThen = async (client: Store, after: number): Promise<string[]> => {
        const watch = client.watch('w/', { after });
        const seen = noted(await upToCurrent(watch[Symbol.asyncIterator]()));
        watch.close();
        return seen;
      };
      const until = Date.now() + 10_000;
      while ((await fromThen(store, start))[0] !== 'reset' && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(await fromThen(store, start), ['reset', 'w/old=1', 'w/stays=1', 'current']);
      const later = (await store.list('')).revision;
      await store.put('w/new', bytes('1'));
      assert.deepEqual(await fromThen(store, later), ['w/new=1', 'current']);
      await bench.closeAll();
      const again = (await bench.client()).store;
      assert.deepEqual(await fromThen(again, start), ['reset', 'w/old=1', 'w/stays=1', 'w/new=1', 'current']);
    },
  },
  {
    name: 'each key has its last changes, newest first, no more than the bound',
    async run(open) {
      const { store } = await (await open()).client();
      assert.deepEqual(await store.history('h'), []);
      for (let index = 0; index < HISTORY_PER_KEY + 3; index++) await store.put('h', bytes(`${index}`));
      await store.put('other', bytes('1'));
      await store.delete('h');
      const history = await store.history('h');
      assert.equal(history.length, HISTORY_PER_KEY);
      assert.deepEqual(
        history.slice(0, 3).map((change) => (change.type === 'put' ? text(change.value) : change.type)),
        ['delete', `${HISTORY_PER_KEY + 2}`, `${HISTORY_PER_KEY + 1}`],
      );
    },
  },
  {
    name: 'a full store says so, keeps what it has, can still be emptied, and goes on',
    async run(open) {
      const { store } = await (await open({ maxBytes: 10_000 })).client();
      await store.put('a', new Uint8Array(5_000));
      await store.put('b', new Uint8Array(4_000));
      await assert.rejects(store.put('c', new Uint8Array(2_000)), code('full', /store holds 9002 of 10000 bytes/));
      await assert.rejects(store.put('b', new Uint8Array(6_000)), code('full'));
      assert.equal((await store.get('b'))?.value.length, 4_000);
      await store.put('a', new Uint8Array(4_000));
      await store.delete('b');
      await store.put('c', new Uint8Array(5_000));
      assert.deepEqual([...(await contents(store)).keys()], ['a', 'c']);
    },
  },
  {
    name: 'what was acknowledged is there after closing and opening, and revisions go on',
    async run(open) {
      const bench = await open();
      const { store } = await bench.client();
      await store.put('a', bytes('1'));
      const last = await store.delete('a').then(() => store.put('b', bytes('2')));
      const watch = store.watch('')[Symbol.asyncIterator]();
      await upToCurrent(watch);
      await bench.closeAll();
      assert.equal((await watch.next()).done, true);
      await assert.rejects(store.get('b'), code('unavailable', /the store is closed/));
      await assert.rejects(store.put('b', bytes('3')), code('unavailable'));
      const again = (await bench.client()).store;
      assert.deepEqual(await contents(again), new Map([['b', '2']]));
      assert.equal((await again.get('b'))?.revision, last);
      assert.ok((await again.put('b', bytes('3'), { expect: last })) > last);
    },
  },
];
