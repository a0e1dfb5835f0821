/** Little-endian numbers in bytes: structures of the guest may lie at odd addresses. */

export const get16 = (bytes: Uint8Array, at: number): number => bytes[at] | (bytes[at + 1] << 8);

export const get32 = (bytes: Uint8Array, at: number): number => (get16(bytes, at) | (get16(bytes, at + 2) << 16)) >>> 0;

export function set16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function set32(bytes: Uint8Array, at: number, value: number): void {
  set16(bytes, at, value);
  set16(bytes, at + 2, value >>> 16);
}
