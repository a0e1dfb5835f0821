/**
 * What a migration needs from the outside. `SourceSession` and `TargetSession`
 * (source.ts, target.ts) call these ports and nothing else; the shells implement
 * them over the VMM, the lease files and gRPC.
 *
 * Rules for all of them:
 * - A promise that rejects carries an Error whose message is one clear line for
 *   people. It fails the migration; it never decides where the VM runs.
 * - Methods of the VMM's port are called one at a time, in order, except where noted. When
 *   a migration is given up, `setThrottle(0)`, `stopLog` and `resume` may be called
 *   while `beginRound`, `pause` or `saveState` is still open: they must take effect after it
 *   or instead of it, and must not wait for a `pause` that cannot end.
 * - What is said to be idempotent is called again without harm.
 */
import type { HostFacts, VmFacts } from './facts';

/** Adjacent pages of guest RAM, 4 KiB each, by number. */
export interface PageRun {
  readonly firstPage: number;
  readonly pages: number;
}

// ── time ───────────────────────────────────────────────────────────────────

export interface ClockPort {
  /** Milliseconds, monotonic, with fractions; any origin. */
  now(): number;
  /** Calls `act` once, `ms` from now or a little later; what is returned takes it back. */
  after(ms: number, act: () => void): () => void;
  /** Lets everything else that waits for the event loop have its turn (setImmediate): called after each batch of pages. */
  breathe(): Promise<void>;
}

// ── bytes ──────────────────────────────────────────────────────────────────

export interface CodecPort {
  /**
   * lz4 block format. Packs `raw` into `out` (room: `packedBound(raw.length)`); the packed
   * size, or 0 when it did not fit. May be done by another thread: neither array is
   * touched by anybody else until the promise is settled. Absent: never compressed.
   */
  compress?(raw: Uint8Array, out: Uint8Array): number | Promise<number>;
  /** Unpacks; the size that came out, or a negative number when `packed` is no valid block or `out` is too small. Never writes outside `out`. */
  uncompress(packed: Uint8Array, out: Uint8Array): number;
}

/** Room for the worst case of an lz4 block (lz4_Block_format.md). */
export const packedBound = (rawBytes: number): number => rawBytes + Math.floor(rawBytes / 255) + 16;

/**
 * Whole messages between the two ends, in order, none twice, until it closes. Both
 * ends have the same port. A closed transport is never opened again: a new
 * migration is a new transport. Whom it connects (mTLS, the migration's token)
 * is settled before it is handed over.
 */
export interface TransportPort {
  /**
   * Sends one message of at most MAX_MESSAGE_BYTES. Settles once the transport can take
   * the next one *and* no longer needs `message`: the array is used again. That is the
   * back-pressure; about SEND_AHEAD calls are open at a time. Rejects when closed.
   */
  send(message: Uint8Array): Promise<void>;
  /**
   * Called once, at the start. `message`: good only during the call. `closed` comes once,
   * after the last message, whoever closed it; `why` is one line.
   */
  listen(receiver: { message(message: Uint8Array): void; closed(why: string): void }): void;
  /** What was sent before is still delivered. Idempotent. */
  close(): void;
}

// ── the VM on the source ───────────────────────────────────────────────────

export interface SavedState {
  /** Machine state in the VMM's own format (sections, vCPU, devices); at most MAX_STATE_BYTES. */
  readonly bytes: Uint8Array;
  /** The user (not the migration) has paused the VM: it arrives paused. */
  readonly userPaused: boolean;
}

export interface SourceVmmPort {
  /** Guest RAM, live: the guest writes to it meanwhile. Length: a multiple of 4096. */
  readonly ram: Uint8Array;
  /** Stretches that have memory behind them, ascending; the rest reads zero. Asked once, after the first `beginRound`. */
  populated(): readonly PageRun[] | Promise<readonly PageRun[]>;
  /**
   * Begins a round of the dirty log: one byte a page, non-zero = written (by vCPU or
   * device) since the last call. The first call begins the log; what it returns is not
   * looked at. Also called once while the VM is paused. The array stays as it is until the next call.
   */
  beginRound(): Promise<Uint8Array>;
  /**
   * Live view of what is dirty since the last `beginRound`, one byte a page, if there is
   * one: a page that is dirty again already need not be sent in this round.
   */
  readonly freshlyDirty?: Uint8Array;
  /** Ends the dirty log: the VM runs at full speed again. Idempotent. */
  stopLog(): Promise<void>;
  /** Takes so many percent of its time from the vCPU, 0 (none) to 99. Idempotent. */
  setThrottle(percent: number): Promise<void> | void;
  /**
   * Stops the vCPU for the migration, whatever else holds it, and waits until no device
   * request is under way: from then on nothing writes to guest RAM until `resume`.
   */
  pause(): Promise<void>;
  /**
   * After `pause`: the machine's state; and every write that the guest saw acknowledged is
   * on stable storage. May run while final pages are being read.
   */
  saveState(): Promise<SavedState>;
  /** Takes back the migration's pause (a user's pause stays). Idempotent, also without `pause`. */
  resume(): Promise<void>;
  /** List of hot code blocks for the target to translate ahead, in the VMM's own format, at most MAX_HINT_BYTES; null: nothing new. */
  hotBlocks?(): Promise<Uint8Array | null>;
  /**
   * After `pause`: network frames for the guest that it has not seen, in the VMM's own
   * format, at most MAX_LATE_BYTES; null: none at the moment. They are given away only once.
   */
  lateFrames?(): Promise<Uint8Array | null>;
  /** After the commit: this copy ends, without a byte written to the VM's disks. Idempotent. */
  discard(): Promise<void>;
}

