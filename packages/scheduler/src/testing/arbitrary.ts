/** Clusters of every kind for properties: small, crowded, with hosts in all states, rules that conflict, moves under way. */
import type { CpuFacts } from '@godwit/migration';
import fc from 'fast-check';
import type { Snapshot } from '../cluster-index';
import type { HostEntry, MoveEntry, Rule, VmEntry } from '../model';
import type { Settings } from '../settings';
import { CPUS, GIB, host, PLAIN, vm } from './cluster';

const some = <const T>(...of: T[]): fc.Arbitrary<T> => fc.constantFrom(...of);
const CPU = some<CpuFacts>(CPUS.old, CPUS.middle, CPUS.middle, CPUS.new, CPUS.new, CPUS.amd);
const GIVEN = some<CpuFacts>(CPUS.old, CPUS.old, CPUS.middle, CPUS.new, CPUS.amd);

const hostOf = (name: string): fc.Arbitrary<HostEntry> =>
  fc
    .record({
      state: some(
        'ready',
        'ready',
        'ready',
        'ready',
        'ready',
        'ready',
        'ready',
        'ready',
        'ready',
        'draining',
        'maintenance',
        'unreachable',
        'dead',
      ),
      gib: fc.integer({ min: 2, max: 48 }),
      free: fc.integer({ min: 0, max: 64 }),
      cpu: CPU,
      cpus: fc.integer({ min: 1, max: 8 }),
      datastores: some<readonly string[]>(['shared', 'second'], ['shared', 'second'], ['shared'], []),
      used: fc.integer({ min: 0, max: 100 }),
      reported: fc.integer({ min: 0, max: 9 }),
      links: fc.subarray(['rack-a', 'rack-b']),
    })
    .map(({ state, gib, free, cpu, cpus, datastores, used, reported, links }) => {
      const entry = { state, memoryBytes: gib * GIB, links: [`card-${name}`, ...links] } as const;
      const load = { cpuUsed: used / 100, cpuPressure: 0, memoryPressure: 0 };
      return host(name, reported === 0 ? { ...entry, facts: null } : { ...entry, load }, {
        cpu,
        cpus,
        datastores,
        freeMemoryBytes: free * GIB,
      });
    });

const vmOf = (name: string, hosts: readonly string[]): fc.Arbitrary<VmEntry> =>
  fc
    .record({
      on: fc.option(some(...hosts), { freq: 3 }),
      gib: fc.integer({ min: 1, max: 4 }),
      reserved: fc.integer({ min: 0, max: 2 }),
      vcpus: fc.integer({ min: 1, max: 3 }),
      cpu: GIVEN,
      tier: some('web', 'db', ''),
      priority: fc.integer({ min: 0, max: 2 }),
      used: fc.integer({ min: 0, max: 30 }),
      dirty: fc.option(fc.integer({ min: 0, max: 200e6 })),
      datastore: some('shared', 'shared', 'second'),
      restart: some('always', 'always', 'never'),
      manualOnly: fc.integer({ min: 0, max: 7 }),
      wants: fc.option(some<readonly string[]>(['fpu'], ['fpu', 'avx']), { freq: 2 }),
    })
    .map(({ on, gib, reserved, vcpus, cpu, tier, priority, used, dirty, datastore, restart, manualOnly, wants }) =>
      vm(
        name,
        on,
        {
          labels: tier ? { tier } : {},
          reservedMemoryBytes: reserved * GIB,
          reservedCpus: used > 25 ? 1 : 0,
          priority,
          cpuUsed: used / 10,
          dirtyBytesPerSecond: dirty,
          restart,
          manualOnly: manualOnly === 0,
          cpuFeatures: wants,
        },
        { memoryBytes: gib * GIB, vcpus, cpu, datastores: [datastore] },
      ),
    );

const ruleOf = (name: string, vms: readonly string[]): fc.Arbitrary<Rule> =>
  fc.record({
    name: fc.constant(name),
    kind: some('together', 'apart', 'on', 'off'),
    soft: fc.boolean(),
    vms: fc.subarray([...vms], { maxLength: Math.min(4, vms.length) }),
    labels: some<readonly string[]>([], ['tier=web'], ['tier']),
    group: some('first', 'none'),
  });

const SETTINGS: fc.Arbitrary<Settings> = fc
  .record({ strategy: some('spread', 'pack'), hostFailures: fc.integer({ min: 0, max: 2 }), memory: some(1, 1.5), cpu: some(1, 4, 8) })
  .map(({ strategy, hostFailures, memory, cpu }) => ({ ...PLAIN, strategy, hostFailures, overcommit: { memory, cpu } }));

export const snapshots: fc.Arbitrary<Required<Snapshot> & { hosts: HostEntry[]; vms: VmEntry[]; moves: MoveEntry[]; rules: Rule[] }> = fc
  .record({ hosts: fc.integer({ min: 2, max: 7 }), vms: fc.integer({ min: 0, max: 16 }), rules: fc.integer({ min: 0, max: 4 }) })
  .chain((sizes) => {
    const hostNames = Array.from({ length: sizes.hosts }, (_, i) => `h${i}`);
    const vmNames = Array.from({ length: sizes.vms }, (_, i) => `v${i}`);
    return fc
      .record({
        hosts: fc.tuple(...hostNames.map(hostOf)),
        vms: fc.tuple(...vmNames.map((name) => vmOf(name, hostNames))),
        rules: fc.tuple(...Array.from({ length: sizes.rules }, (_, i) => ruleOf(`r${i}`, vmNames))),
        group: fc.subarray(hostNames),
        targets: fc.tuple(...vmNames.map(() => fc.option(some(...hostNames), { freq: 1, nil: null }))),
        moving: fc.tuple(...vmNames.map(() => fc.integer({ min: 0, max: 5 }))),
        settings: SETTINGS,
        baseline: fc.option(some({ vendor: 'GenuineIntel', features: ['fpu', 'sse2'] }), { freq: 2 }),
      })
      .map(({ hosts, vms, rules, group, targets, moving, settings, baseline }) => ({
        hosts,
        vms,
        rules,
        groups: [{ name: 'first', hosts: group }],
        links: ['rack-a', 'rack-b', ...hostNames.map((name) => `card-${name}`)].map((id) => ({ id, bytesPerSecond: 125e6 })),
        moves: vms.flatMap(({ facts, hostId }, i): MoveEntry[] => {
          const target = targets[i];
          if (moving[i] > 0 || target === null || hostId === `id-${target}`) return [];
          const kind = hostId === null ? 'start' : 'live';
          return [
            { id: `m${i}`, vmId: facts.vmId, kind, sourceId: hostId, targetId: `id-${target}`, owner: `o${i % 2}`, bytesPerSecond: null },
          ];
        }),
        settings,
        baseline,
      }));
  });
