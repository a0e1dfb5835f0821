/** Proves what is told when: the newest state of each thing, causes before results; and who is dialled when. */
import { DIAL_FIRST_MS, DIAL_LAST_MS } from '../limits';
import { DialPlan } from './dialer';
import { Outbox } from './outbox';

describe('the outbox', () => {
  test('keeps the newest of each, VMMs before results', () => {
    const outbox = new Outbox();
    outbox.put('result', 'o', () => ({ orderId: 'o' }));
    outbox.put('vmm', 'a', () => ({ n: 1 }));
    outbox.put('host', '', () => ({ n: 1 }));
    outbox.put('vmm', 'a', () => ({ n: 2 }));
    outbox.put('vmm', 'gone', () => undefined);
    expect(outbox.take()).toEqual([{ vmm: { n: 2 } }, { host: { n: 1 } }, { result: { orderId: 'o' } }]);
    expect(outbox.length).toBe(0);
  });

  test('wakes who waits, or lets go', async () => {
    const outbox = new Outbox();
    const over = new AbortController();
    const some = outbox.some(over.signal);
    outbox.put('host', '', () => ({}));
    await some;
    outbox.clear();
    const none = outbox.some(over.signal);
    over.abort();
    await none;
  });
});

describe('dialling', () => {
  const plan = (random = 1): DialPlan =>
    new DialPlan(
      () => ['a', 'b'],
      () => random,
    );

  test('one after the other, ever later, within bounds, never all at once', () => {
    const [least, most] = [plan(0), plan(1)];
    expect([most.next(), most.next(), most.next()]).toEqual(['a', 'b', 'a']);
    const waits = Array.from({ length: 40 }, () => [least.failed(), most.failed()]);
    expect(waits[0]).toEqual([DIAL_FIRST_MS / 2, DIAL_FIRST_MS]);
    expect(waits.at(-1)).toEqual([DIAL_LAST_MS / 2, DIAL_LAST_MS]);
    most.good();
    expect(most.failed()).toBe(DIAL_FIRST_MS);
  });

  test('the leader that was named at once, but no ring of hints without a pause', () => {
    const one = plan();
    expect(one.next()).toBe('a');
    one.hinted(['c']);
    expect(one.failed()).toBe(0);
    expect(one.next()).toBe('c');
    one.hinted(['a']);
    expect(one.failed()).toBe(0);
    expect(one.next()).toBe('a');
    expect(one.failed()).toBeGreaterThan(0);
    one.hinted(['c']);
    expect(one.failed()).toBeGreaterThan(0);
  });
});
