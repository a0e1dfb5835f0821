/**
 * Proves: a drain's plan names what stands in the way first, keeps every rule and limit if its moves all begin at
 * once, can be carried on from any moment, moves VMs that belong together to one host, and ends with a host that is
 * safe to switch off, which is said of no other.
 */
import fc from 'fast-check';
import { ClusterIndex } from './cluster-index';
import { planDrain } from './drain';
import { safeToPowerOff } from './power-off';
import { planReturn } from './return';
import { snapshots } from './testing/arbitrary';
import { CPUS, GIB, host, move, PLAIN, vm } from './testing/cluster';
import { judge } from './testing/referee';

const away = host('a', { state: 'draining' });

test('blockers come with every host and its reasons, with ways out, and do not stop the others', () => {
  const usb = vm('usb', 'a', {}, { localDevices: [{ kind: 'usb', name: '046d:c52b' }] });
  const wide = vm('wide', 'a', {}, { cpu: CPUS.new });
  const pinned = vm('pinned', 'a', { manualOnly: true });
  const index = ClusterIndex.of({
    hosts: [away, host('b'), host('c', {}, { cpu: CPUS.old })],
    vms: [usb, wide, pinned, vm('fine', 'a')],
    settings: PLAIN,
  });
  const plan = planDrain(index, 'id-a');
  expect(plan.blockers.map(({ vmName, line }) => `${vmName}: ${line}`)).toEqual([
    'pinned: pinned may be moved by hand only: migrate it yourself, or stop it',
    'usb: usb can go to no host; the nearest is b: usb uses the usb device 046d:c52b of its host: detach it first',
    'wide: wide can go to no host; the nearest is b: the CPU of b lacks what wide was given: avx2',
  ]);
  expect(plan.blockers[2].hosts.map(({ name }) => name)).toEqual(['b', 'c']);
  expect(plan.blockers[2].ways).toEqual([
    "wide can be stopped and started anew on b: its guest then finds that host's CPU",
    "wide can be stopped and started anew on c: its guest then finds that host's CPU",
    'stop wide',
  ]);
  expect(plan.moves.map(({ vmName, how }) => [vmName, how])).toEqual([['fine', 'live']]);
  expect(plan.line).toBe('3 of 4 VMs on a cannot go: see what stands in their way');
});

test('what cannot move live is stopped and started elsewhere if that was asked for', () => {
  const index = ClusterIndex.of({ hosts: [away, host('b')], vms: [vm('wide', 'a', {}, { cpu: CPUS.new })], settings: PLAIN });
  expect(planDrain(index, 'id-a', { otherwise: 'suspend' }).blockers).toHaveLength(1);
  expect(planDrain(index, 'id-a', { otherwise: 'stop' })).toMatchObject({
    blockers: [],
    moves: [{ how: 'stop', targetId: 'id-b', line: 'wide cannot move live: it is stopped and started anew on b' }],
  });
});

test('VMs that must be together go to one host with room for all, or none goes', () => {
  const vms = [vm('one', 'a', {}, { memoryBytes: 4 * GIB }), vm('two', 'a', {}, { memoryBytes: 4 * GIB }), vm('alone', 'a')];
  const rules = [{ name: 'pair', kind: 'together', soft: false, vms: ['one', 'two'], labels: [], group: '' }] as const;
  const index = ClusterIndex.of({
    hosts: [away, host('b', { memoryBytes: 6 * GIB }), host('c', { memoryBytes: 9 * GIB }), host('d', { memoryBytes: 7 * GIB })],
    vms,
    rules,
    settings: PLAIN,
  });
  const { moves, blockers } = planDrain(index, 'id-a');
  expect(blockers).toEqual([]);
  expect(moves.filter(({ vmName }) => vmName !== 'alone').map(({ targetId }) => targetId)).toEqual(['id-c', 'id-c']);
  index.putHost(host('c', { memoryBytes: 7 * GIB }));
  const second = planDrain(index, 'id-a');
  expect(second.moves.map(({ vmName }) => vmName)).toEqual(['alone']);
  expect(second.blockers.map(({ line }) => line)).toEqual([
    expect.stringMatching(/^one could go to \w, but must go together with two, which cannot: lift the rule/),
    expect.stringMatching(/^two could go to \w, but must go together with one/),
  ]);
});

test('the moves begin as limits allow: at both ends, and as asked for', () => {
  const vms = Array.from({ length: 6 }, (_, i) => vm(`v${i}`, 'a'));
  const index = ClusterIndex.of({
    hosts: [away, host('b'), host('c'), host('d')],
    vms,
    settings: { ...PLAIN, moves: { ...PLAIN.moves, outPerHost: 3, inPerHost: 1 } },
  });
  const { moves, takesMs } = planDrain(index, 'id-a');
  const one = moves[0].estimate.ms;
  expect(moves.map(({ startsInMs }) => Math.round(startsInMs / one))).toEqual([0, 0, 0, 1, 1, 1]);
  expect(takesMs).toBeCloseTo(2 * one);
  expect(planDrain(index, 'id-a', { concurrent: 1 }).moves.map(({ startsInMs }) => Math.round(startsInMs / one))).toEqual([
    0, 1, 2, 3, 4, 5,
  ]);
});

test('what cannot be drained is an error, an empty host is none', () => {
  const index = ClusterIndex.of({ hosts: [away], vms: [] });
  expect(() => planDrain(index, 'nobody')).toThrow(RangeError);
  expect(planDrain(index, 'id-a')).toMatchObject({ moves: [], blockers: [], line: 'nothing runs on a' });
});

