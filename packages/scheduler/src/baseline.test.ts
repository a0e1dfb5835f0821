/** Proves: the baseline is the largest set that all hosts of a vendor have; what it costs is told per host and per feature; what applying it changes, and what it does not. */
import fc from 'fast-check';
import { baselineEffect, computeBaseline } from './baseline';
import { ClusterIndex } from './cluster-index';
import { place } from './place';
import { CPUS, host, PLAIN, vm } from './testing/cluster';

const cpu = (...features: string[]) => ({ vendor: 'GenuineIntel', features, xsaveBytes: 512 });

test('the common set, what each host has beyond it, and which host costs which feature', () => {
  const report = computeBaseline([
    host('new', {}, { cpu: CPUS.new }),
    host('mid', {}, { cpu: CPUS.middle }),
    host('old1', {}, { cpu: CPUS.old }),
    host('old2', {}, { cpu: CPUS.old }),
  ]);
  expect(report).toMatchObject({ vendor: 'GenuineIntel', features: ['fpu', 'sse2'], lines: [] });
  expect(report.hosts.map(({ name, masked }) => [name, masked])).toEqual([
    ['mid', ['avx']],
    ['new', ['avx', 'avx2']],
    ['old1', []],
    ['old2', []],
  ]);
  expect(report.lost).toEqual([
    { feature: 'avx', hostIds: ['id-old1', 'id-old2'] },
    { feature: 'avx2', hostIds: ['id-mid', 'id-old1', 'id-old2'] },
  ]);
  expect(report.suggestions.map(({ line }) => line)).toEqual([
    'without old1, old2 the baseline would have 1 feature more: avx',
    'without mid, old1, old2 the baseline would have 2 features more: avx, avx2',
  ]);
});

test('several vendors: the one with the most hosts, and it is said what that means', () => {
  const report = computeBaseline([host('a', {}, { cpu: CPUS.amd }), host('b'), host('c'), host('d', { facts: null })]);
  expect(report.vendor).toBe('GenuineIntel');
  expect(report.hosts.map(({ name, otherVendor }) => [name, otherVendor])).toEqual([
    ['a', true],
    ['b', false],
    ['c', false],
  ]);
  expect(report.lines).toEqual([
    'the hosts have CPUs of AuthenticAMD (1), GenuineIntel (2): no VM can move live between vendors',
    '1 host has not reported a CPU yet: compute it again when all have',
  ]);
  expect(computeBaseline([])).toMatchObject({ vendor: '', features: [], hosts: [] });
});

test('applied: who must be started anew, who is not bound, where it cannot be had', () => {
  const vms = [
    vm('ahead', 'a', {}, { cpu: CPUS.new }),
    vm('fits', 'a'),
    vm('own', 'a', { cpuFeatures: ['avx2'] }, { cpu: CPUS.new }),
    vm('off', null, {}, { cpu: CPUS.new }),
  ];
  const index = ClusterIndex.of({
    hosts: [host('a', {}, { cpu: CPUS.new }), host('b', {}, { cpu: CPUS.old }), host('c', {}, { cpu: CPUS.amd })],
    vms,
  });
  const effect = baselineEffect(index, { vendor: 'GenuineIntel', features: ['fpu', 'sse2', 'avx'] });
  expect(effect.vmsToRestart).toEqual([{ vmId: 'vm-ahead', name: 'ahead', beyond: ['avx2'] }]);
  expect(effect.vmsApart).toEqual([{ vmId: 'vm-own', name: 'own' }]);
  expect(effect.hosts.map(({ name, missing, otherVendor }) => [name, missing, otherVendor])).toEqual([
    ['a', [], false],
    ['b', ['avx'], false],
    ['c', [], true],
  ]);
  expect(effect.lines).toEqual([
    'a masked feature cannot be used by a guest: its instructions raise an invalid-opcode fault',
    'already running with more, and keeping it until started anew: ahead',
    'asked for features of their own, so the baseline does not bind them: own',
    'VMs that follow the baseline cannot start on b, c',
  ]);
});

test('it is a largest common set, each suggestion keeps its word, and a VM that follows it can start on every host of the vendor', () => {
  const features = ['fpu', 'sse2', 'sse3', 'avx', 'avx2', 'bmi1'];
  fc.assert(
    fc.property(fc.array(fc.subarray(features), { minLength: 1, maxLength: 6 }), (sets) => {
      const hosts = sets.map((set, i) => host(`h${i}`, {}, { cpu: cpu(...set) }));
      const report = computeBaseline(hosts);
      expect(report.features).toEqual(features.filter((name) => sets.every((set) => set.includes(name))).sort());
      for (const { hostIds, features: won } of report.suggestions) {
        const rest = hosts.filter(({ id }) => !hostIds.includes(id));
        expect(computeBaseline(rest).features).toEqual([...report.features, ...won].sort());
      }
      const index = ClusterIndex.of({ hosts, vms: [], baseline: report, settings: PLAIN });
      const { hosts: verdicts } = place(index, { vm: vm('new', null), move: 'start' });
      expect(verdicts.every(({ blockers }) => blockers.length === 0)).toBe(true);
    }),
    { numRuns: 100 },
  );
});
