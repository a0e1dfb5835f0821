import { BOUNCE_BASE, Cell, Channel, FLAG_FUA, KINDS, SlotField, STATUSES } from './channel';

/**
 * The disk's thread: takes requests from a channel, has the image do them
 * straight in guest RAM, answers.
 *
 * Errors fall in two classes. What a guest must be told (a medium error, a
 * request the image refuses) becomes a failed request. What passes (a full or
 * vanished datastore) is **held**: the vCPU stops, the request is tried again
 * until it succeeds, and the guest never learns of it.
 */
export interface ServedImage {
  read(offset: number, into: readonly Uint8Array[]): void | Promise<void>;
  write(offset: number, from: readonly Uint8Array[], fua: boolean): void | Promise<void>;
  flush(): void | Promise<void>;
  discard(offset: number, length: number): void | Promise<void>;
  writeZeroes(offset: number, length: number): void | Promise<void>;
}

export interface ServerPorts {
  /** Makes the vCPU look at its channels. */
  wakeVcpu(): void;
  /** `why` is one line for a person; null when all requests are served again. */
  onHeld(why: string | null): void;
  setTimer(action: () => void, milliseconds: number): void;
}

const SECTOR = 512;
/** Between two attempts at a held request. */
export const RETRY_MS = 500;

/** Codes of conditions that pass when somebody frees space or the server returns. */
const PASSING = new Set([
  'ENOSPC',
  'EDQUOT',
  'ESTALE',
  'ETIMEDOUT',
  'EAGAIN',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ECONNRESET',
  'ECONNREFUSED',
  'ENOTCONN',
  'EPIPE',
  'EREMOTEIO',
  'ENOENT',
  'EFENCED',
]);

export class BlockServer {
  private readonly channel: Channel;
  private readonly held: number[] = [];
  private retryArmed = false;
  /** What the channel's cell says. */
  private isHolding = false;
  /** Requests whose image is at work. */
  private busy = 0;
  private abandoned = false;

  constructor(
    memory: SharedArrayBuffer,
    private readonly ram: Uint8Array,
    private readonly image: ServedImage,
    private readonly ports: ServerPorts,
  ) {
    this.channel = new Channel(memory);
  }

  get active(): number {
    return this.busy;
  }

  /** Something was submitted and not taken. */
  get pending(): boolean {
    const { cells } = this.channel;
    return Atomics.load(cells, Cell.SubmitHead) !== Atomics.load(cells, Cell.SubmitTail);
  }

  /** Does what has been submitted. True when there was anything. */
  serve(): boolean {
    let any = false;
    for (let slot = this.channel.take('submit'); slot >= 0; slot = this.channel.take('submit')) {
      any = true;
      this.start(slot);
    }
    return any;
  }

  /** Blocks the thread until somebody rings, at most so long; not at all when there is work, or `otherwise` says so. */
  waitBlocking(milliseconds: number, otherwise: () => boolean): void {
    const { cells } = this.channel;
    const bell = Atomics.load(cells, Cell.Doorbell);
    Atomics.store(cells, Cell.Sleeping, 1);
    if (!this.pending && !otherwise()) Atomics.wait(cells, Cell.Doorbell, bell, milliseconds);
    Atomics.store(cells, Cell.Sleeping, 0);
  }

  /** The same in the event loop. */
  async waitForRing(otherwise: () => boolean): Promise<void> {
    const { cells } = this.channel;
    const bell = Atomics.load(cells, Cell.Doorbell);
    Atomics.store(cells, Cell.Sleeping, 1);
    if (!this.pending && !otherwise()) {
      const waiting = Atomics.waitAsync(cells, Cell.Doorbell, bell);
      if (waiting.async) await waiting.value;
    }
    Atomics.store(cells, Cell.Sleeping, 0);
  }

  /** Held requests are given up here: their adapters carry them elsewhere. */
  abandonHeld(): void {
    this.abandoned = true;
  }

  private start(slot: number): void {
    this.busy++;
    let work: void | Promise<void>;
    try {
      work = this.perform(this.channel.slot(slot));
    } catch (error) {
      return this.failed(slot, error);
    }
    if (work)
      work.then(
        () => this.answer(slot, 'ok'),
        (error: unknown) => this.failed(slot, error),
      );
    else this.answer(slot, 'ok');
  }

  private perform(words: Uint32Array): void | Promise<void> {
    const kind = KINDS[words[SlotField.Kind]];
    const offset = (words[SlotField.SectorHigh] * 2 ** 32 + words[SlotField.SectorLow]) * SECTOR;
    const length = words[SlotField.Sectors] * SECTOR;
    const { image } = this;
    if (kind === 'read') return image.read(offset, this.buffers(words));
    if (kind === 'write') return image.write(offset, this.buffers(words), (words[SlotField.Flags] & FLAG_FUA) !== 0);
    if (kind === 'flush') return image.flush();
    return kind === 'discard' ? image.discard(offset, length) : image.writeZeroes(offset, length);
  }

  /** The client has checked the segments: all of them lie in RAM or in the bounce area. */
  private buffers(words: Uint32Array): Uint8Array[] {
    const buffers: Uint8Array[] = [];
    for (let i = 0; i < words[SlotField.SegmentCount]; i++) {
      const address = words[SlotField.Segments + i * 2];
      const length = words[SlotField.Segments + i * 2 + 1];
      if (address >= BOUNCE_BASE) buffers.push(this.channel.bounce.subarray(address - BOUNCE_BASE, address - BOUNCE_BASE + length));
      else buffers.push(this.ram.subarray(address, address + length));
    }
    return buffers;
  }

  private answer(slot: number, status: (typeof STATUSES)[number]): void {
    this.busy--;
    this.channel.slot(slot)[SlotField.Status] = STATUSES.indexOf(status);
    this.channel.push('complete', slot);
    this.served();
    this.ports.wakeVcpu();
  }

  private failed(slot: number, error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!PASSING.has(code ?? '')) return this.answer(slot, code === 'ENOTSUP' || code === 'EOPNOTSUPP' ? 'unsupported' : 'error');
    this.busy--;
    this.held.push(slot);
    this.noteHeld(message);
    if (!this.retryArmed) {
      this.retryArmed = true;
      this.ports.setTimer(() => this.retry(), RETRY_MS);
    }
  }

  private retry(): void {
    this.retryArmed = false;
    if (this.abandoned) return;
    const again = this.held.splice(0);
    // Not free in between: the first may be served before the next has been tried.
    this.busy++;
    for (const slot of again) this.start(slot);
    this.busy--;
    this.served();
  }

  /** After each answer, however long its attempt took: once none is left that was held or is at work, the vCPU may go on. */
  private served(): void {
    if (this.isHolding && this.held.length === 0 && this.busy === 0) this.noteHeld(null);
  }

  private noteHeld(why: string | null): void {
    const now = why === null ? 0 : this.held.length;
    this.isHolding = now > 0;
    const before = Atomics.exchange(this.channel.cells, Cell.Held, now);
    if ((before === 0) !== (now === 0)) {
      this.ports.onHeld(why);
      this.ports.wakeVcpu();
    }
  }
}
