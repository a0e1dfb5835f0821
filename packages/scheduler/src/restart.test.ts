/** Proves: after a host's death VMs are given places by priority, within rules and capacity, each not before its lease can be taken; VMs that may run elsewhere are left alone; what finds no room is named, with how much is missing. */
import fc from 'fast-check';
import { ClusterIndex } from './cluster-index';
import type { LeaseFacts, VmEntry } from './model';
import { checkFailover, planRestart } from './restart';
import { snapshots } from './testing/arbitrary';
import { GIB, host, move, NOW, PLAIN, vm } from './testing/cluster';
import { judge } from './testing/referee';

const dead = host('a', { state: 'dead' });
const on = (hostId: string | null, takeableAtMs: number | null): LeaseFacts => ({ hostId, takeableAtMs });
const leased = (name: string, lease: LeaseFacts | null, entry: Partial<VmEntry> = {}): VmEntry => vm(name, 'a', { lease, ...entry });

test('leases decide when, and whether', () => {
  const vms = [
    leased('free', on(null, null)),
    leased('out', on('id-a', NOW - 1)),
    leased('soon', on('id-a', NOW + 9_000)),
    leased('unseen', null),
    leased('unwatched', on('id-a', null)),
    leased('elsewhere', on('id-c', NOW - 1)),
    leased('moving', on('id-a', NOW - 1)),
    leased('off', on('id-a', NOW - 1), { wanted: 'stopped' }),
    leased('never', on('id-a', NOW - 1), { restart: 'never' }),
    vm('other', 'd'),
  ];
  const hosts = [dead, host('b'), host('c'), host('d', { state: 'unreachable' })];
  const plan = planRestart(ClusterIndex.of({ hosts, vms, moves: [move(vms[6], 'b')], settings: PLAIN }), NOW);
  expect(plan.restarts.map(({ vmName, lease, notBeforeMs }) => [vmName, lease, notBeforeMs])).toEqual([
    ['free', 'free', 0],
    ['out', 'run-out', NOW - 1],
    ['soon', 'running-out', NOW + 9_000],
    ['unseen', 'unseen', 0],
    ['unwatched', 'unseen', 0],
  ]);
  expect(plan.left.map(({ line }) => line)).toEqual([
    'elsewhere is not restarted: its lease is held by c, so it runs there',
    'moving is not restarted yet: it was on its way to b, and that has not been settled',
    'never is not restarted: its restart policy is never',
    'off is not restarted: it is wanted stopped',
  ]);
  expect(plan).toMatchObject({
    stranded: [],
    shortage: null,
    line: 'a: 5 VMs to be started elsewhere, 1 of them once their leases have run out',
  });
});

test('higher priorities get the room there is; the others are named with what is missing', () => {
  const sized = (name: string, gib: number, priority: number): VmEntry => vm(name, 'a', { priority }, { memoryBytes: gib * GIB });
  const vms = [sized('small', 1, 0), sized('large', 4, 0), sized('vital', 4, 9)];
  const index = ClusterIndex.of({ hosts: [dead, host('b', { memoryBytes: 6 * GIB })], vms, settings: PLAIN });
  const { restarts, stranded, shortage } = planRestart(index, NOW);
  expect(restarts.map(({ vmName }) => vmName)).toEqual(['vital', 'small']);
  expect(stranded).toMatchObject([
    { vmName: 'large', line: expect.stringMatching(/the nearest is b: large needs 4096 MiB of memory, b has promised all but 2048 MiB/) },
  ]);
  expect(stranded[0].hosts.map(({ name }) => name)).toEqual(['b', 'a']);
  expect(shortage).toEqual({
    neededBytes: 4 * GIB,
    freeBytes: GIB,
    line: 'large needs 4096 MiB of memory and 1024 MiB is left: 3072 MiB is missing',
  });
});

test('room that is there but not usable is told apart from room that is not there', () => {
  const index = ClusterIndex.of({ hosts: [dead, host('b', {}, { networks: [] })], vms: [vm('web', 'a')], settings: PLAIN });
  expect(planRestart(index, NOW).shortage?.line).toMatch(
    /16384 MiB is left, at most 16384 MiB on one host, but not where these VMs can run/,
  );
});

test('a failover can be tried without a dead host, and changes nothing', () => {
  const vms = [vm('one', 'a', { lease: on('id-a', NOW + 9_000) }, { memoryBytes: 4 * GIB }), vm('two', 'b', {}, { memoryBytes: 14 * GIB })];
  const index = ClusterIndex.of({ hosts: [host('a'), host('b'), host('c', { memoryBytes: 4 * GIB })], vms, settings: PLAIN });
  expect(checkFailover(index, ['id-a'])).toMatchObject({ restarts: [{ vmName: 'one', targetId: 'id-c', lease: 'run-out' }], stranded: [] });
  expect(checkFailover(index, ['id-b']).stranded.map(({ vmName }) => vmName)).toEqual(['two']);
  expect(index.host('id-a')?.state).toBe('ready');
  expect(planRestart(index, NOW)).toMatchObject({ restarts: [], line: 'no host is dead' });
});

test('no plan breaks a rule or a limit, and every VM of a dead host stands in it once', () => {
  let restarted = 0;
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const hosts = [{ ...snapshot.hosts[0], state: 'dead' as const }, ...snapshot.hosts.slice(1)];
      const given = { ...snapshot, hosts };
      const { restarts, stranded, left } = planRestart(ClusterIndex.of(given), NOW);
      restarted += restarts.length;
      expect(judge(given, restarts)).toEqual([]);
      const deadIds = new Set(hosts.filter(({ state }) => state === 'dead').map(({ id }) => id));
      const theirs = snapshot.vms.filter(({ hostId }) => hostId !== null && deadIds.has(hostId)).map(({ facts }) => facts.vmId);
      expect([...restarts, ...stranded, ...left].map(({ vmId }) => vmId).sort()).toEqual(theirs.sort());
      const priorities = restarts.map(({ vmId }) => snapshot.vms.find(({ facts }) => facts.vmId === vmId)!.priority);
      expect(priorities).toEqual([...priorities].sort((a, b) => b - a));
    }),
    { numRuns: 200 },
  );
  expect(restarted).toBeGreaterThan(10);
});
