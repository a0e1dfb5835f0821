/**
 * Proves, with a controller, two agents and a Linux guest as real processes over mutual TLS: hosts of unequal CPUs refuse
 * a move and name why, a baseline makes the same move work; the guest answers every request while it moves; it is
 * suspended and goes on where it was; a drained host is empty; nothing is left when all has ended.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isAlive, startCluster, webImages, webSpec } from '../support/cluster.mjs';
import { Poller } from './poller';

/** A machine that does a lot else may hold a VM up for longer than usual: then, too, the move is to succeed. */
const PATIENT = { maxPauseMs: 10_000, policies: ['throttle', 'extend', 'force'] };

type Cluster = Awaited<ReturnType<typeof startCluster>>;
let cluster: Cluster;
let url: string;
/** Of this run's VMs, agents and controllers. */
const pids = new Set<number>();
const uptime = async (): Promise<number> => Number(/up for ([\d.]+) s/.exec(await (await fetch(`${url}cgi-bin/now`)).text())?.[1]);
const web = () => cluster.api('Vms').getVm({ vm: 'web1' });
let polling: Poller | undefined;
const poll = (at: string): Poller => (polling = new Poller(at));
const note = (): void => {
  for (const one of [...cluster.hosts, ...cluster.controllers]) pids.add(one.pid!);
  for (const host of cluster.hosts) for (const { pid } of host.vmms) pids.add(pid);
};

beforeAll(async () => {
  // The second host gives its VMs less than it has.
  cluster = await startCluster({
    images: await webImages(),
    hosts: [{ name: 'alpha' }, { name: 'beta', config: { cpu: { without: ['avx2'] } } }],
  });
});
afterAll(() => cluster?.stop());
afterEach(async () => {
  note();
  // Of a test that failed.
  await polling?.end();
});

test('a host without a feature that the guest was given is refused, with its name', async () => {
  await cluster.startWeb('web1', { host: 'alpha' });
  url = await cluster.urlOf('web1');
  expect(await web()).toMatchObject({ state: 'VM_STATE_RUNNING', hostName: 'alpha', cpu: { features: expect.arrayContaining(['avx2']) } });

  const { hosts, chosenHostId } = await cluster.api('Migrations').migrate({ vm: 'web1', dryRun: true });
  expect(hosts).toMatchObject([{ name: 'beta', missingFeatures: ['avx2'] }]);
  expect(chosenHostId).toBe('');
  await expect(cluster.api('Migrations').migrate({ vm: 'web1' })).rejects.toMatchObject({
    code: 'precondition',
    message: expect.stringMatching(/avx2.*runs on alpha/s),
    trailers: { 'godwit-error-code': 'blocked' },
  });
  expect(await web()).toMatchObject({ state: 'VM_STATE_RUNNING', hostName: 'alpha' });
});

