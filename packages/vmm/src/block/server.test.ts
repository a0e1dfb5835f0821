/** Proves that requests which the datastore cannot serve hold the vCPU until all are served, and not a moment longer, however long an attempt takes. */
import { Cell, Channel, createChannel, KINDS, SlotField } from './channel';
import { BlockServer, RETRY_MS, type ServedImage } from './server';

/** An image whose every operation waits for the test to end it. */
class SlowImage {
  private readonly waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  readonly tries: string[] = [];

  attempt(what: string): Promise<void> {
    this.tries.push(what);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }
  end(code?: string): Promise<void> {
    const { resolve, reject } = this.waiting.shift()!;
    if (code) reject(Object.assign(new Error('the storage cannot be reached'), { code }));
    else resolve();
    // Its server hears of it in a microtask.
    return Promise.resolve().then(() => undefined);
  }
}

function bench() {
  const memory = createChannel();
  const channel = new Channel(memory);
  const slow = new SlowImage();
  const image = { write: () => slow.attempt('write'), flush: () => slow.attempt('flush') } as unknown as ServedImage;
  const held: (string | null)[] = [];
  let timers: (() => void)[] = [];
  const server = new BlockServer(memory, new Uint8Array(4096), image, {
    wakeVcpu: () => undefined,
    onHeld: (why) => held.push(why),
    setTimer: (action, milliseconds) => {
      expect(milliseconds).toBe(RETRY_MS);
      timers.push(action);
    },
  });
  const submit = (slot: number, kind: (typeof KINDS)[number]): void => {
    channel.slot(slot)[SlotField.Kind] = KINDS.indexOf(kind);
    channel.push('submit', slot);
    server.serve();
  };
  const pass = (): void => {
    const due = timers;
    timers = [];
    for (const action of due) action();
  };
  const isHeld = (): boolean => Atomics.load(channel.cells, Cell.Held) > 0;
  const completed = (): number[] => Array.from({ length: 9 }, () => channel.take('complete')).filter((slot) => slot >= 0);
  return { slow, held, submit, pass, isHeld, completed };
}

test('an attempt that takes longer than the wait before it ends the hold when it succeeds', async () => {
  const { slow, held, submit, pass, isHeld, completed } = bench();
  submit(3, 'write');
  await slow.end('ECONNREFUSED');
  expect([isHeld(), held]).toEqual([true, ['the storage cannot be reached']]);
  pass();
  // Time goes by: the server is on its way back.
  for (let wait = 0; wait < 5; wait++) pass();
  expect(isHeld()).toBe(true);
  await slow.end();
  expect([isHeld(), held, completed()]).toEqual([false, ['the storage cannot be reached', null], [3]]);
  expect(slow.tries).toEqual(['write', 'write']);
});

test('one that is served does not end the hold of others, nor one that is still at work', async () => {
  const { slow, held, submit, pass, isHeld, completed } = bench();
  submit(1, 'write');
  submit(2, 'flush');
  await slow.end('ETIMEDOUT');
  await slow.end('ETIMEDOUT');
  pass();
  await slow.end();
  expect(isHeld()).toBe(true);
  await slow.end('ETIMEDOUT');
  expect(isHeld()).toBe(true);
  pass();
  await slow.end();
  expect([isHeld(), held.at(-1), completed()]).toEqual([false, null, [1, 2]]);
});
