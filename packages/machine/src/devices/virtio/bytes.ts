/** Little-endian numbers in bytes: rings may lie at odd addresses, so no wider typed arrays. */

export const get16 = (bytes: Uint8Array, at: number): number => bytes[at] | (bytes[at + 1] << 8);

export const get32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;

/** Exact up to 2^53; larger ones are beyond any RAM or disk and need not be exact. */
export const get64 = (bytes: Uint8Array, at: number): number => get32(bytes, at) + get32(bytes, at + 4) * 2 ** 32;

export function set16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function set32(bytes: Uint8Array, at: number, value: number): void {
  set16(bytes, at, value);
  set16(bytes, at + 2, value >>> 16);
}

export function set64(bytes: Uint8Array, at: number, value: number): void {
  set32(bytes, at, value % 2 ** 32);
  set32(bytes, at + 4, Math.floor(value / 2 ** 32));
}
