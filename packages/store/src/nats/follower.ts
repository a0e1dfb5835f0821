/**
 * Keeps a view in step with the log. Others' publications are hints that there is something to read; what is read comes
 * from the stream's leader (leader-log.ts). A view that cannot be trusted any more is replaced by a
 * new one: after a long cut (deletions may have been tidied away meanwhile), or when the log is not the one that was
 * read before (restored from a backup, or shortened by a loss on the servers).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Subscription } from 'nats';
import { HINT_PAUSES_MS, LOAD_PARALLEL, MAX_GAP_MS, POLL_MS, REQUEST_TIMEOUT_MS, RETRY_PAUSE_MS } from '../limits';
import type { Revision } from '../store';
import type { Connection } from './connection';
import { counts, type LeaderLog, type LogEntry, WRITE_ID } from './leader-log';
import { awayError } from './nats-errors';
import { View } from './view';

export interface FollowerOptions {
  readonly prefix: string;
  readonly maxBytes: number;
  /** Write ids of this process begin so. */
  readonly client: string;
  readonly onChange: () => void;
  readonly onProblem: (text: string) => void;
  /** Puts a message at the end of the log. @throws StoreError */
  readonly barrier: (until: number) => Promise<LogEntry>;
}

export class Follower {
  /** The newest view that was read to the end once. */
  view: View;
  private rebuilding: Promise<void> | undefined;
  private running: Promise<void> | undefined;
  private following: Promise<void> | undefined;
  private walking: Promise<void> | undefined;
  private chasing = false;
  private readonly hinted = new Set<string>();
  private lastRead = performance.now();
  private closed = false;
  private readonly timer: NodeJS.Timeout;
  private readonly hints: Subscription;
  private readonly forgetReconnects: () => void;

  constructor(
    private readonly connection: Connection,
    private readonly log: LeaderLog,
    private readonly options: FollowerOptions,
  ) {
    this.view = new View(0, options.prefix, options.maxBytes);
    this.timer = setInterval(() => this.poll(), POLL_MS);
    this.timer.unref();
    this.forgetReconnects = connection.onReconnect(() => void this.checkLog());
    this.hints = connection.nats.subscribe(`${options.prefix}>`, {
      callback: (error, message) => {
        if (!error) this.hint(message.headers?.get(WRITE_ID) ?? '');
      },
    });
  }

  /**
   * Brings the view to the end of the log as of some moment since the call. Calls that come while
   * one is under way share the next.
   */
  sync(until: number): Promise<void> {
    if (!this.running) return this.begin(until);
    this.following ??= this.running.catch(() => undefined).then(() => this.begin(until));
    return this.following;
  }

  /** Reads until the view is that of a revision there or later; false: not by that time. */
  async reach(revision: Revision, until: number): Promise<boolean> {
    const { view } = this;
    while (view === this.view && !(await view.reaches(revision, 0))) {
      if (performance.now() >= until || this.closed) return false;
      await this.walk(until);
      // A leader that was just deposed may not have it yet.
      if (!(await view.reaches(revision, 0))) await sleep(RETRY_PAUSE_MS / 10);
    }
    return view === this.view;
  }

  /** A message of one's own was acknowledged there: if it is the next, it need not be read. */
  own(entry: LogEntry): void {
    if (entry.sequence !== this.view.revision + 1) return;
    this.view.apply(entry);
    this.options.onChange();
  }

  /** Reads the log from its beginning into a new view. @throws StoreError */
  rebuild(until: number): Promise<void> {
    this.rebuilding ??= this.readAnew(until).finally(() => (this.rebuilding = undefined));
    return this.rebuilding;
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    this.forgetReconnects();
    this.hints.unsubscribe();
    this.view.abandon();
  }

  private begin(until: number): Promise<void> {
    this.following = undefined;
    this.running = this.syncOnce(until).finally(() => (this.running = undefined));
    return this.running;
  }

  private async syncOnce(until: number): Promise<void> {
    if (this.rebuilding) await this.rebuilding;
    const { view } = this;
    const before = view.revision;
    const barrier = await this.options.barrier(until);
    // A new message's sequence is higher than any that was read, unless the log is another one.
    if (barrier.sequence <= before) return this.distrust('the log was shortened', until);
    this.own(barrier);
    if (await this.reach(barrier.sequence, until)) return;
    if (view !== this.view) return this.syncOnce(until);
    throw awayError(this.connection.servers, 'reading', undefined);
  }

