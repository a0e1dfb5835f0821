/**
 * The end of a leader whose store is its alone: whoever can open that store knows that the one before has ended,
 * and need not wait until its lease has run out.
 */
import type { Store } from '../store';
import { ELECTION_KEY, encodeRecord, parseRecord } from './record';

/** As if the holder had resigned; its term stays. Only right after opening a store that one process has at a time. @throws StoreError */
export async function endOfHolder(store: Store): Promise<void> {
  const entry = await store.get(ELECTION_KEY);
  const record = entry && parseRecord(entry.value);
  // One that cannot be read is the election's to complain of.
  if (!entry || !record?.holder) return;
  await store.put(ELECTION_KEY, encodeRecord({ ...record, holder: null }), { expect: entry.revision });
}
