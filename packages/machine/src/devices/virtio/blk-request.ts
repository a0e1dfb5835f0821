/**
 * One request of a virtio-blk driver: header, data, status byte (VIRTIO 1.1,
 * 5.2.6). A request that can be answered at once, because it asks for nothing
 * of the disk or for something impossible, is answered by `parse`; the others
 * become BlockRequests.
 */
import { type BlockPort, type BlockRequest, type BlockStatus, SECTOR_BYTES, type Segment } from '../../ports/block';
import type { BusMaster } from '../../ports/bus-master';
import { get32, get64 } from './bytes';
import type { Chain } from './chain';
import { BLK_DISCARD_SECTORS, BLK_ID_BYTES } from './limits';

const HEADER_BYTES = 16;
const RANGE_BYTES = 16;
const UNMAP = 1;

const STATUS = { ok: 0, error: 1, unsupported: 2 } as const;

/** The device a request belongs to. */
export interface BlkOwner {
  readonly port: BlockPort;
  readonly writeThrough: boolean;
  readonly acceptedDiscard: boolean;
  readonly acceptedWriteZeroes: boolean;
  finished(request: BlkRequest, status: BlockStatus): void;
}

interface Parsed {
  readonly kind: BlockRequest['kind'];
  readonly sector: number;
  readonly sectors: number;
  readonly segments: readonly Segment[];
}
/** Answered without the disk, bytes written before the status byte included. */
export interface Answered {
  readonly bytesWritten: number;
}
type Outcome = Parsed | { readonly status: BlockStatus; readonly bytes: number };

const NO_SEGMENTS: readonly Segment[] = [];
const ERROR: Outcome = { status: 'error', bytes: 0 };
const UNSUPPORTED: Outcome = { status: 'unsupported', bytes: 0 };
const NOTHING: Outcome = { status: 'ok', bytes: 0 };

/** What a request's header and chain ask for, by its type. */
const TYPES: Readonly<Record<number, (device: BlkOwner, chain: Chain, sector: number) => Outcome>> = {
  0: (device, chain, sector) => transfer('read', device, chain, sector),
  1: (device, chain, sector) => (device.port.readOnly ? ERROR : transfer('write', device, chain, sector)),
  4: () => ({ kind: 'flush', sector: 0, sectors: 0, segments: NO_SEGMENTS }),
  8: identify,
  11: (device, chain) => (device.acceptedDiscard ? range('discard', 0, device, chain) : UNSUPPORTED),
  13: (device, chain) => (device.acceptedWriteZeroes ? range('write-zeroes', UNMAP, device, chain) : UNSUPPORTED),
};

const header = new Uint8Array(HEADER_BYTES);

export class BlkRequest implements BlockRequest {
  /** Left over from before a reset. */
  stray = false;
  readonly fua: boolean;

  private constructor(
    private readonly device: BlkOwner,
    readonly head: number,
    private readonly statusGpa: number,
    readonly kind: BlockRequest['kind'],
    readonly sector: number,
    readonly sectors: number,
    readonly segments: readonly Segment[],
  ) {
    this.fua = device.writeThrough && (kind === 'write' || kind === 'write-zeroes');
  }

  /** The request in a chain, its answer if that is known already, or how it breaks the rules. */
  static parse(device: BlkOwner, head: number, chain: Chain): BlkRequest | Answered | string {
    if (chain.readableBytes < HEADER_BYTES || chain.writableBytes < 1) return 'a request without header or status byte';
    if (!chain.read(0, header, HEADER_BYTES)) return 'a request header outside RAM';
    const outcome = TYPES[get32(header, 0)]?.(device, chain, get64(header, 8)) ?? UNSUPPORTED;
    if ('kind' in outcome) {
      return new BlkRequest(device, head, chain.lastWritable(), outcome.kind, outcome.sector, outcome.sectors, outcome.segments);
    }
    const written = chain.write(chain.writableBytes - 1, Uint8Array.of(STATUS[outcome.status]));
    return written ? { bytesWritten: outcome.bytes + 1 } : 'a status byte outside RAM';
  }

  done(status: BlockStatus): void {
    this.device.finished(this, status);
  }

  /** Writes the status byte. False when it is not in RAM. */
  answer(bus: BusMaster, status: BlockStatus): boolean {
    const byte = bus.writable(this.statusGpa, 1);
    if (byte) byte[0] = STATUS[status];
    return byte !== undefined;
  }

  bytesWritten(status: BlockStatus): number {
    return this.kind === 'read' && status === 'ok' ? this.sectors * SECTOR_BYTES + 1 : 1;
  }
}

function transfer(kind: 'read' | 'write', { port }: BlkOwner, chain: Chain, sector: number): Outcome {
  const bytes = kind === 'read' ? chain.writableBytes - 1 : chain.readableBytes - HEADER_BYTES;
  const sectors = bytes / SECTOR_BYTES;
  if (!Number.isInteger(sectors) || sector + sectors > port.sectors) return ERROR;
  if (sectors === 0) return NOTHING;
  const segments = kind === 'read' ? chain.segments('writable', 0, bytes) : chain.segments('readable', HEADER_BYTES, bytes);
  return { kind, sector, sectors, segments };
}

/** The serial number, filled with zeros; not terminated when it has all 20 characters. */
function identify({ port }: BlkOwner, chain: Chain): Outcome {
  const id = new Uint8Array(Math.min(BLK_ID_BYTES, chain.writableBytes - 1));
  for (let index = 0; index < Math.min(id.length, port.serial.length); index++) id[index] = port.serial.charCodeAt(index);
  return chain.write(0, id) ? { status: 'ok', bytes: id.length } : ERROR;
}

/** Discard or write zeroes: one range, as the configuration promises. */
function range(kind: 'discard' | 'write-zeroes', flags: number, { port }: BlkOwner, chain: Chain): Outcome {
  const bytes = new Uint8Array(RANGE_BYTES);
  if (port.readOnly || chain.readableBytes !== HEADER_BYTES + RANGE_BYTES || !chain.read(HEADER_BYTES, bytes, RANGE_BYTES)) return ERROR;
  const [sector, sectors] = [get64(bytes, 0), get32(bytes, 8)];
  if (get32(bytes, 12) & ~flags) return UNSUPPORTED;
  if (sectors > BLK_DISCARD_SECTORS || sector + sectors > port.sectors) return ERROR;
  return sectors === 0 ? NOTHING : { kind, sector, sectors, segments: NO_SEGMENTS };
}
