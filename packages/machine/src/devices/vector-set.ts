/**
 * A set of the 256 interrupt vectors as eight dwords: the form in which the
 * local APIC shows its ISR, TMR and IRR (SDM 3A, 11.8.4).
 */
export type VectorSet = number[];

export const VECTOR_WORDS = 8;

export const emptyVectorSet = (): VectorSet => new Array<number>(VECTOR_WORDS).fill(0);

export const hasVector = (set: VectorSet, vector: number): boolean => ((set[vector >> 5] >>> (vector & 31)) & 1) !== 0;

export function addVector(set: VectorSet, vector: number): void {
  set[vector >> 5] = (set[vector >> 5] | (1 << (vector & 31))) >>> 0;
}

export function dropVector(set: VectorSet, vector: number): void {
  set[vector >> 5] = (set[vector >> 5] & ~(1 << (vector & 31))) >>> 0;
}

/** The vector of highest priority, or -1 for none. */
export function highestVector(set: VectorSet): number {
  for (let word = VECTOR_WORDS - 1; word >= 0; word--) {
    if (set[word] !== 0) return word * 32 + 31 - Math.clz32(set[word]);
  }
  return -1;
}
