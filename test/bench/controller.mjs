/**
 * What the controller's core costs by the size of the cluster:
 *
 *   node --expose-gc test/bench/controller.mjs [--hosts 10,100,1000] [--vms-per-host 20] [--rounds 3] [--by wall|cpu] [--json FILE]
 *
 * Real core, real scheduler; agents are their messages. For each size: a leader begins from what is stored, every host
 * says Hello with its VMs (the two together are the reconciliation after a change of leader), every host reports, every
 * VM reports once more, a hundred VMs are placed and started, a host is drained, two hosts die. Milliseconds, the best
 * of the rounds; `heapMiB`: what the core and all it knows hold. `growth` is the exponent between two sizes (1: linear);
 * what is done a fixed number of times (a placing, a drain) may grow with the hosts that it chooses from, and no faster.
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
  options: {
    hosts: { type: 'string', default: '10,100,1000' },
    'vms-per-host': { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    by: { type: 'string', default: 'wall' },
    json: { type: 'string' },
  },
});
const SIZES = values.hosts.split(',').map(Number);
const [PER_HOST, ROUNDS] = [Number(values['vms-per-host']), Number(values.rounds)];
if (![...SIZES, PER_HOST, ROUNDS].every((one) => Number.isSafeInteger(one) && one > 0) || SIZES.some((one) => one < 8)) {
  console.error('usage: node --expose-gc test/bench/controller.mjs [--hosts NUMBER,…] [--vms-per-host NUMBER] [--rounds NUMBER] [--json FILE]; 8 hosts at least');
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
    const [start, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
    const result = work();
    const wallMs = Number(process.hrtime.bigint() - start) / 1e6;
    const { user, system } = process.cpuUsage(cpu);
    // Of all threads of the process, those of the garbage collector too: for a busy machine.
    figures[name] = values.by === 'cpu' ? (user + system) / 1000 : wallMs;
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
  return figures;
}

/** The best of each figure. */
function best(hostCount) {
  const rounds = Array.from({ length: ROUNDS }, () => measure(hostCount, hostCount * PER_HOST));
  // Other work on the machine only ever adds to a time; what a round before has left behind takes from the growth of the heap.
  const pick = (name) => (name === 'heapMiB' ? Math.max : Math.min)(...rounds.map((one) => one[name]));
  const row = Object.fromEntries(Object.keys(rounds[0]).map((name) => [name, pick(name)]));
  return { ...row, reconcileMs: row.loadMs + row.hellosMs };
}

best(SIZES[0]);
best(64);
const results = SIZES.map(best);
const names = Object.keys(results[0]).filter((name) => !['hosts', 'vms', 'restarts'].includes(name));
const growth = results.slice(1).map((large, at) => {
  const small = results[at];
  return Object.fromEntries(names.map((name) => [name, Math.log(large[name] / small[name]) / Math.log(large.hosts / small.hosts)]));
});
console.log(`${'milliseconds'.padEnd(20)}${results.map(({ hosts, vms }) => `${hosts} hosts, ${vms} VMs`.padStart(24)).join('')}${growth.map(() => 'growth'.padStart(10)).join('')}`);
for (const name of names) {
  const cells = results.map((row) => (row[name] < 10 ? row[name].toFixed(2) : row[name].toFixed(0)).padStart(24)).join('');
  console.log(name.padEnd(20) + cells + growth.map((of) => of[name].toFixed(2).padStart(10)).join(''));
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ rounds: ROUNDS, by: values.by, results, growth }, null, 2)}\n`);
