/** Fixed-size text fields and safe 64-bit integers of the format. */

/** @throws RangeError for text that is not printable ASCII or too long: the caller's error. */
export function putText(bytes: Uint8Array, offset: number, size: number, text: string): void {
  if (text.length > size || !/^[\x20-\x7e]*$/.test(text)) throw new RangeError(`"${text}" is not ${size} characters of ASCII`);
  bytes.fill(0, offset, offset + size);
  for (let index = 0; index < text.length; index++) bytes[offset + index] = text.charCodeAt(index);
}

/** The text, or undefined unless it is printable ASCII, padded by NUL and nothing else. */
export function getText(bytes: Uint8Array, offset: number, size: number): string | undefined {
  const field = Buffer.from(bytes.buffer, bytes.byteOffset + offset, size).toString('latin1');
  return /^([\x20-\x7e]*)\0*$/.exec(field)?.[1];
}

/** The number, or undefined if a double cannot hold it exactly. */
export function getU64(view: DataView, offset: number): number | undefined {
  const value = view.getBigUint64(offset, true);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

export const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
