/** Proves that an order is done once, whatever comes again, over restarts and damage of the journal. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MAX_REMEMBERED_RESULTS, RESULT_MEMORY_MS } from '../limits';
import type { OrderResult } from '../messages';
import { type JournalLine, OrderJournal, type Taken } from './journal';
import { JournalFile } from './journal-file';

const taken = (orderId: string): Taken => ({ orderId, kind: 'start', vmId: 'vm', takenAtMs: 0 });
const done = (orderId: string, more: Partial<OrderResult> = {}): OrderResult => ({
  orderId,
  state: 'ORDER_STATE_DONE',
  code: '',
  line: '',
  progress: 1,
  ...more,
});

/** A journal, and the same one as a later agent finds it. */
function journal(): { now: OrderJournal; later: () => OrderJournal } {
  const lines: JournalLine[] = [];
  return {
    now: new OrderJournal([], (line) => lines.push(line)),
    later: () => new OrderJournal(JSON.parse(JSON.stringify(lines)) as JournalLine[], () => undefined),
  };
}

test('an order that comes again gets the same result, also from the next agent', () => {
  const { now, later } = journal();
  now.take(taken('a'));
  expect(now.known('a')).toMatchObject({ state: 'ORDER_STATE_WORKING' });
  now.finish(done('a', { line: 'it runs' }), 1);
  expect(now.known('a')).toEqual(done('a', { line: 'it runs' }));
  expect(later().known('a')).toEqual(done('a', { line: 'it runs' }));
  expect(now.known('b')).toBeUndefined();
});

test('what the last agent was at is known as interrupted, and told until it is acknowledged', () => {
  const { now, later } = journal();
  now.take(taken('a'));
  now.take(taken('b'));
  now.finish(done('b'), 1);
  expect(later().interrupted.map(({ orderId }) => orderId)).toEqual(['a']);
  expect(later().open.map(({ orderId, state }) => [orderId, state])).toEqual([
    ['a', 'ORDER_STATE_WORKING'],
    ['b', 'ORDER_STATE_DONE'],
  ]);
  now.acknowledge(['a', 'b', 'unknown'], 2);
  expect(later().open.map(({ orderId }) => orderId)).toEqual(['a']);
  expect(later().known('b')).toEqual(done('b'));
});

test('a secret goes with the acknowledgement', () => {
  const { now } = journal();
  now.take(taken('a'));
  now.finish(done('a', { waiting: { vmm: undefined as never, address: 'x', token: 'secret' } }), 1);
  expect(JSON.stringify(now.lines())).toContain('secret');
  now.acknowledge(['a'], 2);
  expect(JSON.stringify(now.lines())).not.toContain('secret');
});

test('acknowledged results are forgotten by age and number; others never', () => {
  const { now } = journal();
  now.take(taken('open'));
  now.finish(done('open'), 0);
  for (let i = 0; i < MAX_REMEMBERED_RESULTS + 3; i++) {
    now.take(taken(`${i}`));
    now.finish(done(`${i}`), i);
  }
  now.acknowledge(
    Array.from({ length: MAX_REMEMBERED_RESULTS + 3 }, (_, i) => `${i}`),
    10,
  );
  expect(now.lines().filter((line) => 'taken' in line)).toHaveLength(MAX_REMEMBERED_RESULTS + 1);
  now.acknowledge([], 11 + RESULT_MEMORY_MS);
  expect(now.lines().flatMap((line) => ('taken' in line ? [line.taken.orderId] : []))).toEqual(['open']);
});

describe('in a file', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'godwit-journal-'));
  const file = path.join(folder, 'orders.jsonl');
  afterAll(() => rmSync(folder, { recursive: true }));

  test('it survives, for this user alone, a line that was cut short, and what others wrote into it', () => {
    const first = new JournalFile(folder);
    first.journal.take(taken('a'));
    first.journal.finish(done('a'), 1);
    first.close();
    appendFileSync(file, '[]\nnull\n{"result":{"orderId":"nobody"}}\n{"taken":{"orderId":"cut');
    const second = new JournalFile(folder);
    expect(second.journal.known('a')).toEqual(done('a'));
    expect(second.journal.interrupted).toEqual([]);
    second.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    // Written anew at the start: the rubbish is gone.
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(2);
  });
});
