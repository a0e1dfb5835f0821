/** Proves that orders for one VM keep their order, that others do not wait, and what calls what off. */
import type { Order } from '../messages';
import { Turns } from './turns';

const order = (kind: string, vmId: string, body: object = {}): Order =>
  ({ orderId: `${kind} ${vmId}`, term: 1, operationId: '', vmId, timeMs: 0, kind, body }) as unknown as Order;

/** Adds orders whose work ends when it is told to; `log` says what happened. */
function scene() {
  const turns = new Turns();
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const add = (one: Order): void =>
    turns.add(one, async (cancelled) => {
      log.push(`${one.orderId} begins`);
      await new Promise<void>((resolve) => {
        ends.set(one.orderId, resolve);
        cancelled.addEventListener('abort', () => {
          log.push(`${one.orderId} is called off: ${(cancelled.reason as { code: string }).code}`);
          resolve();
        });
      });
    });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const end = async (name: string): Promise<void> => {
    ends.get(name)!();
    await settle();
  };
  return { turns, log, add, end, settle };
}

test('one VM in order, another at once', async () => {
  const { turns, log, add, end, settle } = scene();
  add(order('pause', 'a'));
  add(order('resume', 'a'));
  add(order('pause', 'b'));
  await settle();
  expect(log).toEqual(['pause a begins', 'pause b begins']);
  expect(turns.waiting).toBe(3);
  await end('pause a');
  expect(log.at(-1)).toBe('resume a begins');
  await end('resume a');
  await end('pause b');
  expect(turns.waiting).toBe(0);
});

test('pulling the plug calls the power button off and nothing else', async () => {
  const { log, add, settle } = scene();
  add(order('stop', 'a', { how: 'BUTTON' }));
  add(order('suspend', 'b'));
  await settle();
  add({ ...order('stop', 'a', { how: 'KILL' }), orderId: 'kill a' });
  add({ ...order('stop', 'b', { how: 'KILL' }), orderId: 'kill b' });
  await settle();
  expect(log).toEqual(['stop a begins', 'suspend b begins', 'stop a is called off: cancelled', 'kill a begins']);
});

test('a migration is cancelled while it is being begun, but not another one', async () => {
  const { log, add, settle } = scene();
  add(order('migrateOut', 'a', { migrationId: 'm' }));
  add(order('migrateOut', 'b', { migrationId: 'm' }));
  await settle();
  add(order('cancelMigration', 'a', { migrationId: 'm' }));
  add(order('cancelMigration', 'b', { migrationId: 'other' }));
  await settle();
  expect(log).toEqual(['migrateOut a begins', 'migrateOut b begins', 'cancelMigration a begins']);
});

test('a dropped migration is not prepared any more', async () => {
  const { log, add, settle } = scene();
  add(order('prepareIncoming', 'a', { migrationId: 'm' }));
  await settle();
  add(order('dropIncoming', 'a', { migrationId: 'm' }));
  await settle();
  expect(log.slice(1)).toEqual(['prepareIncoming a is called off: cancelled', 'dropIncoming a begins']);
});
