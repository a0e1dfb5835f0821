/**
 * Runs one bare guest in this process (one VM a process) and prints one JSON
 * line: how it ended and what it wrote to its serial port.
 *
 *   node run-guest.mjs '{"image": FILE, "mode": "translate", "seconds": 10, "without": ["avx"]}'
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const packages = '../../../packages';
const { Vm, hostCpuidQuery } = require(`${packages}/vmm`);
const { loadNative } = require(`${packages}/metal`);
const { hostFeatures } = require(`${packages}/cpu`);

const order = JSON.parse(process.argv[2]);
const base = order.gpa ?? 0x100000;
const without = new Set(order.without ?? []);
const vm = new Vm({
  raw: { gpa: base, bytes: new Uint8Array(readFileSync(order.image)), eip: order.eip ?? base },
  commandLine: '',
  memoryBytes: (order.megabytes ?? 32) << 20,
  features: [...hostFeatures(hostCpuidQuery(loadNative()))].filter((name) => !without.has(name)),
  mode: order.mode,
  trace: order.trace ?? [],
  processStartMs: performance.timeOrigin,
});
const serial = [];
let length = 0;
vm.on('serial', (bytes) => {
  length += bytes.length;
  if (length < 1 << 20) serial.push(Buffer.from(bytes));
});
vm.on('trace', (line) => process.stderr.write(`${line}\n`));
process.on('SIGTERM', () => vm.stop());
const timer = setTimeout(() => vm.stop(), (order.seconds ?? 20) * 1000);
vm.start();
if (order.announce) process.stderr.write('started\n');
const { outcome, stats } = await vm.ended;
clearTimeout(timer);
const answer = { outcome, serial: Buffer.concat(serial).toString('latin1'), stats };
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
