/**
 * One side of a move, step by step: the real SourceVmm or TargetVmm of a bare guest,
 * driven by its parent over IPC ({ id, do, … } → { id, result | error }), so that a test
 * decides what travels when, and what is lost or false on the way.
 *
 *   fork(warm-side.mjs, ['source', '{"image": FILE}']), or kernel, initrd, commandLine, megabytes; ['target', '{}']
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const packages = '../../../packages';
const { Vm, SourceVmm, TargetVmm, hostCpuidQuery, saveVm, openSavedVm } = require(`${packages}/vmm`);
const { hostFeatures } = require(`${packages}/cpu`);
const { loadNative } = require(`${packages}/metal`);

const PAGE = 4096;
const { image, kernel, initrd, commandLine = '', megabytes = 32 } = JSON.parse(process.argv[3]);
const memoryBytes = megabytes << 20;
const native = loadNative();
const clockSample = { tsc: native.hostTsc(), ns: native.monotonicNs() };
const spec = () => ({
  ...(image ? { raw: { gpa: 0x100000, bytes: new Uint8Array(readFileSync(image)), eip: 0x100000 } } : {}),
  ...(kernel ? { kernel: new Uint8Array(readFileSync(kernel)), initrd: new Uint8Array(readFileSync(initrd)) } : {}),
  commandLine, memoryBytes, features: [...hostFeatures(hostCpuidQuery(native))], mode: 'translate', trace: [],
  clockSample, processStartMs: performance.timeOrigin,
});

let vm, source, target, ram;
let text = '', ended;
/** Host times of the guest's lines; calls counted by many-functions.s, looked at every few milliseconds since the start. */
let lines = [];
const samples = [];
const COUNTER = 0x310000;
function watch(machine) {
  vm = machine;
  vm.on('serial', (bytes) => {
    const piece = Buffer.from(bytes).toString('latin1');
    text += piece;
    if (piece.includes('\n')) lines.push(performance.now());
  });
  vm.ended.then((end) => (ended = end), (error) => (ended = { outcome: { kind: 'error', detail: error.message } }));
}
/** Pages by number, those that are all zero left out. */
const read = (numbers) => numbers.map((page) => [page, ram.slice(page * PAGE, (page + 1) * PAGE)]);
const dirtyOf = (log) => [...log.keys()].filter((page) => log[page] !== 0);

const orders = {
  // --- the source
  async boot() {
    watch(new Vm(spec()));
    await vm.start();
    ram = vm.ram();
    source = new SourceVmm(vm);
  },
  async round({ first }) {
    const log = await source.beginRound();
    const pages = first ? (await source.populated()).flatMap(({ firstPage, pages: count }) => Array.from({ length: count }, (_, at) => firstPage + at)) : dirtyOf(log);
    return read(pages);
  },
  hotBlocks: () => source.hotBlocks(),
  pause: () => source.pause(),
  async state() {
    return (await source.saveState()).bytes;
  },
  discard: () => source.discard(),
  async saveFile({ path }) {
    const report = await saveVm(vm, path, null);
    return report;
  },
  // --- the target
  /** Before the offer: puts the VM together and rehearses. */
  async prepare() {
    target = new TargetVmm({ facts: () => ({}), specFor: spec, onVm: watch });
    await target.prepare(spec());
  },
  /** A VM that waits for its state, before and after `ms` of the rehearsal's guest. */
  async rehearse({ ms }) {
    vm = new Vm({ ...spec(), waitForState: true, incoming: true });
    await vm.start();
    const look = async () => {
      const state = await vm.save();
      vm.resume('save');
      return { state, stats: await vm.stats(), written: vm.ram().findIndex((byte) => byte !== 0) };
    };
    const before = await look();
    const instructions = await vm.rehearse(ms);
    const after = await look();
    return { instructions, before, after };
  },
  async reserve() {
    target ??= new TargetVmm({ facts: () => ({}), specFor: spec, onVm: watch });
    ram = (await target.reserve({ migrationId: 'm', vm: { memoryBytes }, config: {} })).ram;
  },
  /** `quiet`: the pages are written without a word to the VM. */
  take({ pages, quiet }) {
    for (const [page, bytes] of pages) {
      if (!quiet) target.beforeWrite(page, 1);
      ram.set(bytes, page * PAGE);
    }
  },
  warm: ({ list }) => target.warm(list),
  restore: ({ state }) => target.restore(state),
  async start({ sampleMs }) {
    lines = [];
    await target.start({ epoch: 1, userPaused: false });
    const began = performance.now();
    const counter = new DataView(ram.buffer, COUNTER, 4);
    const first = counter.getUint32(0, true);
    const look = () => samples.push([performance.now() - began, (counter.getUint32(0, true) - first) >>> 0]);
    if (sampleMs) setInterval(look, sampleMs).unref();
    orders.progress = () => ({ samples, lines: lines.map((at) => at - began) });
  },
  async loadFile({ path, plain }) {
    const opened = await openSavedVm(path);
    watch(new Vm({ ...spec(), waitForState: true }));
    await vm.start();
    const state = await opened.load(vm.ram());
    await opened.close();
    const hot = state.hotBlocks?.length ?? 0;
    await vm.restore(plain ? { ...state, hotBlocks: undefined } : state);
    vm.resume('restore');
    return hot;
  },
  // --- both
  stats: () => vm.stats(),
  text: () => text,
  /** Calls made so far. */
  calls: () => Buffer.from(vm.ram().slice(COUNTER, COUNTER + 4)).readUInt32LE(),
  input: () => vm.input(Uint8Array.of(1)),
  async end() {
    const { outcome, stats } = await vm.ended;
    return { outcome, stats, text };
  },
};

process.on('message', async ({ id, do: what, ...rest }) => {
  try {
    if (ended && what !== 'end' && what !== 'text') throw new Error(`the VM has ended: ${JSON.stringify(ended.outcome)} ${text}`);
    process.send({ id, result: await orders[what](rest) });
  } catch (error) {
    process.send({ id, error: error.stack });
  }
});
process.on('disconnect', () => process.exit(0));