test('with the baseline applied the same VM can move, once it has been started anew', async () => {
  const computed = await cluster.api('Cluster').computeBaseline({});
  expect(computed.hosts).toMatchObject([
    { name: 'alpha', maskedFeatures: ['avx2'] },
    { name: 'beta', maskedFeatures: [] },
  ]);
  const applied = await cluster.api('Cluster').applyBaseline({ vendor: computed.vendor, features: computed.features });
  expect(applied).toMatchObject({ applied: true, vmsToRestart: [expect.stringContaining('web1')] });

  await cluster.done(await cluster.api('Vms').stopVm({ vm: 'web1' }));
  await cluster.done(await cluster.api('Vms').startVm({ vm: 'web1', host: 'alpha' }));
  await cluster.until(async () => (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok, 'answer again');
  expect((await web()).cpu?.features).not.toContain('avx2');
});

test('it moves there and back while a client asks all the time, and no request fails', async () => {
  const before = await uptime();
  const { startedAtMs } = await web();
  const poller = poll(`${url}cgi-bin/now`);
  for (const [from, to] of [
    ['alpha', 'beta'],
    ['beta', 'alpha'],
  ]) {
    const { migrationId } = await cluster.api('Migrations').migrate({ vm: 'web1', settings: PATIENT });
    const moved = await cluster.moved(migrationId);
    if (moved.outcome !== 'completed') console.log(moved.line, JSON.stringify(moved.record), cluster.logs());
    expect(moved).toMatchObject({
      outcome: 'completed',
      vmIs: 'target',
      sourceHostName: from,
      targetHostName: to,
      record: { outcome: 'completed' },
    });
    // The figures are the source's last word, and the target was ready before it was called.
    expect(moved.record!.pauseMs).toBeGreaterThan(0);
    expect(moved.record!.setupMs).toBeLessThan(moved.record!.totalMs);
    expect(await web()).toMatchObject({ state: 'VM_STATE_RUNNING', hostName: to, migrationId: '', startedAtMs });
    // The process was made ready for what the guest was given, before the source called.
    const { vmmId, cpu } = await web();
    const config = JSON.parse(readFileSync(path.join(cluster.host(to).stateDir, 'vms', vmmId, 'config.json'), 'utf8')) as object;
    expect(config).toMatchObject({ mode: 'incoming', expects: { features: cpu!.features } });
    // And back at once: the process that it has left may not have ended yet.
  }
  await poller.more(poller.count + 3);
  const { failures, count } = await poller.end();
  expect(failures).toEqual([]);
  expect(count).toBeGreaterThan(6);
  // The same kernel, not one that booted anew.
  expect(await uptime()).toBeGreaterThan(before);
});

test('suspended, it is nowhere; resumed, it goes on', async () => {
  const before = await uptime();
  await cluster.done(await cluster.api('Vms').suspendVm({ vm: 'web1' }));
  expect(await web()).toMatchObject({ state: 'VM_STATE_SUSPENDED' });
  expect(cluster.hosts.flatMap((host) => host.vmms)).toEqual([]);
  await cluster.done(await cluster.api('Vms').resumeVm({ vm: 'web1' }));
  await cluster.until(async () => (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok, 'answer again');
  expect(await uptime()).toBeGreaterThan(before);
});

test('a host that is drained is empty and takes nothing; the VM answers from the other', async () => {
  const host = (await web()).hostName;
  const poller = poll(url);
  const { operation, plan } = await cluster.api('Hosts').drainHost({ host, settings: PATIENT });
  expect(plan).toMatchObject({ blockers: [], moves: [{ vmName: 'web1', how: 'live' }] });
  await cluster.done(operation!);
  expect(await cluster.api('Hosts').getHost({ host })).toMatchObject({ state: 'HOST_STATE_MAINTENANCE', safeToPowerOff: true, vmIds: [] });
  expect(cluster.host(host).vmms).toEqual([]);
  await expect(cluster.api('Migrations').migrate({ vm: 'web1', toHost: host })).rejects.toMatchObject({ code: 'precondition' });
  expect((await poller.end()).failures).toEqual([]);
  expect((await web()).hostName).not.toBe(host);
});

test('VMs that are made at once are spread: one that is only being made counts where it will start', async () => {
  for (const { name } of cluster.hosts) await cluster.api('Hosts').resumeHost({ host: name });
  // A host that is silent for a moment, on a busy machine, takes none.
  await cluster.ready();
  const specs = ['web2', 'web3', 'web4'].map((name) => webSpec(name));
  const operations = await Promise.all(specs.map((spec) => cluster.api('Vms').createVm({ spec, start: true })));
  await Promise.all(operations.map((operation) => cluster.done(operation)));
  const made = await Promise.all(specs.map(({ name }) => cluster.api('Vms').getVm({ vm: name })));
  const { hosts } = await cluster.api('Hosts').listHosts({});
  expect([new Set(made.map(({ hostName }) => hostName)).size, hosts.map(({ name, state }) => [name, state])]).toEqual([2, hosts.map(({ name }) => [name, 'HOST_STATE_READY'])]);
  await Promise.all(made.map(async ({ spec }) => cluster.done(await cluster.api('Vms').removeVm({ vm: spec!.name, force: true }))));
});

test('an agent and the controller that are killed come back to what is there; the guest does not notice', async () => {
  const poller = poll(url);
  const host = cluster.host((await web()).hostName);
  const [controller] = cluster.controllers;
  const [{ pid }] = host.vmms;
  for (const one of [host, controller]) one.kill('SIGKILL');
  await Promise.all([host.exited, controller.exited]);
  await controller.start();
  await host.start();
  await cluster.ready([host.name]);
  await cluster.until(async () => (await web()).state === 'VM_STATE_RUNNING', 'know of the VM again');
  expect(host.vmms).toMatchObject([{ pid, name: 'web1' }]);
  expect((await poller.end()).failures).toEqual([]);
});

test('nothing is left when all has ended', async () => {
  note();
  await cluster.stop();
  expect([...pids].filter(isAlive)).toEqual([]);
  expect(existsSync(cluster.dir)).toBe(false);
});
