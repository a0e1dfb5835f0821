/** Proves: an index that followed any row of events answers as one made at once of what is there in the end; and planning on top of it leaves it as it was. */
import fc from 'fast-check';
import { ClusterIndex } from './cluster-index';
import { Draft } from './draft';
import { place } from './place';
import { snapshots } from './testing/arbitrary';
import { GIB, host, move, PLAIN, vm } from './testing/cluster';

/** All that it tells, in a fixed order. */
function tells(index: ClusterIndex, hostIds: readonly string[]): unknown {
  const sorted = (ids: Iterable<string>): string[] => [...ids].sort();
  return {
    usage: hostIds.map((id) => index.usage(id)),
    residents: hostIds.map((id) => sorted(index.vmsOn(id))),
    hosts: index.hosts().map(({ id }) => id),
    stores: ['shared', 'second'].map((id) => [sorted(index.hostsWith(id)), sorted(index.vmsIn(id))]),
    rules: index.allRules().map(({ rule, vmIds, hosts }) => [rule.name, sorted(vmIds), sorted(hosts)]),
    moves: sorted([...index.moves()].map(({ id }) => id)),
    rulesOf: [...index.vms()].map((vm) => [vm.facts.vmId, index.rulesOf(vm).map(({ rule }) => rule.name)]).sort(),
  };
}

test('event by event it becomes what it would be at once', () => {
  fc.assert(
    fc.property(snapshots, snapshots, fc.infiniteStream(fc.nat()), (before, after, numbers) => {
      const index = ClusterIndex.of(before);
      const events = [
        ...before.vms
          .filter((vm) => !after.vms.some(({ facts }) => facts.vmId === vm.facts.vmId))
          .map(
            ({ facts }) =>
              () =>
                index.removeVm(facts.vmId),
          ),
        ...before.hosts
          .filter((host) => !after.hosts.some(({ id }) => id === host.id))
          .map(
            ({ id }) =>
              () =>
                index.removeHost(id),
          ),
        ...before.rules
          .filter((rule) => !after.rules.some(({ name }) => name === rule.name))
          .map(
            ({ name }) =>
              () =>
                index.removeRule(name),
          ),
        ...before.moves
          .filter((move) => !after.moves.some(({ id }) => id === move.id))
          .map(
            ({ id }) =>
              () =>
                index.removeMove(id),
          ),
        ...after.vms.map((vm) => () => index.putVm(vm)),
        ...after.hosts.map((host) => () => index.putHost(host)),
        ...after.rules.map((rule) => () => index.putRule(rule)),
        ...after.moves.map((move) => () => index.putMove(move)),
        ...[...after.groups].map((group) => () => index.putGroup(group)),
      ];
      const turns = events.map((event) => ({ event, at: numbers.next().value! })).sort((a, b) => a.at - b.at);
      for (const { event } of turns) event();
      const hostIds = [...before.hosts, ...after.hosts].map(({ id }) => id);
      expect(tells(index, hostIds)).toEqual(tells(ClusterIndex.of(after), hostIds));
    }),
    { numRuns: 150 },
  );
});

test('a removed VM takes its move with it, and a second move of a VM takes the place of the first', () => {
  const web = vm('web', 'a');
  const index = ClusterIndex.of({ hosts: [host('a'), host('b'), host('c')], vms: [web], moves: [move(web, 'b')] });
  index.putMove(move(web, 'c', { id: 'second' }));
  expect([index.usage('id-b').vms, index.usage('id-c').movesIn, index.usage('id-a').movesOut]).toEqual([0, 1, 1]);
  index.removeVm('vm-web');
  expect([...index.moves()]).toEqual([]);
  for (const id of ['id-a', 'id-b', 'id-c']) expect(index.usage(id)).toEqual(new ClusterIndex().usage(id));
});

test('a move takes memory at both ends and load at its target; a draft counts alike and leaves the index alone', () => {
  const web = vm('web', 'a', { cpuUsed: 1 }, { memoryBytes: 2 * GIB });
  const index = ClusterIndex.of({ hosts: [host('a'), host('b')], vms: [web], settings: PLAIN });
  const draft = new Draft(index);
  draft.plan('vm-web', 'id-b', 'live');
  const under = ClusterIndex.of({ hosts: [host('a'), host('b')], vms: [web], moves: [move(web, 'b')], settings: PLAIN });
  for (const id of ['id-a', 'id-b']) expect(draft.usage(id)).toEqual(under.usage(id));
  expect(draft.usage('id-a')).toMatchObject({ promisedBytes: 2 * GIB, loadBytes: 0, movesOut: 1 });
  expect(draft.usage('id-b')).toMatchObject({ promisedBytes: 2 * GIB, arrivingBytes: 2 * GIB, loadBytes: 2 * GIB, loadMilliCpus: 1000 });
  expect(index.usage('id-b').vms).toBe(0);
  expect(() => draft.plan('vm-web', 'id-a', 'live')).toThrow(RangeError);
});

test('a draft may suppose that a host is dead', () => {
  const index = ClusterIndex.of({ hosts: [host('a'), host('b')], vms: [], settings: PLAIN });
  const draft = new Draft(index);
  draft.suppose('id-a', 'dead');
  const placement = place(draft, { vm: vm('web', null), move: 'start' });
  expect(placement).toMatchObject({ hostId: 'id-b' });
  expect(index.host('id-a')?.state).toBe('ready');
});
