/**
 * What each sector of a disk may hold: sectors are filled with the number of
 * the write they come from (0: zeroes), so that a stale, foreign or torn
 * sector shows.
 */
const SECTOR = 512;

export const tagged = (tag: number, sectors: number): Uint8Array =>
  new Uint8Array(new Uint32Array((sectors * SECTOR) / 4).fill(tag).buffer);

/** The tag of each sector; -1: torn. */
export function tagsOf(bytes: Uint8Array): number[] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return Array.from({ length: bytes.length / SECTOR }, (_, i) => {
    const sector = words.subarray((i * SECTOR) / 4, ((i + 1) * SECTOR) / 4);
    return sector.every((word) => word === sector[0]) ? sector[0] : -1;
  });
}

interface Written {
  readonly tag: number;
  /** Grows with each write. */
  readonly number: number;
}

/** Writes to one sector must not overlap in time. */
export class TaggedDisk {
  /** For each sector what it may hold after a crash, oldest first. */
  private readonly legal: Written[][];
  /** For each sector the last write that was answered. */
  private readonly answered: number[];
  private number = 0;

  constructor(
    readonly sectors: number,
    initial: (sector: number) => number = () => 0,
  ) {
    this.legal = Array.from({ length: sectors }, (_, i) => [{ tag: initial(i), number: 0 }]);
    this.answered = new Array(sectors).fill(0);
  }

  /** To be called before a write; the result when it has been answered. */
  writing(first: number, count: number, tag: number): () => void {
    const number = ++this.number;
    for (let i = first; i < first + count; i++) this.legal[i].push({ tag, number });
    return () => this.answered.fill(number, first, first + count);
  }

  /** To be called before a flush; the result when it has succeeded: of what was answered before it, only the newest can be there. */
  flushing(): () => void {
    const covered = this.answered.slice();
    return () => {
      for (let i = 0; i < this.sectors; i++) this.legal[i] = this.legal[i].filter(({ number }) => number >= covered[i]);
    };
  }

  /** The sectors that hold what they must not, in words. */
  illegal(found: readonly number[]): string[] {
    return found.flatMap((tag, i) => {
      if (this.legal[i].some((written) => written.tag === tag)) return [];
      return [`sector ${i}: ${tag}, not one of ${this.legal[i].map((written) => written.tag)}`];
    });
  }
}
