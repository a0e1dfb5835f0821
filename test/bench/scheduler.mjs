/**
 * How long the scheduler takes to decide, by the size of the cluster: place one VM (with the explanation of every
 * host, and without), plan a drain, balance, restart after a host's death, take in an event.
 *
 *   node test/bench/scheduler.mjs [--hosts 10,100,1000] [--rounds 7] [--by wall|cpu] [--json]
 *
 * Twenty VMs a host. Hosts of four sizes and five CPU models, one in ten under load; rules bind one VM in five:
 * pairs that must be together, groups of ten that must be apart, some that must be on a group of hosts. What is
 * drained, has died, or is hot is a host with as many VMs in every size of cluster, so a decision's time may grow
 * with the hosts that it chooses from and no faster: `growth` is the exponent of that growth between two sizes
 * (1: linear). Figures are the fastest of the rounds, since other work on the machine only ever adds; code is warm.
 * `--by cpu` counts the CPU time of the process instead of elapsed time: for a busy machine.
 */
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const { ClusterIndex, choose, DEFAULT_SETTINGS, hostEntry, place, planBalance, planDrain, planRestart, vmEntry } = createRequire(
  import.meta.url,
)('@godwit/scheduler');

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '10,100,1000' },
    rounds: { type: 'string', default: '7' },
    by: { type: 'string', default: 'wall' },
    json: { type: 'boolean' },
  },
});
const SIZES = values.hosts.split(',').map(Number);
const ROUNDS = Number(values.rounds);
const VMS_PER_HOST = 20;
const GIB = 1024 ** 3;
const NOW = 1_700_000_000_000;

const FEATURES = Array.from({ length: 60 }, (_, i) => `feature${i}`);
const MODELS = [40, 44, 48, 54, 60].map((count) => ({ vendor: 'GenuineIntel', features: FEATURES.slice(0, count), xsaveBytes: 832 }));

const hostOf = (i, state = 'ready') => {
  const memoryBytes = [128, 192, 256, 512][i % 4] * GIB;
  return hostEntry({
    id: `host-${i}`,
    name: `host-${String(i).padStart(5, '0')}`,
    state,
    factsReadMs: NOW,
    memoryBytes,
    load: { cpuUsed: i % 10 === 1 ? 0.7 : 0.1, cpuPressure: 0, memoryPressure: 0 },
    links: [`card-${i}`],
    facts: {
      hostId: `host-${i}`,
      name: `host-${i}`,
      cpu: { ...MODELS[i % MODELS.length] },
      cpus: 32,
      freeMemoryBytes: memoryBytes / 2,
      protocol: { oldest: 1, newest: 1 },
      machineVersions: { oldest: 1, newest: 3 },
      datastores: ['shared', `local-${i}`],
      networks: ['lan'],
      wallClockMs: NOW,
      maintenance: false,
    },
  });
};

const vmOf = (i, hostId) =>
  vmEntry({
    hostId,
    labels: { tier: i % 50 === 0 ? 'front' : 'back' },
    priority: i % 3,
    cpuUsed: (i % 7) / 10,
    dirtyBytesPerSecond: (i % 5) * 5e6,
    facts: {
      vmId: `vm-${i}`,
      name: `vm-${i}`,
      state: hostId === null ? 'stopped' : 'running',
      cpu: MODELS[i % 4],
      usedFeatures: null,
      vcpus: 1 + (i % 4),
      memoryBytes: (1 + (i % 4)) * GIB,
      machineVersion: 2,
      datastores: ['shared'],
      networks: ['lan'],
      localDevices: [],
    },
  });

function clusterOf(hostCount) {
  const hosts = Array.from({ length: hostCount }, (_, i) => hostOf(i));
  const vms = Array.from({ length: hostCount * VMS_PER_HOST }, (_, i) => vmOf(i, `host-${Math.floor(i / VMS_PER_HOST)}`));
  const rules = [{ name: 'front', kind: 'on', soft: false, vms: [], labels: ['tier=front'], group: 'edge' }];
  for (let i = 0; i + 10 <= vms.length; i += 100) {
    rules.push({
      name: `apart-${i}`,
      kind: 'apart',
      soft: i % 200 === 0,
      vms: vms.slice(i, i + 10).map(({ facts }) => facts.vmId),
      labels: [],
      group: '',
    });
    rules.push({ name: `pair-${i}`, kind: 'together', soft: false, vms: [`vm-${i + 11}`, `vm-${i + 12}`], labels: [], group: '' });
  }
  const groups = [{ name: 'edge', hosts: hosts.filter((_, i) => i % 2 === 0).map(({ name }) => name) }];
  const links = hosts.map((_, i) => ({ id: `card-${i}`, bytesPerSecond: 1.25e9 }));
  return { hosts, vms, rules, groups, links, settings: { ...DEFAULT_SETTINGS, hostFailures: 1 } };
}

