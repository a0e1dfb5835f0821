/**
 * What the controller remembers: a map from keys to values in which every change has a place
 * in one order, its **revision**. Two back ends keep the same promises: one file
 * (embedded/), or NATS JetStream (nats/). The conformance suite runs against both.
 *
 * Promises
 * 1. Revisions grow over the whole store; no two changes have the same. A key's revision is that of its last change.
 * 2. `get`, `list` and writes are linearizable: each takes effect at one moment between call and answer.
 *    `get` and `list` with `local` may be older, but never go back.
 * 3. A write happens only if its conditions (`expect`, `guards`) hold at its place in the order.
 * 4. A write that was acknowledged is on disk (NATS: in the log of a majority of its servers).
 * 5. A watch shows each key's changes in the order of revisions, without a gap. A watcher that falls behind
 *    may miss values in between, never the last one.
 *
 * There are no transactions over several keys: JetStream has none. What must change together
 * belongs in one value; what must not change meanwhile belongs in a `guard`.
 */

/** Grows with each change of the store, not by one. 0: "the key does not exist". */
export type Revision = number;

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: Revision;
  /** When it was written, ms since 1970 by the clock of whoever stored it: for people, not for decisions. */
  readonly timeMs: number;
}

export type Change =
  | ({ readonly type: 'put' } & Entry)
  | { readonly type: 'delete'; readonly key: string; readonly revision: Revision; readonly timeMs: number };

export type WatchEvent =
  | Change
  /** Forget everything known under the prefix: what is there now follows as `put`s, then `current`. */
  | { readonly type: 'reset' }
  /** Everything up to this revision has been shown: a place to resume from. Comes once the beginning is through, and again whenever the watcher is up to date after a pause. */
  | { readonly type: 'current'; readonly revision: Revision };

/** A condition on another key. */
export interface Guard {
  readonly key: string;
  /** Pure and quick; asked with the key's entry at the write's place in the order, perhaps several times. */
  holds(entry: Entry | undefined): boolean;
  /** For the message of the conflict: what it means if it does not hold, and what to do. */
  readonly otherwise: string;
}

export interface WriteOptions {
  /** The revision that the key must have; 0: it must not exist. Left out: any. */
  readonly expect?: Revision;
  /** All must hold. */
  readonly guards?: readonly Guard[];
  /** Ahead of the other writes of this process that wait for their turn. */
  readonly urgent?: boolean;
  /** Ends by then as 'unavailable' if it has not come through; left out: the back end's own deadline. */
  readonly timeoutMs?: number;
}

export interface ReadOptions {
  /** From this process's own view, without asking anyone: may be older, works while the store is away. */
  readonly local?: boolean;
}

export interface WatchOptions {
  /** A revision from `current` or a change: go on after it. If that is too far back, the watch begins with `reset`. */
  readonly after?: Revision;
}

/** Ends by `close`, by leaving the loop, or when the store is closed. */
export interface Watch extends AsyncIterable<WatchEvent> {
  close(): void;
}

export interface Store {
  /** Undefined if there is no such key. */
  get(key: string, options?: ReadOptions): Promise<Entry | undefined>;
  /**
   * All entries whose key begins with the prefix, sorted by key, as they stood at one revision.
   * A prefix is '' or whole segments: 'vms/'.
   */
  list(prefix: string, options?: ReadOptions): Promise<{ entries: Entry[]; revision: Revision }>;
  /** Returns the new revision. @throws StoreError 'conflict' if `expect` or a guard fails */
  put(key: string, value: Uint8Array, options?: WriteOptions): Promise<Revision>;
  /** Returns the deletion's revision. @throws StoreError 'not-found' if it does not exist and no `expect` is given, else 'conflict' */
  delete(key: string, options?: WriteOptions): Promise<Revision>;
  /** The key's last changes, newest first, at most HISTORY_PER_KEY. */
  history(key: string): Promise<Change[]>;
  /** First what is there, then what changes; on and on. */
  watch(prefix: string, options?: WatchOptions): Watch;
  /** Ends all watches; later calls fail as 'unavailable'. */
  close(): Promise<void>;
}
