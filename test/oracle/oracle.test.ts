/**
 * Proves that the oracle catches what it is there for, without a VM in between: it runs as a
 * process of this host, and its memory is changed from outside. A page as it was one pass
 * earlier, half of one, or one flipped bit is found; what is as it should be passes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PAGE_BYTES = 4096;
const AREA_MIB = 4;
const AREA_PAGES = AREA_MIB * 256;

type Found = { page: number; pass: number };
const { pageOf, recognize }: { pageOf(page: number, pass: number): Uint32Array; recognize(words: Uint32Array): Found | undefined } = jest.requireActual('./pattern.cjs');

interface Beat {
  kib: number;
  errors: number;
  jobs: number;
}
interface Line {
  take(text: string): void;
  line(start: string, limitMs: number): Promise<string>;
  beats: Beat[];
}
interface Talk {
  line: Line;
  ready(): Promise<string>;
  write(rate: number): void;
  load(on: boolean): void;
  check(): Promise<{ ok: boolean; line: string }>;
}

let program: string;
let Oracle: new (type: (text: string) => void) => Talk;
const running: ChildProcess[] = [];
const folder = mkdtempSync(path.join(tmpdir(), 'godwit-oracle-'));

beforeAll(async () => {
  const guest = await import('./guest.mjs');
  program = guest.oracleProgram();
  Oracle = guest.Oracle as unknown as typeof Oracle;
});

afterAll(async () => {
  for (const child of running) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

/** The oracle as a process here; `memory`: its own, by address. */
async function start(pattern = 'full'): Promise<{ talk: Talk; area: number; constant: number; memory: Memory }> {
  const child = spawn(program, [String(AREA_MIB), '1', '5000', pattern], { cwd: mkdtempSync(path.join(folder, 'run-')), stdio: ['pipe', 'pipe', 'inherit'] });
  running.push(child);
  const talk = new Oracle((text) => child.stdin!.write(text));
  const ready = talk.ready();
  child.stdout!.on('data', (data: Buffer) => talk.line.take(data.toString('latin1')));
  const [, area, constant] = /at=([0-9a-f]+),([0-9a-f]+)/.exec(await ready)!;
  return { talk, area: Number.parseInt(area, 16), constant: Number.parseInt(constant, 16), memory: new Memory(child.pid!) };
}

class Memory {
  constructor(private readonly pid: number) {}
  page(at: number): Uint32Array {
    const bytes = new Uint8Array(PAGE_BYTES);
    this.with((file) => readSync(file, bytes, 0, PAGE_BYTES, at));
    return new Uint32Array(bytes.buffer);
  }
  write(at: number, words: Uint32Array): void {
    this.with((file) => writeSync(file, new Uint8Array(words.buffer, words.byteOffset, words.byteLength), 0, words.byteLength, at));
  }
  private with(act: (file: number) => number): void {
    const file = openSync(`/proc/${this.pid}/mem`, 'r+');
    try {
      act(file);
    } finally {
      closeSync(file);
    }
  }
}

/** Has been through the area some times and stands still. */
async function worked(talk: Talk): Promise<void> {
  talk.write(200);
  await until(() => (talk.line.beats.at(-1)?.kib ?? 0) > 3 * AREA_MIB * 1024);
  talk.write(0);
  await talk.check();
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 20) {
    if (waited > 30_000) throw new Error('the oracle does not get on');
    await sleep(20);
  }
}

test.each(['full', 'sparse'])('memory that nobody damaged passes (%s), whatever is being written and compiled', async (pattern) => {
  const { talk } = await start(pattern);
  talk.write(-1);
  talk.load(true);
  await until(() => (talk.line.beats.at(-1)?.kib ?? 0) > 5 * AREA_MIB * 1024 && talk.line.beats.at(-1)!.jobs >= 3);
  const { ok, line } = await talk.check();
  expect(line).toMatch(/verdict ok .* errors=0 .* wrongjobs=0/);
  expect(ok).toBe(true);
});

test('the pattern is known outside: every page is recognized, with one step edge at most', async () => {
  const { talk, area, memory } = await start();
  await worked(talk);
  const passes: number[] = [];
  for (let page = 0; page < AREA_PAGES; page++) {
    const found = recognize(memory.page(area + page * PAGE_BYTES));
    expect(found?.page).toBe(page);
    passes.push(found!.pass);
  }
  expect(passes.filter((pass, at) => at > 0 && pass !== passes[at - 1]).length).toBeLessThanOrEqual(1);
});

test('a page as it was one pass earlier is found, and named', async () => {
  const { talk, area, memory } = await start();
  await worked(talk);
  const at = area + 777 * PAGE_BYTES;
  memory.write(at, pageOf(777, recognize(memory.page(at))!.pass - 1));
  expect((await talk.check()).line).toMatch(/verdict BAD .* errors=\d+ .* area page=777 word=1 /);
});

test('it is found too when it is rewritten before anybody asks', async () => {
  const { talk, area, memory } = await start();
  await worked(talk);
  const at = area + 12 * PAGE_BYTES;
  memory.write(at, pageOf(12, recognize(memory.page(at))!.pass - 1));
  const before = talk.line.beats.at(-1)!.kib;
  talk.write(-1);
  await until(() => talk.line.beats.at(-1)!.kib > before + 4 * AREA_MIB * 1024);
  expect(talk.line.beats.at(-1)!.errors).toBeGreaterThan(0);
  expect((await talk.check()).line).toMatch(/verdict BAD .* area page=12 /);
});

test('half a page that is older is found', async () => {
  const { talk, area, memory } = await start();
  await worked(talk);
  const at = area + 100 * PAGE_BYTES;
  const older = pageOf(100, recognize(memory.page(at))!.pass - 1);
  memory.write(at + PAGE_BYTES / 2, older.slice(512));
  expect((await talk.check()).line).toMatch(/verdict BAD .* area page=100 word=512 /);
});

test('a bit of a page that is never rewritten is found', async () => {
  const { talk, constant, memory } = await start();
  await worked(talk);
  const at = constant + 200 * PAGE_BYTES;
  const words = memory.page(at);
  words[700] ^= 4;
  memory.write(at, words);
  expect((await talk.check()).line).toMatch(/verdict BAD .* constant page=1224 word=700 /);
});
