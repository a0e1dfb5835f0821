/**
 * What befalls the fleet, one after the other, and what is promised for each (SPECIFICATION.md, "The cluster").
 * A scenario throws when its promise is broken, and leaves the fleet whole: all hosts ready, all VMs answering.
 * The histories are judged over all of them at the end (fleet-parts.mjs, `verdict`).
 */
import { setTimeout as sleep } from 'node:timers/promises';

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** @type {readonly { name: string, promise: string, run: (fleet: import('./fleet-parts.mjs').Fleet) => Promise<object | void> }[]} */
export const SCENARIOS = [
  {
    name: 'drain',
    promise: 'maintenance mode empties a host while clients talk to its VMs, without one failed request',
    async run(fleet) {
      const { cluster } = fleet;
      const since = Date.now();
      const { operation, plan } = await cluster.api('Hosts').drainHost({ host: 'h1' });
      equal(plan.blockers.length, 0, 'blockers of the drain');
      equal(plan.moves.length, fleet.clients.size, `moves of the drain (${plan.moves.map(({ vmName }) => vmName)}; ${JSON.stringify([...(await fleet.placement())])})`);
      await cluster.done(operation, 300_000);
      const host = await cluster.api('Hosts').getHost({ host: 'h1' });
      equal(host.state, 'HOST_STATE_MAINTENANCE', 'the state of the drained host');
      equal(host.safeToPowerOff, true, `safe to power off (${host.line})`);
      equal(cluster.host('h1').vmms.length, 0, 'VMMs on the drained host');
      const drainMs = Date.now() - since;
      await fleet.allAnswer();
      fleet.noneFailed(since);
      const { migrations } = await cluster.api('Migrations').listMigrations({ limit: 100 });
      const records = migrations.filter(({ outcome }) => outcome === 'completed').map(({ record }) => record);
      const longest = records.reduce((a, b) => (b.pauseMs > a.pauseMs ? b : a));
      await cluster.api('Hosts').resumeHost({ host: 'h1' });
      return { drainMs, moves: records.length, pauseMsMedian: median(records.map(({ pauseMs }) => pauseMs)), longestPause: { ms: longest.pauseMs, parts: longest.pause }, slowestRequestMs: slowest(fleet) };
    },
  },
  {
    name: 'kill-agents',
    promise: 'kill -9 of both agents in the midst of a migration: the VM answers on, the migration ends, the agents adopt what they find',
    async run(fleet) {
      const { cluster } = fleet;
      const { vm, source, target } = await fleetMove(fleet);
      const since = Date.now();
      const migrationId = await fleet.migrate({ vm, toHost: target });
      await sleep(150);
      for (const name of [source, target]) cluster.host(name).kill('SIGKILL');
      for (const name of [source, target]) await cluster.host(name).exited;
      for (const name of [source, target]) await cluster.host(name).start();
      await cluster.ready([source, target]);
      const moved = await fleet.moved(migrationId);
      await fleet.allAnswer();
      fleet.noneFailed(since);
      await oneProcessEach(fleet);
      return { outcome: moved.outcome, vmIs: moved.vmIs };
    },
  },
  {
    name: 'kill-leader',
    promise: 'kill -9 of the leading controller in the midst of a migration: the other takes over, the migration ends and is known',
    async run(fleet) {
      const { cluster } = fleet;
      const { vm, target } = await fleetMove(fleet);
      const since = Date.now();
      const migrationId = await fleet.migrate({ vm, toHost: target });
      const [old] = cluster.controllers;
      old.kill('SIGKILL');
      await old.exited;
      const leader = await fleet.lead();
      const takeoverMs = Date.now() - since;
      if (leader === old) throw new Error('a dead controller leads');
      const moved = await fleet.moved(migrationId);
      equal(moved.outcome, 'completed', `the migration's outcome (${moved.line})`);
      await old.start();
      await cluster.ready();
      await fleet.allAnswer();
      fleet.noneFailed(since);
      await oneProcessEach(fleet);
      return { takeoverMs };
    },
  },
  {
    name: 'kill-vmm',
    promise: 'kill -9 of a VMM: its VM is started again, and what it had acknowledged is there; no other VM notices',
    async run(fleet) {
      const { cluster } = fleet;
      const [name] = fleet.clients.keys();
      const { hostName } = await fleet.vm(name);
      const { pid } = cluster.host(hostName).vmms.find((vmm) => vmm.name === name);
      const since = Date.now();
      process.kill(pid, 'SIGKILL');
      await fleet.until(async () => {
        const { state, startedAtMs } = await fleet.vm(name);
        return state === 'VM_STATE_RUNNING' && startedAtMs > since;
      }, `see ${name} run again`);
      // The client may still be waiting for an answer of the old process.
      const backMs = Date.now() - since;
      await fleet.allAnswer();
      fleet.noneFailed(since, [...fleet.clients.keys()].filter((other) => other !== name));
      return { backMs };
    },
  },
  {
    name: 'kill-target',
    promise: "kill -9 of a migration's target: the VM runs on at the source, no request fails, nothing is left over",
    async run(fleet) {
      const { cluster } = fleet;
      const { vm, source, target } = await fleetMove(fleet);
      const since = Date.now();
      // Slowly, so that it is hit on its way.
      const migrationId = await fleet.migrate({ vm, toHost: target, settings: { bandwidthBytesPerSecond: 2 ** 20 } });
      const waiting = () => cluster.host(target).vmms.find((vmm) => vmm.name === vm);
      await fleet.until(async () => waiting() && (await view(cluster, migrationId)).record?.counts?.wireBytes > 0, 'see the migration send', 60_000);
      process.kill(waiting().pid, 'SIGKILL');
      const moved = await fleet.moved(migrationId);
      equal(moved.outcome, 'failed', `the migration's outcome (${moved.line})`);
      equal(moved.vmIs, 'source', 'where the VM is');
      await fleet.allAnswer();
      equal((await fleet.vm(vm)).hostName, source, 'the host of the VM');
      fleet.noneFailed(since);
      return { line: moved.line };
    },
  },
  {
    name: 'kill-nats',
    promise: 'kill -9 of the NATS server: VMs go on; when it is back the cluster goes on without being told',
    async run(fleet) {
      const { cluster } = fleet;
      const since = Date.now();
      const [node] = fleet.nats.nodes;
      await node.kill();
      await sleep(12_000);
      await node.run();
      const backAt = Date.now();
      await fleet.lead();
      await cluster.ready();
      const leaderMs = Date.now() - backAt;
      const { vm, target } = await fleetMove(fleet);
      const migrationId = await fleet.migrate({ vm, toHost: target });
      const moved = await fleet.moved(migrationId);
      equal(moved.outcome, 'completed', `the migration's outcome (${moved.line})`);
      await fleet.allAnswer();
      fleet.noneFailed(since);
      return { leaderMs };
    },
  },
  {
    name: 'partition',
    promise: 'a host that is cut off stops its VMs before others start them elsewhere; when it is back it keeps no copy',
    async run(fleet) {
      const { cluster } = fleet;
      const placed = await fleet.placement();
      const [host, there] = [...placed].sort(([, a], [, b]) => a.length - b.length).find(([, list]) => list.length > 0);
      const others = [...fleet.clients.keys()].filter((name) => !there.includes(name));
      const since = Date.now();
      await fleet.net.plug(fleet.spaces[host], false);
      for (const name of there)
        await fleet.until(async () => {
          const { state, hostName } = await fleet.vm(name);
          return state === 'VM_STATE_RUNNING' && hostName !== host;
        }, `see ${name} run elsewhere`);
      const elsewhereMs = Date.now() - since;
      await fleet.allAnswer(there);
      const answersMs = Date.now() - since;
      await fleet.net.plug(fleet.spaces[host], true);
      await cluster.ready();
      await fleet.until(() => cluster.host(host).vmms.length === 0, `see ${host} end its old processes`);
      await fleet.allAnswer();
      fleet.noneFailed(since, others);
      await oneProcessEach(fleet);
      return { vms: there.length, elsewhereMs, answersMs };
    },
  },
  {
    name: 'kill-nfs',
    promise: 'kill -9 of the NFS server: VMs wait, and go on where they were when it is back',
    async run(fleet) {
      const pids = vmmPids(fleet);
      // Shorter than a lease, and longer.
      for (const outageMs of [4_000, 14_000]) {
        await fleet.nfs.kill();
        await sleep(outageMs);
        await fleet.nfs.run();
        await fleet.allAnswer();
      }
      equal(vmmPids(fleet).join(), pids.join(), 'the processes of the VMs');
    },
  },
];