/** Milliseconds; `run` is given the round's number, and what it returns must be true, or nothing was measured. */
function time(run) {
  run(0);
  return Math.min(
    ...Array.from({ length: ROUNDS }, (_, round) => {
      const cpu = process.cpuUsage();
      const begin = process.hrtime.bigint();
      const sound = run(round);
      const wallMs = Number(process.hrtime.bigint() - begin) / 1e6;
      const { user, system } = process.cpuUsage(cpu);
      if (!sound) throw new Error(`nothing was decided: ${run}`);
      return values.by === 'cpu' ? (user + system) / 1000 : wallMs;
    }),
  );
}

function measure(hostCount) {
  const cluster = clusterOf(hostCount);
  let index = ClusterIndex.of(cluster);
  const build = time(() => (index = ClusterIndex.of(cluster)).hosts().length === hostCount);
  const moved = (round) => index.vm(`vm-${23 + round * 4}`);
  const fresh = (round) => vmOf(1_000_000 + round, null);
  const rows = {
    'build the index': build,
    'take in a VM’s report':
      time((round) => {
        for (let i = 0; i < 100; i++) index.putVm({ ...index.vm(`vm-${i + round}`), cpuUsed: 0.5 });
        return true;
      }) / 100,
    'take in a host’s report':
      time((round) => {
        for (let i = 0; i < 10; i++) index.putHost({ ...index.host(`host-${i}`), factsReadMs: NOW + round });
        return true;
      }) / 10,
    'place a new VM, explained': time((round) => place(index, { vm: fresh(round), move: 'start' }).hostId !== null),
    'place a new VM': time((round) => choose(index, { vm: fresh(round), move: 'start' }) !== undefined),
    'migrate one, explained': time((round) => place(index, { vm: moved(round), move: 'live' }).hostId !== null),
    'migrate one': time((round) => choose(index, { vm: moved(round), move: 'live' }) !== undefined),
  };
  index.putHost(hostOf(3, 'draining'));
  rows['plan a drain of 20 VMs'] = time(() => planDrain(index, 'host-3').moves.length > 15);
  index.putHost(hostOf(3, 'dead'));
  rows['restart 20 VMs of a dead host'] = time(() => planRestart(index, NOW).restarts.length > 15);
  index.putHost(hostOf(3));
  rows['balance, 16 moves at most'] = time(() => planBalance(index, NOW).moves.length > 0);
  return rows;
}

measure(Math.min(...SIZES));
measure(Math.min(...SIZES));
const results = SIZES.map((hosts) => ({ hosts, vms: hosts * VMS_PER_HOST, ms: measure(hosts) }));
/** Exponent of the growth from one size to the next. */
const growth = results.slice(1).map((large, i) => {
  const small = results[i];
  const by = Math.log(large.hosts / small.hosts);
  return Object.fromEntries(Object.keys(large.ms).map((row) => [row, Math.log(large.ms[row] / small.ms[row]) / by]));
});

if (values.json) {
  console.log(JSON.stringify({ rounds: ROUNDS, by: values.by, results, growth }, null, 2));
} else {
  const show = (ms) => (ms < 0.1 ? `${(ms * 1000).toFixed(1)} µs` : ms < 10 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(0)} ms`);
  const cells = results.map(({ hosts, vms }) => `${hosts} hosts, ${vms} VMs`.padStart(24)).join('');
  console.log(`${'decision'.padEnd(32)}${cells}${growth.map(() => 'growth'.padStart(10)).join('')}`);
  for (const row of Object.keys(results[0].ms)) {
    console.log(
      row.padEnd(32) +
        results.map(({ ms }) => show(ms[row]).padStart(24)).join('') +
        growth.map((of) => of[row].toFixed(2).padStart(10)).join(''),
    );
  }
}
