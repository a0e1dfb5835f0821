/** Proves that a controller whose store is its alone leads at once after it was killed, and that terms still grow. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openEmbedded } from '../embedded/open-embedded';
import type { Store } from '../store';
import { Elector } from './elector';
import { endOfHolder } from './end-of-holder';

const folder = mkdtempSync(path.join(tmpdir(), 'end-of-holder-'));
const file = path.join(folder, 'store.db');
afterAll(() => rmSync(folder, { recursive: true }));

/** So long that nobody waits for it. */
const timing = { leaseMs: 300_000, beatMs: 100, leadMs: 1_000 };
const elected = (store: Store, id: string): Promise<{ term: number; elector: Elector }> =>
  new Promise((resolve) => {
    const elector = new Elector(store, { id, name: id, address: '127.0.0.1:1' }, { timing });
    elector.once('elected', ({ term }) => resolve({ term, elector }));
    elector.start();
  });

test('the one before has ended: the next one leads at once, in a later term', async () => {
  const first = await openEmbedded({ file });
  await endOfHolder(first.store);
  const { term, elector } = await elected(first.store, 'a');
  // As if it were killed: the store goes before it can resign.
  await first.close();
  await elector.stop();

  const second = await openEmbedded({ file });
  await endOfHolder(second.store);
  const next = await elected(second.store, 'b');
  expect(next.term).toBeGreaterThan(term);
  await next.elector.stop();
  await second.close();
});
