/**
 * The host CPU as the third opinion: builds ../oracle.c, hands it a batch of
 * cases in a file, and reads the results. One short process a batch.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  CASE_BYTES, CASE_XSAVE, type Case, GS_BASE, HEADER_BYTES, LINE_BYTES, MAGIC, MAX_LINES, type Outcome, regions,
  RESULT_BYTES, RESULT_LINES, RESULT_XSAVE, WRITABLE_BYTES, WRITABLE_GPA, toPhysical, XSAVE_BYTES,
} from './layout';

// Position of the program itself: where no case points.
export const ORACLE_TEXT = 0x7d000000;
const flags = [
  '-m32', '-O2', '-std=gnu2x', '-nostdlib', '-static', '-ffreestanding', '-fno-stack-protector', '-fno-pic', '-no-pie', '-mno-sse',
  '-fcf-protection=none', `-Wl,-Ttext-segment=0x${ORACLE_TEXT.toString(16)}`, '-Wl,--build-id=none',
];

export class Oracle {
  private constructor(private readonly program: string, private readonly directory: string) {}

  /** Undefined, with the reason told, where no 32-bit program can be built or run. */
  static build(tell: (reason: string) => void): Oracle | undefined {
    const base = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
    const directory = fs.mkdtempSync(path.join(base, 'godwit-oracle-'));
    const program = path.join(directory, 'oracle');
    const source = path.join(__dirname, '..', 'oracle.c');
    const compile = () => spawnSync('gcc', [...flags, '-o', program, source], { encoding: 'utf8' });
    let result = compile();
    if (result.status !== 0 && spawnSync('apt-get', ['install', '-y', '-q', 'gcc-multilib']).status === 0) result = compile();
    if (result.status !== 0) {
      fs.rmSync(directory, { recursive: true });
      tell(`no 32-bit C compiler (apt-get install gcc-multilib): ${result.error?.message ?? result.stderr}`);
      return undefined;
    }
    return new Oracle(program, directory);
  }

  dispose(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  /** `image` is guest-physical memory before the cases; `cases` have their bytes in it. */
  run(cases: readonly Case[], image: Uint8Array): { outcomes: Outcome[]; lowMapped: boolean } {
    const file = path.join(this.directory, 'batch');
    const packed = pack(cases, image);
    fs.writeFileSync(file, packed.bytes);
    const result = spawnSync(this.program, [file], { encoding: 'utf8', timeout: 20_000 });
    const out = fs.readFileSync(file);
    if (result.status !== 0) {
      const current = out.readUInt32LE(8);
      const at = cases[current];
      throw new Error(`the oracle ended with ${result.status ?? result.signal} at case ${current}: ${at ? Buffer.from(at.bytes).toString('hex') : ''}`);
    }
    const outcomes = cases.map((_, n) => unpack(out, packed.resultOffset + n * RESULT_BYTES, image));
    return { outcomes, lowMapped: out.readUInt32LE(12) !== 0 };
  }
}

function pack(cases: readonly Case[], image: Uint8Array): { bytes: Buffer; resultOffset: number } {
  const imageBytes = regions.reduce((sum, r) => sum + r.bytes, 0);
  const caseOffset = HEADER_BYTES + imageBytes;
  const resultOffset = caseOffset + cases.length * CASE_BYTES;
  const b = Buffer.alloc((resultOffset + cases.length * RESULT_BYTES + 4095) & ~4095);
  [MAGIC, cases.length, 0, 0, caseOffset, resultOffset, regions.length, GS_BASE].forEach((v, i) => b.writeUInt32LE(v, i * 4));
  let at = HEADER_BYTES;
  regions.forEach((r, i) => {
    [r.linear, r.bytes, at, r.protection].forEach((v, k) => b.writeUInt32LE(v, 32 + i * 16 + k * 4));
    b.set(image.subarray(r.gpa, r.gpa + r.bytes), at);
    at += r.bytes;
  });
  cases.forEach((c, n) => {
    const start = caseOffset + n * CASE_BYTES;
    for (let i = 0; i < 8; i++) b.writeUInt32LE(c.gpr[i], start + i * 4);
    b.writeUInt32LE(c.eflags, start + 32);
    b.writeUInt32LE(c.eip, start + 36);
    b.writeUInt32LE(c.patches.length, start + 40);
    c.patches.forEach(([address, value], i) => {
      b.writeUInt32LE(address >>> 0, start + 44 + i * 8);
      b.writeUInt32LE(value >>> 0, start + 48 + i * 8);
    });
    b.set(c.xsave, start + CASE_XSAVE);
  });
  return { bytes: b, resultOffset };
}

/** Fields of a result by their u32 index. */
const enum Field { Eip = 8, Eflags, Trap, Error, Cr2, Segments, Lines = 19 }

function unpack(b: Buffer, start: number, image: Uint8Array): Outcome {
  const u32 = (i: number): number => b.readUInt32LE(start + i * 4);
  const lines = u32(Field.Lines);
  let memory: Uint8Array | null = null;
  if (lines <= MAX_LINES) {
    memory = Uint8Array.from(image.subarray(WRITABLE_GPA, WRITABLE_GPA + WRITABLE_BYTES));
    for (let i = 0; i < lines; i++) {
      const at = start + RESULT_LINES + i * LINE_BYTES;
      memory.set(b.subarray(at + 4, at + LINE_BYTES), toPhysical(b.readUInt32LE(at)) - WRITABLE_GPA);
    }
  }
  const vector = u32(Field.Trap);
  return {
    gpr: Uint32Array.from({ length: 8 }, (_, i) => u32(i)),
    // int3 is a trap: the signal shows the address behind it.
    eip: (u32(Field.Eip) - (vector === 3 ? 1 : 0)) >>> 0,
    eflags: u32(Field.Eflags),
    selectors: Array.from({ length: 6 }, (_, i) => u32(Field.Segments + i)),
    vector,
    errorCode: u32(Field.Error),
    cr2: u32(Field.Cr2),
    xsave: Uint8Array.from(b.subarray(start + RESULT_XSAVE, start + RESULT_XSAVE + XSAVE_BYTES)),
    memory,
  };
}
