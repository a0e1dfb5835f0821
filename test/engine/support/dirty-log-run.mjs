/**
 * Boots a kernel in this process with dirty logging on, in rounds of a few
 * milliseconds, and holds the log against memory itself: a page that the log
 * calls clean must be byte for byte what it was when the round began. Prints one
 * JSON line: { rounds, dirtyPages, lost: [gpa page, …], outcome, serial }.
 *
 *   node dirty-log-run.mjs '{"kernel": FILE, "initrd": FILE, "commandLine": …, "mode": "translate", "roundMs": 30}'
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { Engine, hostCpuidQuery } = require('../../../packages/vmm');
const { loadNative } = require('../../../packages/metal');
const { hostFeatures } = require('../../../packages/cpu');

const order = JSON.parse(process.argv[2]);
const PAGE = 4096;
const native = loadNative();
const serial = [];
let before;
let dirty;
let roundBegan = 0;
let rounds = 0;
let dirtyPages = 0;
const lost = [];

function round(engine) {
  const ram = Buffer.from(native.ram());
  before ??= Buffer.alloc(ram.length);
  dirty ??= new Uint8Array(ram.length / PAGE);
  native.beginDirtyRound(dirty);
  for (let page = 0; page < dirty.length; page++) {
    const at = page * PAGE;
    const same = ram.compare(before, at, at + PAGE, at, at + PAGE) === 0;
    if (dirty[page] !== 0) dirtyPages++;
    else if (!same && rounds > 0 && lost.length < 20) lost.push(page);
    if (!same) ram.copy(before, at, at, at + PAGE);
  }
  rounds++;
  roundBegan = performance.now();
  if (order.stopLogEvery && rounds % order.stopLogEvery === 0) {
    // Logging ends and begins anew, as with a migration that was cancelled.
    native.endDirtyLog();
    before = undefined;
    rounds = 0;
  }
  if (performance.now() > order.seconds * 1000) engine.end({ kind: 'stopped', detail: 'time is up' });
}

const engine = new Engine(
  {
    kernel: readFileSync(order.kernel),
    initrd: readFileSync(order.initrd),
    commandLine: order.commandLine,
    memoryBytes: 64 << 20,
    features: [...hostFeatures(hostCpuidQuery(native))],
    mode: order.mode,
    trace: [],
    disks: [],
    nics: [],
    processStartMs: performance.timeOrigin,
  },
  {
    serialOutput: (bytes) => serial.push(...bytes),
    receive: (it) => {
      if (performance.now() - roundBegan >= order.roundMs) round(it);
    },
    trace: () => {},
    wallClockMs: () => Date.now(),
    nowMs: () => performance.timeOrigin + performance.now(),
  },
);
const outcome = engine.run();
const answer = { rounds, dirtyPages, lost, outcome, serial: Buffer.from(serial).toString('latin1').slice(-4000) };
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
