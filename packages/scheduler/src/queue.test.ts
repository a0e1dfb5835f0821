/** Proves: no limit on moves or links is ever passed; whoever waits is told all that it waits for; turns are fair, none waits for ever; links are shared max-min fairly. */
import fc from 'fast-check';
import { bandwidthShares } from './bandwidth';
import { ClusterIndex } from './cluster-index';
import { pickMoves, type QueuedMove } from './queue';
import { snapshots } from './testing/arbitrary';
import { host, move, NOW, PLAIN, vm } from './testing/cluster';

const queued = (name: string, from: string, to: string | null, more: Partial<QueuedMove> = {}): QueuedMove => ({
  id: name,
  vmId: `vm-${name}`,
  sourceId: `id-${from}`,
  targetId: to && `id-${to}`,
  owner: 'drain',
  priority: 0,
  sinceMs: NOW,
  ...more,
});
const settings = (moves: Partial<typeof PLAIN.moves>) => ({ ...PLAIN, moves: { ...PLAIN.moves, ...moves } });
const hosts = ['a', 'b', 'c', 'd'].map((name) => host(name, { links: [`card-${name}`] }));
const links = ['a', 'b', 'c', 'd'].map((name) => ({ id: `card-${name}`, bytesPerSecond: 125e6 }));
const some = (number: number): ReturnType<typeof vm>[] => Array.from({ length: number }, (_, i) => vm(`v${i}`, 'a'));

test('each waits for what is named, all of it, and holds up nobody else', () => {
  const vms = [...some(6), vm('x', 'b'), vm('y', 'c')];
  const moves = [move(vms[0], 'b'), move(vms[1], 'b', { id: 'second' })];
  const index = ClusterIndex.of({ hosts, vms, moves, links, settings: PLAIN });
  const { begin, waiting } = pickMoves(
    index,
    [queued('v2', 'a', 'b'), queued('v0', 'a', 'c'), queued('y', 'c', 'd'), queued('x', 'b', 'a'), queued('v3', 'a', null)],
    NOW,
  );
  expect(begin).toEqual(['x', 'y']);
  expect(Object.fromEntries(waiting.map(({ id, reasons }) => [id, reasons.map(({ line }) => line)]))).toEqual({
    v0: [
      'waits: v0 is moving or starting already',
      'waits: a sends v0, v1, at most 2 at a time',
      'waits: the link card-a carries 2 migrations; one more would leave each too little',
    ],
    v2: [
      'waits: a sends v0, v1, at most 2 at a time',
      'waits: b receives v0, v1, at most 2 at a time',
      'waits: the link card-a carries 2 migrations; one more would leave each too little',
      'waits: the link card-b carries 2 migrations; one more would leave each too little',
    ],
    v3: ['waits: a sends v0, v1, at most 2 at a time'],
  });
  index.settings = settings({ inCluster: 2 });
  expect(pickMoves(index, [queued('y', 'c', 'd')], NOW).waiting[0].reasons).toEqual([
    { code: 'cluster-limit', line: 'waits: 2 migrations under way in the cluster, at most 2 at a time' },
  ]);
});

test('priority first; among equals owners take turns, counting what they have under way; then who came first', () => {
  const index = ClusterIndex.of({ hosts, vms: some(8), settings: settings({ outPerHost: 1, inPerHost: 9 }) });
  const order = (queue: QueuedMove[]): string[] => {
    const { begin, waiting } = pickMoves(index, queue, NOW);
    return [...begin, ...waiting.map(({ id }) => id)];
  };
  const drain = [
    queued('v1', 'a', 'b', { sinceMs: NOW - 5 }),
    queued('v2', 'a', 'b', { sinceMs: NOW - 4 }),
    queued('v3', 'a', 'b', { sinceMs: NOW - 3 }),
  ];
  expect(order([...drain, queued('v4', 'a', 'b', { owner: 'ann' })])).toEqual(['v1', 'v4', 'v2', 'v3']);
  expect(order([...drain, queued('v4', 'a', 'b', { priority: 1 })])).toEqual(['v4', 'v1', 'v2', 'v3']);
  index.putMove(move(vm('v0', 'a'), 'b', { owner: 'drain' }));
  expect(order([...drain, queued('v4', 'a', 'b', { owner: 'ann' })])).toEqual(['v4', 'v1', 'v2', 'v3']);
});

test('waiting raises the priority', () => {
  const index = ClusterIndex.of({ hosts, vms: some(3), settings: settings({ outPerHost: 1 }) });
  const old = queued('v1', 'a', 'b', { sinceMs: NOW - 2 * PLAIN.moves.agingMs });
  expect(pickMoves(index, [queued('v2', 'a', 'b', { priority: 1 }), old], NOW).begin).toEqual(['v1']);
});

