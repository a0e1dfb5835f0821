/**
 * What a scrape costs by the number of VMs: an agent with every series of every VM, and the longest time that its event
 * loop is held up meanwhile. Real hosts have tens of VMs; the last rows show that nothing runs away. Then a leading
 * controller of 200 hosts and 2,000 VMs.
 *
 *     node test/bench/metrics.mjs [VMS…]
 */
import { createRequire } from 'node:module';
import process from 'node:process';

const { CATALOGUE, createRegistry, VmFeed } = createRequire(import.meta.url)('../../packages/metrics');
const sizes = process.argv.slice(2).map(Number);
const SCRAPES = 5;

const counters = (turn) =>
  Object.fromEntries(
    Object.values(CATALOGUE)
      .filter(({ type }) => type !== 'histogram')
      .flatMap(({ sources = [] }) => sources.map(({ name, less = [] }) => [name.replace('#', '0'), turn * (1 + 2 * less.length)])),
  );

const rows = [];
for (const vms of sizes.length > 0 ? sizes : [1, 50, 500, 2000]) {
  const registry = createRegistry('agent', { host: 'host-a', version: '1' });
  const feed = new VmFeed(registry);
  const keys = Array.from({ length: vms }, (_, at) => ({
    vmId: `7a52c6f0-2a35-4d0a-9c8a-${String(at).padStart(12, '0')}`,
    name: `vm-${at}`,
    vmmId: `p-${at}`,
  }));
  const pushed = counters(1);
  const began = process.cpuUsage();
  for (const key of keys) {
    feed.counters(key, pushed, 0);
    feed.status(key, { running: true, pauses: [], silent: false, memoryBytes: 1, vcpus: 1, leaseEpoch: 1 }, 0);
  }
  const spent = process.cpuUsage(began);
  const pushMs = (spent.user + spent.system) / 1e3 / vms;
  await registry.text('prometheus');
  let held = 0;
  let last = process.cpuUsage();
  let watching = true;
  // CPU time, not the clock: others have the machine, too.
  const watch = () => {
    const { user, system } = process.cpuUsage(last);
    held = Math.max(held, (user + system) / 1e3);
    last = process.cpuUsage();
    if (watching) setImmediate(watch);
  };
  watch();
  const times = [];
  let bytes = 0;
  for (let at = 0; at < SCRAPES; at++) {
    const start = process.cpuUsage();
    bytes = (await registry.text('prometheus')).length;
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / 1e3);
  }
  watching = false;
  times.sort((a, b) => a - b);
  rows.push({
    vms,
    series: Number(/^godwit_metrics_series\S* (\d+)$/m.exec(await registry.text('prometheus'))[1]),
    kib: Math.round(bytes / 1024),
    'push CPU ms/VM': +pushMs.toFixed(3),
    'scrape CPU ms': +times[SCRAPES >> 1].toFixed(1),
    'loop held CPU ms': +held.toFixed(1),
  });
}
console.table(rows);

const require = createRequire(import.meta.url);
const { ClusterState } = require('../../packages/controller/dist/core/state.js');
const { ControllerMetrics } = require('../../packages/controller/dist/metrics/controller-metrics.js');
const state = new ClusterState();
for (let at = 0; at < 200; at++) {
  const host = state.addHost({ id: `h${at}`, name: `host-${at}`, maintenance: 'no', bootId: '', joinedAtMs: 0, certificateEndsAtMs: 1 }, 0);
  Object.assign(host, { status: 'ready', sessionId: `s${at}` });
}
for (let at = 0; at < 2_000; at++) {
  const id = `v${at}`;
  const hostId = `h${at % 200}`;
  const vm = state.addVm({ id, hostId, epoch: 1, wanted: 'running', spec: { name: `vm-${at}` } });
  state.hosts.get(hostId).vmms.set(`p${at}`, { vmmId: `p${at}`, vmId: id, epoch: 1, state: 'running', ended: '', pauses: [] });
  vm.vmms.set(`p${at}`, hostId);
}
const controller = new ControllerMetrics('1', () => ({ leads: true, term: 1, sessions: 200, state, store: { bytes: 1, limitBytes: 2 } }));
const costs = [];
let size = 0;
for (let at = 0; at < 2 * SCRAPES; at++) {
  const start = process.cpuUsage();
  size = (await controller.registry.text('prometheus')).length;
  const { user, system } = process.cpuUsage(start);
  costs.push((user + system) / 1e3);
}
costs.sort((a, b) => a - b);
console.table([{ hosts: 200, vms: 2_000, kib: Math.round(size / 1024), 'scrape CPU ms': +costs[SCRAPES].toFixed(1) }]);
