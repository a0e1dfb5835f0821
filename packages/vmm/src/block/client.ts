import { type BlockPort, type BlockRequest, type BlockStatus, SECTOR_BYTES, type Segment } from '@godwit/machine';
import type { GuestMemory } from '../guest-memory';
import { BOUNCE_BASE, BOUNCE_BYTES, Cell, Channel, FLAG_FUA, KINDS, ring, SEGMENTS, SLOTS, SlotField, STATUSES } from './channel';

/** What one disk is, as the shell that opened it says. */
export interface DiskShape {
  sectors: number;
  readOnly: boolean;
  serial: string;
}

/** Requests that the adapter has been answered, by kind; time from their submission on. */
export interface DiskStats {
  readonly requests: Record<RequestKind, { count: number; seconds: number }>;
  readBytes: number;
  writeBytes: number;
  errors: number;
  held: number;
}
type RequestKind = BlockRequest['kind'];

/** A request that may need several slots: too many segments for one. */
interface Work {
  readonly request: BlockRequest;
  readonly sinceMs: number;
  parts: number;
  status: BlockStatus;
}
interface Part {
  readonly work: Work;
  readonly sector: number;
  readonly sectors: number;
  readonly segments: readonly Segment[];
}

/**
 * The vCPU's end of a disk: adapters submit here, `poll` brings back what is
 * done. All on the vCPU's thread.
 */
export class BlockClient implements BlockPort {
  readonly sectors: number;
  readonly readOnly: boolean;
  readonly serial: string;
  private readonly channel: Channel;
  private readonly slots: Uint32Array[];
  private readonly free: number[] = [];
  private readonly inSlot: (Part | undefined)[] = [];
  private waiting: Part[] = [];
  /** Refused outright: answered at the next poll, since `done` may not come from inside `submit`. */
  private refused: Work[] = [];
  private bounceBusy = false;
  private active = 0;
  private dropped = false;
  private readonly counted: Omit<DiskStats, 'held'> = {
    requests: Object.fromEntries(KINDS.map((kind) => [kind, { count: 0, seconds: 0 }])) as DiskStats['requests'],
    readBytes: 0,
    writeBytes: 0,
    errors: 0,
  };

  constructor(
    channel: SharedArrayBuffer,
    shape: DiskShape,
    private readonly memory: GuestMemory,
    private readonly wantPoll: () => void,
  ) {
    this.channel = new Channel(channel);
    this.sectors = shape.sectors;
    this.readOnly = shape.readOnly;
    this.serial = shape.serial;
    this.slots = Array.from({ length: SLOTS }, (_, index) => this.channel.slot(index));
    for (let slot = SLOTS - 1; slot >= 0; slot--) this.free.push(slot);
  }

  /** Requests not answered yet. */
  get outstanding(): number {
    return this.active + this.waiting.length + this.refused.length;
  }

  /** Requests that the datastore cannot serve at the moment. */
  get held(): number {
    return Atomics.load(this.channel.cells, Cell.Held);
  }

  submit(request: BlockRequest): void {
    const work: Work = { request, sinceMs: performance.now(), parts: 0, status: 'ok' };
    const parts = this.split(work);
    if (!parts) {
      work.status = 'error';
      this.refused.push(work);
      this.wantPoll();
      return;
    }
    work.parts = parts.length;
    this.waiting.push(...parts);
    this.start();
  }

  /** Answers what is done. Called on the vCPU's thread between instructions. */
  poll(): void {
    while (this.refused.length > 0) this.answer(this.refused.shift()!);
    for (let slot = this.channel.take('complete'); slot >= 0; slot = this.channel.take('complete')) {
      const part = this.inSlot[slot]!;
      this.inSlot[slot] = undefined;
      this.free.push(slot);
      this.active--;
      this.finish(part, STATUSES[this.slots[slot][SlotField.Status]] ?? 'error');
    }
    this.start();
  }

  /** After the machine was saved with requests open: their adapters have them in their state, nothing is answered any more. */
  drop(): void {
    this.dropped = true;
  }

  private split(work: Work): Part[] | undefined {
    const { kind, sector, sectors, segments } = work.request;
    if (kind === 'flush') return [{ work, sector: 0, sectors: 0, segments: [] }];
    if (!(sector >= 0 && sectors > 0 && sector + sectors <= this.sectors)) return undefined;
    if (this.readOnly && kind !== 'read') return undefined;
    if (kind === 'discard' || kind === 'write-zeroes') return [{ work, sector, sectors, segments: [] }];
    return this.valid(segments, sectors * SECTOR_BYTES) ? this.byCount(work) : undefined;
  }

