/** Proves: a watch shows what is there, then each change; what a broken watch tells again is not shown again, and what has gone meanwhile is. */
import type { Change } from '../commands/shared';
import { exitCodes } from '../../errors';
import { Flags } from '../core/flags';
import type { Invocation } from '../core/command';
import type { Format } from '../core/shared-options';
import { type Kind, Output } from '../output/output';
import { testIo, type TestIo } from '../testing/io';
import { watchList } from './watch-list';

interface Thing {
  readonly id: string;
  readonly state: string;
  readonly age: number;
}
const kind: Kind<Thing> = {
  name: ({ id }) => id,
  columns: [
    { title: 'NAME', cell: ({ id }) => id },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'AGE', cell: ({ age }) => String(age), live: true },
  ],
};
const put = (id: string, state: string, age = 0): Change<Thing> => ({ change: 'CHANGE_KIND_PUT', item: { id, state, age } });
const removed = (id: string): Change<Thing> => ({ change: 'CHANGE_KIND_REMOVED', item: { id, state: '', age: 0 } });
const synced: Change<Thing> = { change: 'CHANGE_KIND_SYNCED', item: undefined };

/** Each list is one stream; the watch is begun anew for the next. */
async function watched(streams: readonly (readonly Change<Thing>[])[], format: Format): Promise<TestIo> {
  const io = testIo();
  const session = {
    follow: async function* (begin: (client: unknown, options: unknown) => AsyncIterable<Change<Thing>>) {
      for (const _ of streams) yield* begin(undefined, undefined);
    },
  };
  let at = 0;
  const given = { flags: new Flags(new Map()), io, output: new Output(io, format, true), session: () => session } as unknown as Invocation;
  const code = await watchList(given, {
    kind,
    id: ({ id }) => id,
    none: 'none',
    begin: async function* () {
      yield* streams[at++];
    },
  });
  expect(code).toBe(exitCodes.ok);
  return io;
}

test('a table, then a line a change; what only grows older is none', async () => {
  const { stdout } = await watched(
    [[put('b', 'runs'), put('a', 'runs'), synced, put('a', 'runs', 5), put('a', 'stops'), removed('b')]],
    'table',
  );
  expect(stdout).toBe('NAME  STATE  AGE\na     runs   0\nb     runs   0\na     stops  0\nb was removed\n');
});

test('begun anew: only what differs', async () => {
  const { stdout } = await watched(
    [
      [put('a', 'runs'), put('b', 'runs'), synced],
      [put('a', 'stops'), synced, put('c', 'runs')],
    ],
    'table',
  );
  expect(stdout.split('\n').slice(3)).toEqual(['a     stops  0', 'b was removed', 'c     runs   0', '']);
});

test('json: an object a line, from the beginning', async () => {
  const { stdout } = await watched([[put('a', 'runs'), synced, removed('a')]], 'json');
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { change: 'put', item: { id: 'a', state: 'runs', age: 0 } },
    { change: 'removed', item: { id: 'a', state: '', age: 0 } },
  ]);
});

test('name', async () => {
  expect((await watched([[put('a', 'runs'), synced]], 'name')).stdout).toBe('a\n');
});
