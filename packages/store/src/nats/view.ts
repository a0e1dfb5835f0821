/**
 * The store's state as far as this process has read the log: each message applied in order of its
 * sequence, which is the revision. Two processes that have read equally far hold the same.
 */
import { bytesOf, type Situation } from '../conditions';
import { checkKey } from '../keys';
import { RECENT_CHANGES } from '../limits';
import type { Change, Entry, Revision } from '../store';
import type { ChangeIndex } from '../watches';
import { counts, type LogEntry } from './leader-log';

/** Keys of the store's own; no other key begins so. */
export const BARRIER = '_barrier';
export const SCHEMA = '_schema';
export const FLOOR = '_floor';

type Deletion = Extract<Change, { type: 'delete' }>;

export class View implements ChangeIndex, Situation {
  revision: Revision = 0;
  floor: Revision = 0;
  bytes = 0;
  /** Undefined: a new store. */
  schema: string | undefined;
  /** Remembered no longer, but perhaps still in the stream. */
  expired: Deletion[] = [];
  /** Both in order of revisions: a change goes to the end. */
  private readonly entries = new Map<string, Entry>();
  private readonly deletions = new Map<string, Deletion>();
  private readonly recent: Change[] = [];
  /** Everything after this revision is in `recent`. */
  private recentFrom: Revision = 0;
  private readonly writers = new Map<Revision, string>();
  /** Messages of each key that are still in the stream, as far as known. */
  private readonly messages = new Map<string, number>();
  /** The state is what stood at this revision; at one in between, a message may be gone whose successor is yet to come. */
  private consistentAt: Revision = -1;
  private readonly waiting = new Set<{ readonly revision: Revision; readonly done: () => void }>();

  constructor(
    readonly generation: number,
    private readonly prefix: string,
    readonly maxBytes: number,
  ) {}

  get isConsistent(): boolean {
    return this.consistentAt === this.revision;
  }

  /** Ignored if it was applied before. */
  apply(entry: LogEntry): void {
    const { sequence } = entry;
    if (sequence <= this.revision) return;
    const key = entry.subject.slice(this.prefix.length);
    this.messages.set(key, this.messageCount(key) + 1);
    if (counts(entry)) this.change(key, entry);
    if (this.isConsistent && sequence === this.revision + 1) this.consistentAt = sequence;
    this.revision = sequence;
    this.writers.set(sequence, entry.id);
    if (this.writers.size > RECENT_CHANGES) this.writers.delete(this.writers.keys().next().value!);
    this.tell();
  }

  /** What was gathered of the log up to there, in order, with the number of messages of each key. */
  load(entries: readonly LogEntry[], messages: ReadonlyMap<string, number>, upTo: Revision): void {
    for (const entry of entries) this.apply(entry);
    this.messages.clear();
    for (const [key, count] of messages) this.messages.set(key, count);
    this.revision = Math.max(this.revision, upTo);
  }

  /** The log was read to its end. */
  atEnd(): void {
    this.consistentAt = this.revision;
    this.tell();
  }

  /** Who wrote there; undefined: it is too long ago, or was gone before it could be read. */
  writerOf(revision: Revision): string | undefined {
    return this.writers.get(revision);
  }

  messageCount(key: string): number {
    return this.messages.get(key) ?? 0;
  }

  purged(key: string, left: number): void {
    this.messages.set(key, left);
  }

  /** Waits for a state of that revision or a later one; false: not by that time (performance.now). */
  reaches(revision: Revision, until: number): Promise<boolean> {
    if (this.consistentAt >= revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waiting.delete(one);
        resolve(this.consistentAt >= revision);
      };
      const one = { revision, done: end };
      const timer = setTimeout(end, Math.max(0, until - performance.now()));
      this.waiting.add(one);
    });
  }

  /** Nobody will wait any more. */
  abandon(): void {
    for (const one of this.waiting) one.done();
  }

  entry(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  list(prefix: string): Entry[] {
    const found: Entry[] = [];
    for (const entry of this.entries.values()) if (entry.key.startsWith(prefix)) found.push(entry);
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  changesAfter(after: Revision, prefix: string, limit: number): Change[] {
    const changes = after >= this.recentFrom ? this.recentAfter(after) : this.allAfter(after);
    const found: Change[] = [];
    for (const change of changes) {
      if (!change.key.startsWith(prefix)) continue;
      if (found.push(change) >= limit) break;
    }
    return found;
  }

  /** Everything that was applied lately, in order of revisions. */
  all(): Change[] {
    return [...this.recent];
  }

  get deletionCount(): number {
    return this.deletions.size;
  }

  /** The deletion after which `kept` others follow, if it is older than `ageMs`. */
  nextFloor(kept: number, ageMs: number, nowMs: number): Revision | undefined {
    const oldest = [...this.deletions.values()].slice(0, -kept).filter(({ timeMs }) => timeMs < nowMs - ageMs);
    return oldest.at(-1)?.revision;
  }

  private tell(): void {
    for (const one of this.waiting) if (one.revision <= this.consistentAt) one.done();
  }

  private change(key: string, entry: LogEntry): void {
    if (key === BARRIER) return;
    const text = (): string => new TextDecoder().decode(entry.data);
    if (key === SCHEMA) this.schema = text();
    else if (key === FLOOR) this.raiseFloor(Number(text()));
    else if (isKey(key)) this.changeKey(key, entry);
  }

  private changeKey(key: string, { sequence: revision, timeMs, isDeletion, data }: LogEntry): void {
    const old = this.entries.get(key);
    if (old) this.bytes -= bytesOf(key, old.value);
    this.entries.delete(key);
    this.deletions.delete(key);
    const change: Change = isDeletion ? { type: 'delete', key, revision, timeMs } : { type: 'put', key, value: data, revision, timeMs };
    if (change.type === 'delete') this.deletions.set(key, change);
    else {
      this.entries.set(key, { key, value: data, revision, timeMs });
      this.bytes += bytesOf(key, data);
    }
    this.recent.push(change);
    if (this.recent.length > 2 * RECENT_CHANGES) {
      this.recent.splice(0, RECENT_CHANGES);
      this.recentFrom = this.recent[0].revision - 1;
    }
  }

  private raiseFloor(floor: Revision): void {
    this.floor = floor;
    for (const deletion of this.deletions.values()) {
      if (deletion.revision > floor) break;
      this.deletions.delete(deletion.key);
      this.expired.push(deletion);
    }
  }

  private recentAfter(after: Revision): Change[] {
    let index = this.recent.length;
    while (index > 0 && this.recent[index - 1].revision > after) index--;
    return this.recent.slice(index).filter(({ key, revision }) => this.lastRevision(key) === revision);
  }

  private allAfter(after: Revision): Change[] {
    const changes: Change[] = [];
    for (const entry of this.entries.values()) if (entry.revision > after) changes.push({ type: 'put', ...entry });
    for (const deletion of this.deletions.values()) if (deletion.revision > after) changes.push(deletion);
    return changes.sort((a, b) => a.revision - b.revision);
  }

  private lastRevision(key: string): Revision | undefined {
    return (this.entries.get(key) ?? this.deletions.get(key))?.revision;
  }
}

/** What others put into the bucket under names that are none here does not exist for the store. */
function isKey(key: string): boolean {
  try {
    checkKey(key);
    return true;
  } catch {
    return false;
  }
}
