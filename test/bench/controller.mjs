/**
 * What the controller's core costs by the size of the cluster: node test/bench/controller.mjs [--hosts 1000] [--vms 20000] [--json FILE]
 *
 * Real core, real scheduler; agents are their messages. For each size: a leader begins from what is stored, every host
 * says Hello with its VMs, every host reports, every VM reports once more, a hundred VMs are placed and started, a
 * host is drained, a host dies. Prints milliseconds for each, microseconds a VM for the whole, and the memory held.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const dist = new URL('../../packages/controller/dist/', import.meta.url).pathname;
const { Core } = require(`${dist}core/core.js`);
const { SchedulerPlanner } = require(`${dist}core/scheduler-planner.js`);
const { createVm } = require(`${dist}core/vm-requests.js`);
const { drainHost } = require(`${dist}core/cluster-requests.js`);

const { values } = parseArgs({
  options: { hosts: { type: 'string', default: '1000' }, vms: { type: 'string', default: '20000' }, json: { type: 'string' } },
});
const [hosts, vms] = [Number(values.hosts), Number(values.vms)];
if (!Number.isSafeInteger(hosts) || !Number.isSafeInteger(vms) || hosts < 8 || vms < hosts) {
  console.error('usage: node test/bench/controller.mjs [--hosts NUMBER] [--vms NUMBER] [--json FILE]');
  process.exit(2);
}

const GIB = 2 ** 30;
const CPU = { vendor: 'GenuineIntel', features: ['cmov', 'fxsr', 'mmx', 'sse', 'sse2', 'sse4_1', 'avx'], xsaveBytes: 832 };
const spec = (index) => ({
  vmId: `vm-${index}`,
  name: `vm-${index}`,
  memoryBytes: GIB,
  vcpus: 1,
  cpuFeatures: [],
  networks: [],
  labels: {},
  restart: 'always',
  disks: [{ file: 'disk0', bus: 'virtio', readOnly: false, sizeBytes: GIB, format: 'raw' }],
  migration: { manualOnly: false },
  reservedMemoryBytes: 0,
  machineVersion: 0,
  priority: 0,
});
const load = (host) => ({
  cpuUsed: (host % 10) / 20,
  load1m: 1,
  memoryUsedBytes: 0,
  networkRxBytesPerSecond: 0,
  networkTxBytesPerSecond: 0,
  migrationsIn: 0,
  migrationsOut: 0,
  memoryPressure: 0,
  cpuPressure: 0,
});
const hostReport = (host, now) => ({
  facts: {
    hostId: `host-${host}`,
    name: `host-${host}`,
    cpu: CPU,
    cpus: 64,
    freeMemoryBytes: 200 * GIB,
    protocol: { oldest: 1, newest: 1 },
    machineVersions: { oldest: 1, newest: 1 },
    datastores: ['ds'],
    networks: [],
    wallClockMs: now,
    maintenance: false,
  },
  load: load(host),
  warnings: [],
  totalMemoryBytes: 256 * GIB,
});
const vmm = (index, epoch = 1) => ({
  vmmId: `vmm-${index}`,
  vmId: `vm-${index}`,
  name: `vm-${index}`,
  place: { datastoreId: 'ds', folder: `vm-${index}` },
  state: 'running',
  epoch,
  pauses: [],
  line: '',
  ended: '',
  silent: false,
  orderId: '',
  incomingMigrationId: '',
  migrationId: '',
  startedAtMs: 0,
  cpuUsed: 0.1,
  dirtyBytesPerSecond: 1e6,
  facts: {
    vmId: `vm-${index}`,
    name: `vm-${index}`,
    cpu: CPU,
    usedFeatures: null,
    vcpus: 1,
    memoryBytes: GIB,
    machineVersion: 1,
    datastores: ['ds'],
    networks: [],
    localDevices: [],
  },
});
const vmRecord = (index, host) => ({
  id: `vm-${index}`,
  spec: spec(index),
  place: { datastoreId: 'ds', folder: `vm-${index}` },
  wanted: 'running',
  hostId: `host-${host}`,
  epoch: 1,
  machineVersion: 1,
  movedAtMs: 0,
  suspended: false,
  creating: false,
  adopted: false,
  line: '',
  createdAtMs: 0,
  restarts: 0,
  restartedAtMs: 0,
  revision: 1,
});

function measure(hostCount, vmCount) {
  let serial = 0;
  let now = 1_000_000;
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const core = new Core({ newId: () => `id-${++serial}`, planner: new SchedulerPlanner() });
  const at = (index) => index % hostCount;
  const figures = { hosts: hostCount, vms: vmCount };
  const timed = (name, work) => {
    const start = process.hrtime.bigint();
    const result = work();
    figures[name] = Number(process.hrtime.bigint() - start) / 1e6;
    return result;
  };
  const hostIds = Array.from({ length: hostCount }, (_, host) => host);
  const byHost = hostIds.map(() => []);
  for (let index = 0; index < vmCount; index++) byHost[at(index)].push(index);
  const records = [
    ...hostIds.map((host) => ({
      kind: 'host',
      value: { id: `host-${host}`, name: `host-${host}`, maintenance: 'no', bootId: 'b', joinedAtMs: 0, certificateEndsAtMs: 0 },
    })),
    ...Array.from({ length: vmCount }, (_, index) => ({ kind: 'vm', value: vmRecord(index, at(index)) })),
  ];
  timed('loadMs', () => core.load(now, records));
  const reports = hostIds.map((host) => ({
    is: 'hello',
    hello: {
      bootId: 'b',
      agentId: 'a',
      agentVersion: 'bench',
      host: hostReport(host, now),
      vmms: byHost[host].map((index) => vmm(index)),
      results: [],
      migrations: [],
      datastores: [
        {
          datastoreId: 'ds',
          where: '/ds',
          name: 'ds',
          reachable: true,
          line: '',
          totalBytes: 1e15,
          freeBytes: 1e14,
          vms: [],
          vmsListed: false,
          vmsMore: false,
        },
      ],
    },
  }));
  timed('hellosMs', () => reports.forEach((report, host) => core.report(++now, `host-${host}`, `s-${host}`, report)));
  const again = hostIds.map((host) => ({ is: 'host', host: hostReport(host, now) }));
  timed('hostReportsMs', () => again.forEach((report, host) => core.report(now, `host-${host}`, `s-${host}`, report)));
  const changes = Array.from({ length: vmCount }, (_, index) => ({ is: 'vmm', vmm: vmm(index) }));
  timed('vmReportsMs', () => changes.forEach((report, index) => core.report(now, `host-${at(index)}`, `s-${at(index)}`, report)));
  timed('hundredPlacedMs', () => {
    for (let index = 0; index < 100; index++)
      core.ask(now, (ctx) =>
        createVm(ctx, {
          actor: 'bench',
          key: '',
          timeMs: 0,
          spec: { ...spec(0), name: `new-${index}` },
          datastore: '',
          host: '',
          start: true,
        }),
      );
  });
  const drain = timed('drainBegunMs', () =>
    core.ask(now, (ctx) =>
      drainHost(ctx, {
        actor: 'bench',
        key: '',
        timeMs: 0,
        host: 'host-0',
        dryRun: false,
        otherwise: 'leave',
        settings: {},
        concurrent: 0,
      }),
    ),
  );
  if (drain.value.plan.moves.length !== byHost[0].length) throw new Error('the drain did not plan every VM');
  const speak = (first) => {
    for (const host of hostIds.slice(first)) core.report(now, `host-${host}`, `s-${host}`, { is: 'host', host: hostReport(host, now) });
  };
  now += 60_001;
  speak(0);
  timed('sweepMs', () => core.tick(now));
  for (let rest = core.state.settings.hostDeadMs + 1; rest > 0; rest -= 10_000) {
    now += Math.min(rest, 10_000);
    speak(2);
    core.tick(now);
  }
  const dead = [...core.state.hosts.values()].filter(({ status }) => status === 'dead').length;
  if (dead !== 2) throw new Error(`${dead} hosts are dead, not the two that are silent`);
  now += 10_000;
  speak(2);
  const running = core.state.running.size;
  timed('restartsMs', () => core.tick(now));
  figures.restarts = core.state.running.size - running;
  globalThis.gc?.();
  figures.heapMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  figures.microsecondsPerVm = ((figures.loadMs + figures.hellosMs + figures.hostReportsMs + figures.vmReportsMs) * 1000) / vmCount;
  return figures;
}

measure(64, 1280);
const sizes = [8, 4, 2, 1].map((share) => [Math.max(8, Math.round(hosts / share)), Math.round(vms / share)]);
const results = sizes.map(([hostCount, vmCount]) => measure(hostCount, vmCount));
console.table(results.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Math.round(value * 10) / 10]))));
const [small, large] = [results[0], results.at(-1)];
console.log(
  `a VM costs ${large.microsecondsPerVm.toFixed(1)} µs at ${large.vms} VMs, ${small.microsecondsPerVm.toFixed(1)} at ${small.vms}: ${(large.microsecondsPerVm / small.microsecondsPerVm).toFixed(2)} times (1: linear)`,
);
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
