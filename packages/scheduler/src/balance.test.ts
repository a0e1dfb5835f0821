/**
 * Proves: balancing evens out the load within rules and capacity; repeated, it comes to rest, with no VM ever back
 * where it was; a balanced cluster stays still under noise, and noise below half the margin moves nothing back;
 * cool-downs, cost and VMs that are moved by hand are minded; and the plan says why nothing is done.
 */
import fc from 'fast-check';
import { planBalance } from './balance';
import { ClusterIndex } from './cluster-index';
import type { HostEntry, VmEntry } from './model';
import type { BalanceSettings } from './settings';
import { snapshots } from './testing/arbitrary';
import { GIB, host, NOW, PLAIN, vm } from './testing/cluster';
import { judge } from './testing/referee';

const balanced = (change: Partial<BalanceSettings>) => ({ ...PLAIN, balance: { ...PLAIN.balance, ...change } });
/** Only the margin stands against oscillation. */
const BARE = balanced({ vmCoolDownMs: 0, hostCoolDownMs: 0 });

/** As if every planned move had been made. */
function carryOut(index: ClusterIndex, nowMs = NOW): number {
  const { moves } = planBalance(index, nowMs);
  for (const { vmId, targetId } of moves) index.putVm({ ...index.vm(vmId)!, hostId: targetId });
  return moves.length;
}

const hot = (count: number, entry: Partial<VmEntry> = {}): VmEntry[] =>
  Array.from({ length: count }, (_, i) => vm(`v${i}`, 'a', { cpuUsed: 0.7, ...entry }));

test('a hot host is relieved; before and after are told, and each move why', () => {
  const index = ClusterIndex.of({ hosts: [host('a'), host('b'), host('c')], vms: hot(9), settings: BARE });
  const plan = planBalance(index, NOW);
  expect(plan.moves.length).toBeGreaterThanOrEqual(4);
  expect(plan.after).toBeLessThan(plan.before / 4);
  expect(plan.peakAfter).toBeLessThan(plan.peakBefore);
  expect(plan.line).toMatch(/^a is 5\d % above the mean load; with \d moves the most loaded host, \w, would be/);
  expect(plan.moves[0].line).toMatch(/^v0 from a \(memory 56 %, CPU 79 %\) to b \(memory 0 %, CPU 0 %\), about 9.8 s$/);
  expect(index.usage('id-b').vms).toBe(0);
});

const quiet: [string, RegExp, () => ClusterIndex][] = [
  [
    'few hosts',
    /not two hosts/,
    () => ClusterIndex.of({ hosts: [host('a'), host('b', { state: 'maintenance' })], vms: hot(9), settings: BARE }),
  ],
  [
    'even',
    /^balanced: the most loaded host, a, is 3 % above the mean, and is relieved from 15 % on$/,
    () => ClusterIndex.of({ hosts: [host('a'), host('b')], vms: hot(1, { cpuUsed: 0 }), settings: BARE }),
  ],
  [
    'cool-down of the VMs',
    /no move is worth its cost: v0, v1, v2 and 6 more moved a moment ago/,
    () => ClusterIndex.of({ hosts: [host('a'), host('b')], vms: hot(9, { movedAtMs: NOW - 60_000 }), settings: PLAIN }),
  ],
  [
    'cool-down of the host',
    /VMs of a moved a moment ago/,
    () => ClusterIndex.of({ hosts: [host('a', { balancedAtMs: NOW - 1000 }), host('b')], vms: hot(9), settings: PLAIN }),
  ],
  [
    'by hand',
    /may be moved by hand only/,
    () => ClusterIndex.of({ hosts: [host('a'), host('b')], vms: hot(9, { manualOnly: true }), settings: BARE }),
  ],
  [
    'nowhere to go',
    /no host that is less loaded can take v0/,
    () => ClusterIndex.of({ hosts: [host('a'), host('b', {}, { networks: [] })], vms: hot(9), settings: BARE }),
  ],
  [
    'too large',
    /each would only carry the load elsewhere/,
    () =>
      ClusterIndex.of({ hosts: [host('a'), host('b')], vms: [vm('big', 'a', { cpuUsed: 7 }, { memoryBytes: 14 * GIB })], settings: BARE }),
  ],
  [
    'too dear',
    /each would only carry the load elsewhere/,
    () =>
      ClusterIndex.of({
        hosts: [host('a'), host('b')],
        vms: hot(9),
        settings: balanced({ vmCoolDownMs: 0, hostCoolDownMs: 0, horizonMs: 10_000 }),
      }),
  ],
];

test.each(quiet)('nothing is done, and why: %s', (_, line, index) => {
  const plan = planBalance(index(), NOW);
  expect(plan).toMatchObject({ moves: [], line: expect.stringMatching(line) });
  expect(plan.after).toBe(plan.before);
});

test('cool-downs end', () => {
  const index = ClusterIndex.of({ hosts: [host('a'), host('b')], vms: hot(9, { movedAtMs: NOW - 60_000 }), settings: PLAIN });
  expect(planBalance(index, NOW + PLAIN.balance.vmCoolDownMs).moves.length).toBeGreaterThan(0);
});

test('VMs on their way are left alone and count where they will be', () => {
  const vms = hot(9);
  const moves = vms.slice(0, 5).map(({ facts }, i) => ({
    id: `m${i}`,
    vmId: facts.vmId,
    kind: 'live' as const,
    sourceId: 'id-a',
    targetId: 'id-b',
    owner: '',
    bytesPerSecond: null,
  }));
  const index = ClusterIndex.of({ hosts: [host('a'), host('b')], vms, moves, settings: BARE });
  expect(planBalance(index, NOW).moves).toEqual([]);
});

