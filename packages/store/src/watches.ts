/**
 * Watches over anything that can tell, for each key, its last change in order of revisions.
 * A watch is a place in that order; what changed twice since then is told once.
 *
 *     reset ─► put … put ─► current ─► put / delete … ─► current ─► …
 *       ▲                                  │
 *       └── the index lost its memory ─────┘
 */
import { type Feed, Feeds } from './feed';
import { checkPrefix } from './keys';
import { WATCH_BATCH } from './limits';
import type { Change, Revision, WatchEvent, WatchOptions } from './store';

export interface ChangeIndex {
  /** Everything up to here is in the index. */
  readonly revision: Revision;
  /** Deletions up to here may be forgotten. */
  readonly floor: Revision;
  /** Changes when the index was filled anew and its revisions may have another meaning. */
  readonly generation: number;
  /** The last change of each key under the prefix that changed after that revision, in order of revisions. */
  changesAfter(after: Revision, prefix: string, limit: number): Change[];
}

export class Watches {
  private readonly feeds = new Feeds<WatchEvent>();

  constructor(private readonly index: ChangeIndex) {}

  watch(prefix: string, options: WatchOptions = {}): Feed<WatchEvent> {
    checkPrefix(prefix);
    const cursor = new Cursor(this.index, prefix, options.after);
    return this.feeds.add(() => cursor.next());
  }

  /** Something was added to the index. */
  wake(): void {
    this.feeds.wake();
  }

  close(): void {
    this.feeds.close();
  }
}

class Cursor {
  private at: Revision;
  private generation: number;
  private needsReset: boolean;
  /** Where the last reset began: deletions up to here need not be told, the entries were never shown. */
  private beganAt: Revision = 0;
  private owesCurrent = true;

  constructor(
    private readonly index: ChangeIndex,
    private readonly prefix: string,
    after: Revision | undefined,
  ) {
    this.generation = index.generation;
    this.at = after ?? 0;
    this.needsReset = after === undefined || after > index.revision;
  }

  next(): WatchEvent[] {
    const { index } = this;
    const events: WatchEvent[] = [];
    if (this.needsReset || this.generation !== index.generation || Math.max(this.at, this.beganAt) < index.floor) {
      events.push({ type: 'reset' });
      this.needsReset = false;
      this.generation = index.generation;
      this.beganAt = index.revision;
      this.at = 0;
      this.owesCurrent = true;
    }
    const { revision } = index;
    const changes = index.changesAfter(this.at, this.prefix, WATCH_BATCH);
    for (const change of changes) if (change.type === 'put' || change.revision > this.beganAt) events.push(change);
    if (changes.length > 0) this.owesCurrent = true;
    const isThrough = changes.length < WATCH_BATCH;
    this.at = isThrough ? revision : changes[changes.length - 1].revision;
    if (isThrough && this.owesCurrent) {
      events.push({ type: 'current', revision });
      this.owesCurrent = false;
    }
    // A batch of nothing but old deletions must not look like the end.
    return events.length === 0 && !isThrough ? this.next() : events;
  }
}
