/** Big-endian fields and lists of byte ranges. */

export const byteLength = (parts: readonly Uint8Array[]): number => {
  let total = 0;
  for (let i = 0; i < parts.length; i++) total += parts[i].length;
  return total;
};

/** The bytes from `start` on, `length` of them, as views on the same memory. */
export function slice(parts: readonly Uint8Array[], start: number, length: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let skip = start;
  let left = length;
  for (let i = 0; i < parts.length && left > 0; i++) {
    const part = parts[i];
    if (skip >= part.length) {
      skip -= part.length;
      continue;
    }
    const count = Math.min(part.length - skip, left);
    found.push(count === part.length ? part : part.subarray(skip, skip + count));
    left -= count;
    skip = 0;
  }
  return found;
}

/** Zeroes from byte `start` to the end. */
export function zeroFrom(parts: readonly Uint8Array[], start = 0): void {
  let skip = start;
  for (const part of parts) {
    if (skip < part.length) part.fill(0, skip);
    skip = Math.max(0, skip - part.length);
  }
}

/** Copies `bytes` over the parts, one after the other, as far as both go. */
export function scatter(bytes: Uint8Array, parts: readonly Uint8Array[]): void {
  let at = 0;
  for (const part of parts) {
    if (at >= bytes.length) return;
    part.set(bytes.subarray(at, at + part.length));
    at += part.length;
  }
}

export function isZero(bytes: Uint8Array): boolean {
  let i = 0;
  if (bytes.byteOffset % 4 === 0) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    for (let w = 0; w < words.length; w++) if (words[w] !== 0) return false;
    i = words.length * 4;
  }
  for (; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Exact up to 2^53; larger ones are rounded and stay larger, so a comparison with a limit is right. */
export const readU64 = (view: DataView, at: number): number => view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);

export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}

export const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