test('no plan breaks a rule, a reservation or a limit, even if all its moves begin at once', () => {
  let moved = 0;
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const given = { ...snapshot, settings: { ...snapshot.settings, balance: BARE.balance } };
      const { moves } = planBalance(ClusterIndex.of(given), NOW);
      moved += moves.length;
      expect(judge(given, moves)).toEqual([]);
      expect(new Set(moves.map(({ vmId }) => vmId)).size).toBe(moves.length);
    }),
    { numRuns: 200 },
  );
  expect(moved).toBeGreaterThan(5);
});

/** Hosts and VMs of many sizes; every host can take every VM, as long as there is room. */
const clusters = fc
  .record({
    hosts: fc.array(fc.record({ gib: fc.integer({ min: 8, max: 32 }), cpus: fc.integer({ min: 2, max: 16 }) }), {
      minLength: 2,
      maxLength: 8,
    }),
    vms: fc.array(
      fc.record({
        on: fc.nat(),
        gib: fc.integer({ min: 1, max: 6 }),
        used: fc.integer({ min: 0, max: 20 }),
        dirty: fc.integer({ min: 0, max: 90e6 }),
      }),
      { maxLength: 30 },
    ),
  })
  .map(({ hosts, vms }) => ({
    hosts: hosts.map(({ gib, cpus }, i) => host(`h${i}`, { memoryBytes: gib * GIB }, { cpus })),
    vms: vms.map(({ on, gib, used, dirty }, i) =>
      vm(`v${i}`, `h${on % hosts.length}`, { cpuUsed: used / 10, dirtyBytesPerSecond: dirty }, { memoryBytes: gib * GIB }),
    ),
  }));

test('applied again and again it comes to rest, and no arrangement comes twice', () => {
  let moved = 0;
  fc.assert(
    fc.property(clusters, fc.integer({ min: 1, max: 4 }), (cluster, maxMoves) => {
      const index = ClusterIndex.of({
        ...cluster,
        settings: balanced({ vmCoolDownMs: 0, hostCoolDownMs: 0, startAbove: 0, stopBelow: 0, maxMoves }),
      });
      const seen = new Set<string>();
      for (;;) {
        const arrangement = [...index.vms()]
          .map(({ facts, hostId }) => `${facts.vmId}@${hostId}`)
          .sort()
          .join();
        expect(seen.has(arrangement)).toBe(false);
        seen.add(arrangement);
        const moves = carryOut(index);
        if (moves === 0) break;
        moved += moves;
      }
      expect(planBalance(index, NOW).moves).toEqual([]);
    }),
    { numRuns: 150 },
  );
  expect(moved).toBeGreaterThan(40);
});

const withNoise = (hosts: readonly HostEntry[], used: readonly number[], noise: readonly number[]): HostEntry[] =>
  hosts.map((host, i) => ({ ...host, load: { cpuUsed: Math.min(1, Math.max(0, used[i] + noise[i])), cpuPressure: 0, memoryPressure: 0 } }));

test('a cluster that was balanced stays still under noise below half the dead band', () => {
  const { startAbove, stopBelow } = PLAIN.balance;
  const most = (startAbove - stopBelow) / 2;
  fc.assert(
    fc.property(
      clusters,
      fc.array(fc.array(fc.double({ min: -most, max: most, noNaN: true }), { minLength: 8, maxLength: 8 }), {
        minLength: 5,
        maxLength: 10,
      }),
      (cluster, noises) => {
        const index = ClusterIndex.of({ ...cluster, settings: BARE });
        while (carryOut(index) > 0);
        fc.pre(planBalance(index, NOW).peakBefore <= stopBelow);
        const used = cluster.hosts.map(({ id, facts }) => index.usage(id).loadMilliCpus / 1000 / facts!.cpus);
        for (const noise of noises) {
          for (const noisy of withNoise(cluster.hosts, used, noise)) index.putHost(noisy);
          expect(planBalance(index, NOW).moves).toEqual([]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('with no dead band and no cool-down, noise below half the margin never brings an arrangement back', () => {
  const settings = balanced({ vmCoolDownMs: 0, hostCoolDownMs: 0, startAbove: 0, stopBelow: 0, margin: 0.08 });
  const most = settings.balance.margin / 2;
  fc.assert(
    fc.property(clusters, fc.infiniteStream(fc.double({ min: -most, max: most, noNaN: true })), (cluster, noise) => {
      const index = ClusterIndex.of({ ...cluster, settings });
      const seen = new Set<string>();
      for (let round = 0; round < 40; round++) {
        // Loads beyond 1 are cut off by what a host can measure; here they must stay comparable.
        const used = cluster.hosts.map(({ id, facts }) => index.usage(id).loadMilliCpus / 1000 / facts!.cpus);
        fc.pre(Math.max(...used) < 1 - most);
        for (const noisy of withNoise(
          cluster.hosts,
          used.map((share) => share + most),
          cluster.hosts.map(() => noise.next().value!),
        ))
          index.putHost(noisy);
        const moves = carryOut(index);
        if (moves === 0) continue;
        const arrangement = [...index.vms()]
          .map(({ facts, hostId }) => `${facts.vmId}@${hostId}`)
          .sort()
          .join();
        expect(seen.has(arrangement)).toBe(false);
        seen.add(arrangement);
      }
    }),
    { numRuns: 60 },
  );
});
