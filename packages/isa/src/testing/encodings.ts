/**
 * Byte strings that reach every cell of the opcode maps: input for
 * differential tests of decoder, interpreter and translator. Deterministic;
 * a plan says how dense. Each string is 16 bytes, longer than any instruction.
 */

export interface EncodingPlan {
  /** Prefix strings put before every legacy opcode, and before every VEX opcode. */
  prefixes: readonly (readonly number[])[];
  vexPrefixes: readonly (readonly number[])[];
  modrms: readonly number[];
  vexModrms: readonly number[];
  /** VEX.vvvv as encoded (inverted); 15 is "unused". */
  vvvv: readonly number[];
}

const ENCODING_BYTES = 16;
/** What follows ModR/M: a SIB with base and index, then distinct bytes. */
const tail = [0x24, 0x11, 0x92, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd];

const every = Array.from({ length: 256 }, (_, n) => n);
/** All of mod = 3; of memory forms each digit with the forms that differ in shape. */
const shapes = every.filter((n) => n >= 0xc0 || (n & 7) === 4 || (n < 0x40 && [0, 5, 6].includes(n & 7)) || (n & 7) === 2);
const sparse = [0x04, 0x05, 0x06, 0x41, 0xc1, 0xd3, 0xe4, 0xf7, 0x2c, 0x90, 0x98, 0x9c, 0x14, 0x1e, 0x3e];

export const quickPlan: EncodingPlan = {
  prefixes: [[], [0x66], [0xf2], [0xf3], [0x66, 0xf3], [0x67], [0xf0]],
  vexPrefixes: [[], [0x66]],
  modrms: shapes.filter((n) => n >= 0xc0 || n < 0x48),
  vexModrms: sparse,
  vvvv: [15, 14],
};

export const thoroughPlan: EncodingPlan = {
  prefixes: [...quickPlan.prefixes, [0x66, 0xf2], [0x2e], [0xf2, 0xf3], [0x36, 0x67], [0xf0, 0x66], [0xf3, 0xf0]],
  vexPrefixes: [[], [0x66], [0xf0], [0xf2], [0xf3], [0x67], [0x65]],
  modrms: every,
  vexModrms: shapes,
  vvvv: [15, 14, 11, 7, 3],
};

const escapes = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

/** Every opcode of every map under the plan's prefixes and ModR/M bytes. */
export function* encodings(plan: EncodingPlan): Generator<number[]> {
  for (const prefix of plan.prefixes) {
    for (const escape of escapes) {
      for (const opcode of every) {
        for (const modrm of plan.modrms) yield padded([...prefix, ...escape, opcode, modrm]);
      }
    }
  }
  for (const prefix of plan.vexPrefixes) {
    for (let map = 0; map < 5; map++) yield* vexEncodings(plan, prefix, map);
  }
}

function* vexEncodings(plan: EncodingPlan, prefix: readonly number[], map: number): Generator<number[]> {
  for (let low = 0; low < 8; low++) {
    for (const vvvv of plan.vvvv) {
      const payload = (vvvv << 3) | low;
      for (const opcode of every) {
        for (const modrm of plan.vexModrms) {
          yield padded([...prefix, 0xc4, 0xe0 | map, payload, opcode, modrm]);
          yield padded([...prefix, 0xc4, 0xe0 | map, 0x80 | payload, opcode, modrm]);
          if (map === 1 && vvvv >= 8) yield padded([...prefix, 0xc5, 0x80 | payload, opcode, modrm]);
        }
      }
    }
  }
}

/** Random strings; one in four bytes at the front is a prefix, so that odd combinations come up. */
export function* randomEncodings(seed: number, count: number): Generator<number[]> {
  const prefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f];
  let state = seed | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let n = 0; n < count; n++) {
    const bytes: number[] = [];
    while (next() % 4 === 0 && bytes.length < ENCODING_BYTES) bytes.push(prefixes[next() % prefixes.length]);
    while (bytes.length < ENCODING_BYTES) bytes.push(next() & 255);
    yield bytes;
  }
}

function padded(head: number[]): number[] {
  return head.concat(tail).slice(0, ENCODING_BYTES);
}