  private valid(segments: readonly Segment[], bytes: number): boolean {
    let total = 0;
    let buffered = 0;
    for (const segment of segments) {
      if ('buffer' in segment) buffered += segment.buffer.length;
      else if (!this.memory.isRamRange(segment.gpa, segment.length)) return false;
      total += 'buffer' in segment ? segment.buffer.length : segment.length;
    }
    return total === bytes && buffered <= BOUNCE_BYTES;
  }

  /** Cuts where a slot is full and the bytes so far are whole sectors. */
  private byCount(work: Work): Part[] | undefined {
    const { segments, sector } = work.request;
    if (segments.length <= SEGMENTS) return [{ work, sector, sectors: work.request.sectors, segments }];
    const parts: Part[] = [];
    let from = 0;
    let at = sector;
    while (from < segments.length) {
      let bytes = 0;
      let cut = from;
      let cutBytes = 0;
      for (let i = from; i < segments.length && i < from + SEGMENTS; i++) {
        const segment = segments[i];
        bytes += 'buffer' in segment ? segment.buffer.length : segment.length;
        if (bytes % SECTOR_BYTES === 0) [cut, cutBytes] = [i + 1, bytes];
      }
      if (cut === from) return undefined;
      parts.push({ work, sector: at, sectors: cutBytes / SECTOR_BYTES, segments: segments.slice(from, cut) });
      at += cutBytes / SECTOR_BYTES;
      from = cut;
    }
    return parts;
  }

  private start(): void {
    let started = false;
    while (this.waiting.length > 0 && this.free.length > 0) {
      const part = this.waiting[0];
      const bounces = part.segments.some((segment) => 'buffer' in segment);
      if (bounces && this.bounceBusy) break;
      if (bounces) this.bounceBusy = true;
      this.waiting.shift();
      this.fill(this.free.pop()!, part);
      started = true;
    }
    const { cells } = this.channel;
    if (started && Atomics.load(cells, Cell.Sleeping) === 1) ring(cells);
  }

  private fill(slot: number, part: Part): void {
    const words = this.slots[slot];
    const { request } = part.work;
    words[SlotField.Kind] = KINDS.indexOf(request.kind);
    words[SlotField.Flags] = request.fua ? FLAG_FUA : 0;
    words[SlotField.SectorLow] = part.sector % 2 ** 32;
    words[SlotField.SectorHigh] = Math.floor(part.sector / 2 ** 32);
    words[SlotField.Sectors] = part.sectors;
    words[SlotField.SegmentCount] = part.segments.length;
    let bounced = 0;
    part.segments.forEach((segment, index) => {
      const at = SlotField.Segments + index * 2;
      if ('buffer' in segment) {
        words[at] = BOUNCE_BASE + bounced;
        words[at + 1] = segment.buffer.length;
        if (request.kind === 'write') this.channel.bounce.set(segment.buffer, bounced);
        bounced += segment.buffer.length;
      } else {
        words[at] = segment.gpa;
        words[at + 1] = segment.length;
        if (request.kind === 'read') this.memory.announceWrite(segment.gpa, segment.length);
      }
    });
    this.inSlot[slot] = part;
    this.active++;
    this.channel.push('submit', slot);
  }

  private finish(part: Part, status: BlockStatus): void {
    const { work, segments } = part;
    let bounced = 0;
    for (const segment of segments) {
      if ('buffer' in segment) {
        this.bounceBusy = false;
        if (work.request.kind === 'read') segment.buffer.set(this.channel.bounce.subarray(bounced, bounced + segment.buffer.length));
        bounced += segment.buffer.length;
      } else if (work.request.kind === 'read') {
        // Again: code may have been translated from there while the data came in.
        this.memory.announceWrite(segment.gpa, segment.length);
      }
    }
    if (status !== 'ok') work.status = status;
    if (--work.parts === 0) this.answer(work);
  }

  /** As they stand. */
  stats(): DiskStats {
    return { ...this.counted, held: this.held };
  }

  private count({ request, status, sinceMs }: Work): void {
    const { counted } = this;
    const of = counted.requests[request.kind];
    of.count++;
    of.seconds += (performance.now() - sinceMs) / 1e3;
    if (status !== 'ok') counted.errors++;
    else if (request.kind === 'read') counted.readBytes += request.sectors * SECTOR_BYTES;
    else if (request.kind === 'write') counted.writeBytes += request.sectors * SECTOR_BYTES;
  }

  private answer(work: Work): void {
    this.count(work);
    if (!this.dropped) work.request.done(work.status);
  }
}
