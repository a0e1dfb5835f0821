/**
 * What a disk adapter is plugged into. Requests run on another thread and may
 * take any time: a slow disk never holds up the vCPU.
 */

export const SECTOR_BYTES = 512;

/** A stretch of guest RAM, or of a buffer that belongs to the adapter. */
export type Segment = { readonly gpa: number; readonly length: number } | { readonly buffer: Uint8Array };

export type BlockStatus = 'ok' | 'error' | 'unsupported';

export interface BlockRequest {
  readonly kind: 'read' | 'write' | 'flush' | 'discard' | 'write-zeroes';
  /** First sector, of 512 bytes each; 0 for a flush. */
  readonly sector: number;
  readonly sectors: number;
  /** Where the data lies, in order; together sectors × 512 bytes. Empty for the last three kinds. */
  readonly segments: readonly Segment[];
  /** A write that counts as done only once it is on stable storage. */
  readonly fua?: boolean;
  /**
   * Called once, on the vCPU's thread, never from inside `submit`. Not called
   * at all for requests that were still open when the machine was saved: the
   * adapter has them in its state and submits them again on `resume`.
   */
  done(status: BlockStatus): void;
}

export interface BlockPort {
  /** Capacity. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** Serial number shown to the guest, at most 20 printable ASCII characters. */
  readonly serial: string;
  /** Ranges outside the disk end in 'error'; so do segments that are not RAM. */
  submit(request: BlockRequest): void;
}