  /** To the end of the log; who comes meanwhile shares it. */
  private walk(until: number): Promise<void> {
    this.walking ??= this.walkOnce(this.view, until).finally(() => (this.walking = undefined));
    return this.walking;
  }

  private async walkOnce(view: View, until: number): Promise<void> {
    for (;;) {
      const entry = await this.log.next(`${this.options.prefix}>`, view.revision + 1, until);
      this.lastRead = performance.now();
      if (!entry) break;
      view.apply(entry);
      this.hinted.delete(entry.id);
      if (view === this.view) this.options.onChange();
      if (this.closed) return;
    }
    view.atEnd();
  }

  private async readAnew(until: number): Promise<void> {
    const { prefix, maxBytes } = this.options;
    const view = new View(this.view.generation + 1, prefix, maxBytes);
    const { sequence } = await this.options.barrier(until);
    const subjects = await this.log.subjects(`${prefix}>`, until);
    const entries = await this.gather([...subjects.keys()], sequence, until);
    view.load(entries, new Map([...subjects].map(([subject, count]) => [subject.slice(prefix.length), count])), sequence);
    await this.walkOnce(view, until);
    const old = this.view;
    this.view = view;
    old.abandon();
    if (this.closed) view.abandon();
    this.options.onChange();
  }

  /** For each subject the last message that counts, up to there; in order. */
  private async gather(subjects: readonly string[], upTo: Revision, until: number): Promise<LogEntry[]> {
    const found: LogEntry[] = [];
    const rest = subjects.values();
    const one = async (subject: string): Promise<void> => {
      const last = await this.log.last(subject, until);
      if (!last) return;
      if (last.sequence <= upTo && counts(last)) found.push(last);
      else found.push(...(await this.log.all(subject, until, upTo + 1)));
    };
    const worker = async (): Promise<void> => {
      for (const subject of rest) await one(subject);
    };
    await Promise.all(Array.from({ length: LOAD_PARALLEL }, worker));
    return found.sort((a, b) => a.sequence - b.sequence);
  }

  private hint(id: string): void {
    if (id.startsWith(this.options.client) || this.hinted.size > 10_000) return;
    this.hinted.add(id);
    if (!this.chasing) void this.chase();
  }

  /** What was announced may need a moment until a majority has it; what never comes is not waited for. */
  private async chase(): Promise<void> {
    this.chasing = true;
    for (let tries = 0; tries < HINT_PAUSES_MS.length && !this.closed && this.hinted.size > 0; tries++) {
      await sleep(HINT_PAUSES_MS[tries]);
      const before = this.view.revision;
      await this.walk(performance.now() + REQUEST_TIMEOUT_MS).catch(() => undefined);
      if (this.view.revision > before) tries = 0;
    }
    this.hinted.clear();
    this.chasing = false;
  }

  private poll(): void {
    if (this.view.generation === 0 || this.rebuilding || !this.connection.isUp) return;
    if (performance.now() - this.lastRead > MAX_GAP_MS) void this.distrust('the connection was away for long').catch(() => undefined);
    else void this.walk(performance.now() + REQUEST_TIMEOUT_MS).catch(() => undefined);
  }

  /** After a reconnection: is what stands at the last place that was read still the same? */
  private async checkLog(): Promise<void> {
    const { view } = this;
    const { revision } = view;
    if (view.generation === 0) return;
    try {
      const entry = await this.log.next(`${this.options.prefix}>`, revision, performance.now() + REQUEST_TIMEOUT_MS);
      const [is, was] = [entry?.sequence === revision ? entry.id : undefined, view.writerOf(revision)];
      if (is !== undefined && was !== undefined && is !== was) await this.distrust('the log was written anew');
      else this.poll();
    } catch {
      // The next poll comes soon.
    }
  }

  private async distrust(why: string, until = performance.now() + this.connection.operationTimeoutMs): Promise<void> {
    this.options.onProblem(`everything in the store at ${this.connection.servers} is read anew: ${why}`);
    await this.rebuild(until);
  }
}
