import { DEFAULT_DELETIONS, DEFAULT_MAX_BYTES, DEFAULT_MAX_EVENT_AGE_MS, DEFAULT_MAX_EVENTS, type DeletionLimits } from '../limits';
import type { Memory } from '../memory';
import { backUp } from './backup';
import { Commits } from './commits';
import { openDatabase } from './database';
import { EmbeddedEvents } from './embedded-events';
import { EmbeddedStore } from './embedded-store';
import { onFile } from './sqlite';

export interface EmbeddedOptions {
  /** Absolute path; made if it is not there, in a folder that is. */
  readonly file: string;
  /** Keys and values together. */
  readonly maxBytes?: number;
  readonly maxEvents?: number;
  readonly maxEventAgeMs?: number;
  readonly deletions?: DeletionLimits;
}

export interface EmbeddedMemory extends Memory {
  /** A whole, checked copy as of one moment, mode 0600, while the store is in use; replaces `target`. @throws StoreError */
  backup(target: string): Promise<void>;
}

/** Takes the file for this process. @throws StoreError 'unavailable' (in use, by whom), 'corrupt', 'newer-schema', 'full' */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedMemory> {
  const { file, maxBytes = DEFAULT_MAX_BYTES, maxEvents = DEFAULT_MAX_EVENTS, maxEventAgeMs = DEFAULT_MAX_EVENT_AGE_MS } = options;
  const db = openDatabase(file);
  const commits = new Commits(file, db, (undone) => {
    store.committed(undone);
    events.committed(undone);
  });
  const store = new EmbeddedStore(file, db, commits, maxBytes, options.deletions ?? DEFAULT_DELETIONS);
  const events = new EmbeddedEvents(file, db, commits, { maxEvents, maxAgeMs: maxEventAgeMs });
  let backups = Promise.resolve();
  const close = async (): Promise<void> => {
    commits.close();
    await Promise.all([store.close(), events.close(), backups]);
    onFile(file, () => db.close());
  };
  let closing: Promise<void> | undefined;
  return {
    store,
    events,
    usage: () => ({ bytes: store.bytes, limitBytes: store.maxBytes }),
    backup(target) {
      const done = backups.then(() => backUp(file, db, target));
      backups = done.catch(() => undefined);
      return done;
    },
    close: () => (closing ??= close()),
  };
}