test('no plan breaks a rule or a limit, and each VM of the host stands in it once', () => {
  let moved = 0;
  fc.assert(
    fc.property(snapshots, fc.constantFrom('leave', 'suspend', 'stop'), (snapshot, otherwise) => {
      const [{ id }] = snapshot.hosts;
      const index = ClusterIndex.of(snapshot);
      index.putHost({ ...snapshot.hosts[0], state: 'draining' });
      const { moves, blockers, underWay } = planDrain(index, id, { otherwise });
      moved += moves.length;
      const hosts = [{ ...snapshot.hosts[0], state: 'draining' as const }, ...snapshot.hosts.slice(1)];
      expect(judge({ ...snapshot, hosts }, moves)).toEqual([]);
      expect([...moves.map(({ vmId }) => vmId), ...blockers.map(({ vmId }) => vmId), ...underWay].sort()).toEqual(
        [...index.vmsOn(id)].sort(),
      );
      for (const blocker of blockers) expect(blocker.ways.length).toBeGreaterThan(0);
    }),
    { numRuns: 200 },
  );
  expect(moved).toBeGreaterThan(10);
});

test('planned again after every step, however it went, a drain of movable VMs ends with a host that is safe to switch off', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 12 }), fc.infiniteStream(fc.nat()), (sizes, numbers) => {
      const index = ClusterIndex.of({
        hosts: [away, host('b', { memoryBytes: 32 * GIB }), host('c', { memoryBytes: 32 * GIB })],
        vms: sizes.map((gib, i) => vm(`v${i}`, 'a', {}, { memoryBytes: gib * GIB })),
        settings: PLAIN,
      });
      for (let step = 0; step < 200; step++) {
        const { moves, underWay } = planDrain(index, 'id-a');
        if (moves.length + underWay.length === 0) break;
        expect(safeToPowerOff(index, 'id-a').safe).toBe(false);
        const dice = numbers.next().value!;
        const under = [...index.moves()];
        if (moves.length > 0 && (under.length === 0 || dice % 3 === 0)) {
          const { vmId, targetId } = moves[dice % moves.length];
          index.putMove({ id: `m${step}`, vmId, kind: 'live', sourceId: 'id-a', targetId, owner: 'drain', bytesPerSecond: null });
        } else {
          const { id, vmId, targetId } = under[dice % under.length];
          index.removeMove(id);
          // Now and then one fails, and the VM is still here.
          if (dice % 5 > 0) index.putVm({ ...index.vm(vmId)!, hostId: targetId });
        }
      }
      expect([...index.vmsOn('id-a')]).toEqual([]);
      expect(safeToPowerOff(index, 'id-a').against).toEqual(['a is still being drained']);
      index.putHost(host('a', { state: 'maintenance' }));
      expect(safeToPowerOff(index, 'id-a')).toEqual({ safe: true, against: [], notes: [] });
    }),
    { numRuns: 60 },
  );
});

test('safe to switch off: every reason against it, and what is out of reach meanwhile', () => {
  const own = { datastores: ['local-a', 'shared'] };
  const [stays, comes, goes] = [vm('stays', 'a'), vm('comes', 'b'), vm('goes', 'a')];
  const kept = vm('kept', null, {}, { state: 'suspended', datastores: ['local-a'] });
  const off = vm('off', null, {}, { datastores: ['local-a'] });
  const index = ClusterIndex.of({
    hosts: [host('a', {}, own), host('b')],
    vms: [stays, comes, goes, kept, off],
    moves: [move(comes, 'a'), move(goes, 'b')],
    settings: PLAIN,
  });
  expect(safeToPowerOff(index, 'id-a')).toEqual({
    safe: false,
    against: [
      'a is not in maintenance: drain it first',
      'on a: goes, stays',
      'not gone from a yet: goes',
      'on the way to a: comes',
      'the saved state of kept is in the datastore local-a, which only a sees',
    ],
    notes: ['cannot start while a is off, since their disks are in the datastore local-a, which only it sees: off'],
  });
  expect(safeToPowerOff(index, 'nobody').safe).toBe(false);
  const seen = ClusterIndex.of({
    hosts: [host('a', { state: 'maintenance' }, own), host('b', {}, own)],
    vms: [kept, off],
    settings: PLAIN,
  });
  expect(safeToPowerOff(seen, 'id-a')).toEqual({ safe: true, against: [], notes: [] });
  for (const state of ['unreachable', 'dead', 'ready', 'draining'] as const) {
    seen.putHost(host('a', { state }, own));
    expect(safeToPowerOff(seen, 'id-a').safe).toBe(false);
  }
});

test('after maintenance VMs come back as far as there is room; the others stay, with the reason', () => {
  const vms = [
    vm('one', 'b', {}, { memoryBytes: 3 * GIB }),
    vm('two', 'b', { priority: 1 }, { memoryBytes: 3 * GIB }),
    vm('gone', null),
    vm('here', 'a'),
  ];
  const index = ClusterIndex.of({ hosts: [host('a', { memoryBytes: 6 * GIB }), host('b')], vms, settings: PLAIN });
  const plan = planReturn(index, 'id-a', ['vm-one', 'vm-two', 'vm-gone', 'vm-here', 'vm-never']);
  expect(plan.moves.map(({ vmName }) => vmName)).toEqual(['two']);
  expect(plan.stay).toEqual([
    { vmId: 'vm-gone', vmName: 'gone', line: 'gone does not run now' },
    { vmId: 'vm-one', vmName: 'one', line: 'a cannot take one: one needs 3072 MiB of memory, a has promised all but 2048 MiB' },
  ]);
});