/** A VM, where it runs, and another host that is ready: what a scenario may move. */
async function fleetMove(fleet) {
  const { cluster, clients } = fleet;
  await cluster.ready();
  for (const name of clients.keys()) {
    const { hostName, state } = await fleet.vm(name);
    const { chosenHostName } = await fleet.told(() => cluster.api('Migrations').migrate({ vm: name, dryRun: true }));
    if (state === 'VM_STATE_RUNNING' && chosenHostName) return { vm: name, source: hostName, target: chosenHostName };
  }
  throw new Error('no VM can move');
}

const view = (cluster, migrationId) => cluster.api('Migrations').getMigration({ migrationId });
const slowest = ({ clients }) => Math.max(...[...clients.values()].map(({ slowestMs }) => slowestMs));
const vmmPids = ({ cluster }) => cluster.hosts.flatMap((host) => host.vmms.map(({ pid }) => pid)).sort((a, b) => a - b);

/** No process is left over, and none lacks. */
async function oneProcessEach(fleet) {
  const names = () => fleet.cluster.hosts.flatMap((host) => host.vmms.map(({ name }) => name)).sort();
  const wanted = [...fleet.clients.keys()].sort().join();
  await fleet.until(() => names().join() === wanted, `have one process for each VM (${names().join()})`, 60_000);
}

function equal(is, wanted, what) {
  if (is !== wanted) throw new Error(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`);
}
