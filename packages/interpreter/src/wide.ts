/** 64-bit products and quotients out of 32-bit halves, without BigInt where doubles are exact. */

/** High half of the unsigned product. */
export function highProduct(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = (middle % 0x10000) + a0 * b1;
  return (a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) | 0;
}

export function signedHighProduct(a: number, b: number): number {
  return (highProduct(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}

const result: [number, number] = [0, 0];

/** Unsigned (high:low) / divisor; the quotient is known to fit 32 bits. The pair returned is reused. */
export function divide64(high: number, low: number, divisor: number): readonly [quotient: number, remainder: number] {
  const unsignedHigh = high >>> 0;
  if (unsignedHigh < 0x200000) {
    const dividend = unsignedHigh * 0x100000000 + (low >>> 0);
    // The double quotient may round up to the next integer; the exact remainder tells.
    let quotient = Math.floor(dividend / divisor);
    let remainder = dividend - quotient * divisor;
    if (remainder < 0) {
      quotient--;
      remainder += divisor;
    }
    result[0] = quotient;
    result[1] = remainder;
  } else {
    const dividend = (BigInt(unsignedHigh) << 32n) | BigInt(low >>> 0);
    result[0] = Number(dividend / BigInt(divisor));
    result[1] = Number(dividend % BigInt(divisor));
  }
  return result;
}