// ── the VM on the target ───────────────────────────────────────────────────

/** What the target is asked to hold. */
export interface Offer {
  readonly migrationId: string;
  readonly vm: VmFacts;
  /** The VM's configuration in the VMM's own format: adapters, disks, networks, CPU features. Untrusted. */
  readonly config: unknown;
}

export interface TargetVmmPort {
  /** This host, now: compared with the offer before anything is taken. */
  facts(): HostFacts | Promise<HostFacts>;
  /**
   * Takes the memory, opens the disks for reading only, has the network port ready (link
   * still down). Rejects when it cannot. The RAM is all zero, of exactly vm.memoryBytes.
   */
  reserve(offer: Offer): Promise<{ readonly ram: Uint8Array }>;
  /** Pages of the RAM are about to be changed: code translated ahead from them goes. */
  beforeWrite?(firstPage: number, pages: number): void;
  /** Hot blocks from the source, untrusted, good only during the call: translate ahead what is there, or ignore it. */
  warm?(hints: Uint8Array): void;
  /** The source stands still for the switch: from now on nothing here is to be in its way. */
  pausing?(): void;
  /** Takes the machine's state over; the VM stays stopped. Rejects naming what does not fit. `state` is untrusted. */
  restore(state: Uint8Array): Promise<void>;
  /** The lease is ours under this epoch: disks open for writing, the VM runs, or stays paused for its user. Called again when it failed. */
  start(options: { readonly epoch: number; readonly userPaused: boolean }): Promise<void>;
  /** Network frames that came to the source while the VM stood still, untrusted, good only during the call: the guest gets them once it runs. */
  deliver?(frames: Uint8Array): void;
  /** Tells the network where the VM is now (gratuitous ARP, RARP); repeats go on by themselves. */
  announce(): Promise<void>;
  /** The VM is not to run here: memory, disks, ports go. Idempotent; also while `reserve` is open, which must then settle soon (and is followed by another `discard`). */
  discard(): Promise<void>;
}

// ── the lease ──────────────────────────────────────────────────────────────

/** Who runs a VM: as in @godwit/lease. */
export interface LeaseOwner {
  readonly hostId: string;
  readonly hostName: string;
  readonly vmmId: string;
}

/**
 * passed: the record says target (durable; the commit).
 * kept: it says source, and the write for the target has not landed *and never will*.
 * lost: it says somebody else: this copy must never run again.
 * unknown: cannot be told yet.
 */
export type LeaseAnswer =
  | { readonly is: 'passed'; readonly epoch: number }
  | { readonly is: 'kept' }
  | { readonly is: 'lost'; readonly owner: string }
  | { readonly is: 'unknown'; readonly why: string };

export interface SourceLeasePort {
  /** Says in the heartbeat that this migration may take the VM next; null: none may. No answer is awaited. */
  announce(next: { readonly migrationId: string; readonly target: LeaseOwner } | null): void;
  /**
   * Writes `owner = target, epoch + 1`. The VM is paused. May take as long as it needs to
   * find out (Lease.pass settles by itself) or answer 'unknown', whereupon `read` is called.
   */
  passTo(target: LeaseOwner, migrationId: string): Promise<LeaseAnswer>;
  /** After 'unknown': past every cache. 'kept' only if the write can no longer land (the lease claims that epoch itself). */
  read(): Promise<LeaseAnswer>;
}

/**
 * acquired: read from the record, not told by anybody: the VM is ours and may run.
 * refused: definite: this migration's write has not landed and never will. `owner`: the name
 * of the host that has the VM. That is so once (a) a later epoch belongs to somebody
 * else, the source itself included; or (b) the source's heartbeat has changed twice since
 * the watch began and no longer names this migration: the source names it before it says
 * `pausing`, only one heartbeat can have been on its way then, a source that is passing the
 * lease has none, and it stops naming it only when it has given up for good.
 */
export type LeaseVerdict = { readonly is: 'acquired'; readonly epoch: number } | { readonly is: 'refused'; readonly owner: string };

export interface TargetLeasePort {
  /** Who we are in the record. */
  readonly owner: LeaseOwner;
  /** Watches the record until there is a verdict, however long the storage is away. Called when the source has paused. */
  watch(migrationId: string): Promise<LeaseVerdict>;
  /** A hint that looking now pays. */
  look(): void;
  /** No verdict is wanted any more: only before the target has said that it is ready. Idempotent. */
  unwatch(): void;
}

// ── what is told ───────────────────────────────────────────────────────────

export interface TracePort {
  /** `name`: one of a few fixed words (see the session's file); `fields`: plain JSON. `line`: the same for people. */
  event(name: string, line: string, fields: Readonly<Record<string, unknown>>): void;
  /** A phase (phases.ts) begins; what is to be done in it has not begun. */
  phase?(end: 'source' | 'target', phase: string): void;
}