test('one move may always begin, however slow the link', () => {
  const index = ClusterIndex.of({ hosts, vms: some(2), links: [{ id: 'card-a', bytesPerSecond: 1e6 }], settings: PLAIN });
  expect(pickMoves(index, [queued('v0', 'a', 'b'), queued('v1', 'a', 'c')], NOW).begin).toEqual(['v0']);
});

test('no limit is passed, and all that could begin begins', () => {
  fc.assert(
    fc.property(
      snapshots,
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(2)), { maxLength: 20 }),
      fc.integer({ min: 1, max: 3 }),
      (snapshot, wishes, limit) => {
        const given = { ...snapshot, settings: settings({ outPerHost: limit, inPerHost: limit, inCluster: 4 }) };
        const index = ClusterIndex.of(given);
        const movable = snapshot.vms.filter(({ hostId }) => hostId !== null);
        fc.pre(movable.length > 0);
        const queue = wishes
          .map(([n, to, priority], i): QueuedMove => {
            const { facts, hostId } = movable[n % movable.length];
            return {
              id: `q${i}`,
              vmId: facts.vmId,
              sourceId: hostId!,
              targetId: snapshot.hosts[to % snapshot.hosts.length].id,
              owner: `o${i % 3}`,
              priority,
              sinceMs: NOW - i,
            };
          })
          .filter(({ sourceId, targetId }) => sourceId !== targetId);
        const { begin, waiting } = pickMoves(index, queue, NOW);
        expect([...begin, ...waiting.map(({ id }) => id)].sort()).toEqual(queue.map(({ id }) => id).sort());
        const before = new Set([...index.moves()].map(({ vmId }) => vmId));
        const begun = begin.map((id) => queue.find((move) => move.id === id)!);
        expect(begun.every(({ vmId }) => !before.has(vmId)) && new Set(begun.map(({ vmId }) => vmId)).size === begun.length).toBe(true);
        for (const { vmId, sourceId, targetId } of begun)
          index.putMove({ id: `begun ${vmId}`, vmId, kind: 'live', sourceId, targetId: targetId!, owner: '', bytesPerSecond: null });
        for (const { id } of snapshot.hosts) {
          const own = begun.filter(({ sourceId, targetId }) => sourceId === id || targetId === id);
          const { movesIn, movesOut } = index.usage(id);
          if (own.some(({ sourceId, targetId }) => sourceId === id && targetId !== id)) expect(movesOut).toBeLessThanOrEqual(limit);
          if (own.some(({ sourceId, targetId }) => targetId === id && sourceId !== id)) expect(movesIn).toBeLessThanOrEqual(limit);
        }
        for (const { reasons } of waiting) expect(reasons.length).toBeGreaterThan(0);
        // With those under way, the others still have to wait: nothing was held back.
        const again = pickMoves(
          index,
          queue.filter(({ id }) => !begin.includes(id)),
          NOW,
        );
        expect(again.begin).toEqual([]);
      },
    ),
    { numRuns: 150 },
  );
});

test('a link is shared evenly; what one cannot use the others get', () => {
  const vms = [...some(3), vm('x', 'd')];
  const moves = [move(vms[0], 'b'), move(vms[1], 'c', { bytesPerSecond: 10e6 }), move(vms[2], 'c'), move(vms[3], 'b')];
  const index = ClusterIndex.of({ hosts, vms, moves, links, settings: settings({ linkShare: 0.8 }) });
  expect(Object.fromEntries(bandwidthShares(index))).toEqual({ 'move-v1': 10e6, 'move-v0': 45e6, 'move-v2': 45e6, 'move-x': 55e6 });
});

test('shares never add up to more than the links carry, and none could have more without another having less', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const index = ClusterIndex.of(snapshot);
      const shares = bandwidthShares(index);
      const used = new Map<string, { sum: number; most: number }>();
      const passed = (m: (typeof snapshot.moves)[number]): string[] => {
        const [from, to] = [index.host(m.sourceId!)!.links, index.host(m.targetId)!.links];
        return [
          ...from.filter((id) => !to.includes(id)).map((id) => `out ${id}`),
          ...to.filter((id) => !from.includes(id)).map((id) => `in ${id}`),
        ];
      };
      const real = snapshot.moves.filter(({ sourceId }) => sourceId !== null);
      for (const each of real) {
        for (const key of passed(each)) {
          const { sum = 0, most = 0 } = used.get(key) ?? {};
          used.set(key, { sum: sum + shares.get(each.id)!, most: Math.max(most, shares.get(each.id)!) });
        }
      }
      const capacity = 125e6 * snapshot.settings.moves.linkShare;
      for (const { sum } of used.values()) expect(sum).toBeLessThanOrEqual(capacity * (1 + 1e-9));
      for (const each of real) {
        const bottleneck = passed(each).some(
          (key) => used.get(key)!.sum >= capacity * (1 - 1e-9) && shares.get(each.id)! >= used.get(key)!.most * (1 - 1e-9),
        );
        expect(bottleneck).toBe(true);
      }
    }),
    { numRuns: 150 },
  );
});
