/** An image is flushed exactly when something may not be on stable storage yet. */
import { FlushLedger } from './flush-ledger';

class Storage {
  flushes = 0;
  readonly ledger = new FlushLedger();
  flush(): void | Promise<void> {
    return this.ledger.flush(() => {
      this.flushes++;
    });
  }
}

test('the first flush is done, a second one without a write between is not', () => {
  const storage = new Storage();
  storage.flush();
  storage.flush();
  expect(storage.flushes).toBe(1);
  storage.ledger.writes(() => {});
  storage.flush();
  expect(storage.flushes).toBe(2);
});

test('a write that ends after a flush began is flushed again, whether it began before or during it', async () => {
  const storage = new Storage();
  let endWrite = (): void => {};
  const write = storage.ledger.writes(() => new Promise<void>((resolve) => (endWrite = resolve)));
  storage.flush();
  endWrite();
  await write;
  storage.flush();
  expect(storage.flushes).toBe(2);
  let endFlush = (): void => {};
  storage.ledger.writes(() => {});
  const flush = storage.ledger.flush(() => new Promise<void>((resolve) => (endFlush = resolve)));
  storage.ledger.writes(() => {});
  endFlush();
  await flush;
  storage.flush();
  expect(storage.flushes).toBe(3);
});

test('a flush that failed, and a write that failed, leave something to flush', async () => {
  const storage = new Storage();
  storage.flush();
  expect(() => storage.ledger.writes(() => { throw new Error('half written'); })).toThrow('half written');
  await expect(storage.ledger.flush(() => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  storage.flush();
  expect(storage.flushes).toBe(2);
  await expect(storage.ledger.writes(() => Promise.reject(new Error('late')))).rejects.toThrow('late');
  storage.flush();
  expect(storage.flushes).toBe(3);
});
