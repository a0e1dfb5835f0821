/**
 * One host's process for migration tests: holds a VM's lease, runs the VM or waits
 * for it to arrive, and moves it over a plain socket (the sessions are the real
 * ones; only the transport is the test's). Orders come as JSON lines on standard
 * input, events go out as JSON lines on standard output.
 *
 *   node host.mjs '{"role": "source", "store": …, "vm": …, "disk": …, "files": …, "usernet": SOCKET, "mac": …}'
 *   → {"do": "listen"} {"do": "migrate", "port": N} {"do": "cancel"} {"do": "stop"}
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);
const packages = '../../packages';
const { Vm, SourceVmm, TargetVmm, clockPort, codecPort, sourceLease, targetLease, hostCpuidQuery } = require(`${packages}/vmm`);
const { SourceSession, TargetSession, DEFAULT_SETTINGS, PROTOCOL } = require(`${packages}/migration`);
const { Datastore, LeaseHolder } = require(`${packages}/storage`);
const { loadNative } = require(`${packages}/metal`);
const { hostFeatures } = require(`${packages}/cpu`);
const { parseMac } = require(`${packages}/network`);

const order = JSON.parse(process.argv[2]);
const native = loadNative();
const sample = { tsc: native.hostTsc(), ns: native.monotonicNs() };
const emit = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const features = [...hostFeatures(hostCpuidQuery(native))];
const cpu = { vendor: 'test', features, xsaveBytes: 832 };
const memoryBytes = order.megabytes << 20;

const store = await Datastore.open(order.store);
const directory = await store.vm(order.vm);
const owner = { hostId: order.name, hostName: order.name, vmmId: randomUUID() };
const holder = new LeaseHolder(await directory.leasePlace(), owner);
let vm;
holder.onMustPause = () => vm?.pause('lease');
holder.onMayResume = () => vm?.resume('lease');
holder.onLost = () => vm?.stop();

const spec = () => ({
  kernel: readFileSync(order.files.kernel),
  initrd: readFileSync(order.files.initrd),
  commandLine: `${order.files.kernelParameters} quiet`,
  memoryBytes,
  features,
  mode: 'translate',
  trace: [],
  clockSample: sample,
  processStartMs: performance.timeOrigin,
  lease: holder.deadline.shared,
  disks: [{ adapter: 'virtio', image: { location: order.disk, readOnly: false, lease: holder.deadline.shared } }],
  nics: [{ adapter: 'virtio', mac: parseMac(order.mac), backend: { kind: 'socket', path: order.usernet }, offloads: true }],
});
const vmFacts = () => ({
  vmId: directory.name, name: order.vm, state: 'running', cpu, vcpus: 1, memoryBytes, machineVersion: 1,
  datastores: [store.id], networks: ['test'], localDevices: [],
});
const hostFacts = () => ({
  hostId: order.name, name: order.name, cpu, cpus: 2, freeMemoryBytes: 8 * 2 ** 30, protocol: PROTOCOL, machineVersions: { oldest: 1, newest: 1 },
  datastores: [store.id], networks: ['test'], wallClockMs: Date.now(), maintenance: false,
});
const trace = { event: (name, line, fields) => emit({ event: 'trace', name, line, fields }) };

function watch(machine) {
  vm = machine;
  let text = '';
  vm.on('serial', (bytes) => (text = (text + Buffer.from(bytes).toString('latin1')).slice(-2000)));
  vm.ended.then(({ outcome }) => emit({ event: 'ended', outcome, serial: text }), (error) => emit({ event: 'failed', message: error.stack, serial: text }));
}

/** Messages with their length before them. */
function transport(socket) {
  socket.setNoDelay(true);
  let buffered = Buffer.alloc(0);
  return {
    send: (message) => new Promise((resolve, reject) => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(message.length);
      socket.cork();
      socket.write(head);
      socket.write(message, (error) => (error ? reject(error) : resolve()));
      socket.uncork();
    }),
    listen: ({ message, closed }) => {
      socket.on('data', (data) => {
        buffered = buffered.length === 0 ? data : Buffer.concat([buffered, data]);
        while (buffered.length >= 4 && buffered.length >= 4 + buffered.readUInt32LE(0)) {
          const end = 4 + buffered.readUInt32LE(0);
          message(buffered.subarray(4, end));
          buffered = buffered.subarray(end);
        }
      });
      socket.on('close', () => closed('the connection ended'));
      socket.on('error', () => {});
    },
    close: () => socket.end(),
  };
}

let session;
const orders = {
  listen() {
    const server = net.createServer((socket) => {
      const target = new TargetVmm({ facts: hostFacts, specFor: spec, onVm: watch });
      session = new TargetSession({ vmm: target, lease: targetLease(holder), transport: transport(socket), clock: clockPort, codec: codecPort, trace });
      session.run().then((record) => emit({ event: 'record', record }));
    });
    server.listen(0, '127.0.0.1', () => emit({ event: 'listening', port: server.address().port }));
  },
  migrate({ port, settings }) {
    const socket = net.connect(port, '127.0.0.1', () => {
      const setup = {
        migrationId: randomUUID(), vm: vmFacts(), config: {}, owner, wallClockMs: Date.now(), settings: { ...DEFAULT_SETTINGS, ...settings },
      };
      session = new SourceSession(setup, { vmm: new SourceVmm(vm), lease: sourceLease(holder), transport: transport(socket), clock: clockPort, codec: codecPort, trace }, order.options);
      session.run().then((record) => emit({ event: 'record', record }));
    });
    socket.on('error', (error) => emit({ event: 'failed', message: error.message }));
  },
  cancel: () => session?.cancel('the test wants it'),
  stop: () => vm?.stop(),
};

if (order.role === 'source') {
  await holder.acquire();
  const machine = new Vm(spec());
  watch(machine);
  await machine.start();
  emit({ event: 'running' });
}
createInterface({ input: process.stdin }).on('line', (line) => {
  const { do: what, ...rest } = JSON.parse(line);
  orders[what](rest);
}).on('close', () => process.exit(0));
