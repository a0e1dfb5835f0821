/** Proves, filter by filter and rule by rule: the host is refused for that reason alone, in words that say what to do; and what each part of the score prefers. */
import { ClusterIndex, type Snapshot } from './cluster-index';
import type { HostEntry, MoveKind, Rule, VmEntry } from './model';
import { place } from './place';
import type { PlaceRequest } from './question';
import type { Settings } from './settings';
import { CPUS, GIB, host, move, NOW, PLAIN, vm } from './testing/cluster';

interface Case {
  readonly code: string;
  readonly text: RegExp;
  readonly move?: MoveKind;
  readonly vm?: VmEntry;
  readonly there?: HostEntry;
  readonly request?: Partial<PlaceRequest>;
  readonly more?: Partial<Snapshot> & { readonly vms?: readonly VmEntry[] };
  readonly settings?: Partial<Settings>;
}

const rule = (kind: Rule['kind'], vms: string[], more: Partial<Rule> = {}): Rule => ({
  name: `keep-${kind}`,
  kind,
  soft: false,
  vms,
  labels: [],
  group: 'racks',
  ...more,
});
const web = (entry: Partial<VmEntry> = {}, facts: Partial<VmEntry['facts']> = {}): VmEntry => vm('web', 'a', entry, facts);
const stopped = (entry: Partial<VmEntry> = {}, facts: Partial<VmEntry['facts']> = {}): VmEntry => vm('web', null, entry, facts);

const CASES: readonly Case[] = [
  { code: 'state', text: /^b is silent/, there: host('b', { state: 'unreachable' }) },
  { code: 'state', text: /^b counts as dead/, there: host('b', { state: 'dead' }) },
  { code: 'state', text: /^b is being drained: resume it/, there: host('b', { state: 'draining' }) },
  { code: 'maintenance', text: /^b is in maintenance: end it/, there: host('b', { state: 'maintenance' }) },
  { code: 'state', text: /^b has not reported yet/, there: host('b', { facts: null }) },
  { code: 'excluded', text: /left out or tried before/, request: { exclude: new Set(['id-b']) } },
  { code: 'current', text: /^web is on b already/, vm: vm('web', 'b') },
  { code: 'busy', text: /^web is on its way to c: wait/, more: { moves: [move(web(), 'c')] } },
  { code: 'cpu-vendor', text: /GenuineIntel, b has one of AuthenticAMD/, there: host('b', {}, { cpu: CPUS.amd }) },
  { code: 'cpu-features', text: /lacks what web was given: avx2/, vm: web({}, { cpu: CPUS.new }) },
  {
    code: 'cpu-features',
    text: /lacks features that web asks for: avx512f/,
    move: 'start',
    vm: stopped({ cpuFeatures: ['fpu', 'avx512f'] }),
  },
  {
    code: 'cpu-features',
    text: /of the cluster's CPU baseline, which web follows: avx2/,
    move: 'start',
    vm: stopped(),
    more: { baseline: { vendor: 'GenuineIntel', features: ['fpu', 'avx2'] } },
  },
  {
    code: 'cpu-vendor',
    text: /baseline, which web follows, is of AuthenticAMD/,
    move: 'start',
    vm: stopped(),
    more: { baseline: { vendor: 'AuthenticAMD', features: ['fpu'] } },
  },
  { code: 'state-area', text: /XSAVE/, vm: web({}, { cpu: { ...CPUS.old, xsaveBytes: 2696 } }) },
  { code: 'cpu-count', text: /web has 12 vCPUs, b has 8 CPUs/, vm: web({}, { vcpus: 12 }) },
  { code: 'protocol', text: /migration protocol 7, this host 1/, there: host('b', {}, { protocol: { oldest: 7, newest: 7 } }) },
  { code: 'machine-version', text: /update b/, vm: web({}, { machineVersion: 4 }) },
  { code: 'machine-version', text: /version 4, b runs version 1 to 3: update b/, move: 'start', vm: stopped({}, { machineVersion: 4 }) },
  { code: 'datastore', text: /does not see the datastore shared/, there: host('b', {}, { datastores: [] }) },
  { code: 'network', text: /no network lan/, there: host('b', {}, { networks: [] }) },
  { code: 'local-device', text: /detach it first/, vm: web({}, { localDevices: [{ kind: 'usb', name: '046d:c52b' }] }) },
  { code: 'clock', text: /differs by 60.0 s/, there: host('b', {}, { wallClockMs: NOW + 60_000 }) },
  { code: 'state', text: /only a running or paused VM moves live/, vm: stopped() },
  {
    code: 'memory',
    text: /web needs 4096 MiB of memory, b has promised all but 3072 MiB/,
    vm: web({}, { memoryBytes: 4 * GIB }),
    more: { vms: [vm('big', 'b', {}, { memoryBytes: 13 * GIB })] },
  },
  {
    code: 'memory',
    text: /all but 3072 MiB/,
    vm: web({}, { memoryBytes: 4 * GIB }),
    there: host('b', { memoryBytes: 4 * GIB }, { freeMemoryBytes: 8 * GIB }),
    settings: { hostReserveBytes: GIB, overcommit: { memory: 2, cpu: 8 } },
  },
  { code: 'memory-measured', text: /b has measured 512 MiB free$/, there: host('b', {}, { freeMemoryBytes: GIB / 2 }) },
  {
    code: 'memory-measured',
    text: /measured 2048 MiB free, and VMs that need 2048 MiB are on their way there/,
    there: host('b', {}, { freeMemoryBytes: 2 * GIB }),
    more: { vms: [vm('other', 'c', {}, { memoryBytes: 2 * GIB })], moves: [move(vm('other', 'c'), 'b')] },
  },
  {
    code: 'memory-overcommit',
    text: /with web the VMs of b could use 17408 MiB of memory, the overcommit limit there is 16384 MiB/,
    vm: web({ reservedMemoryBytes: GIB }, { memoryBytes: 5 * GIB }),
    more: { vms: [vm('big', 'b', { reservedMemoryBytes: GIB }, { memoryBytes: 12 * GIB })] },
  },
  {
    code: 'vcpu-overcommit',
    text: /b would run 9 vCPUs, its 8 CPUs may run 8/,
    more: { vms: [vm('big', 'b', {}, { vcpus: 8 })] },
    settings: { overcommit: { memory: 1, cpu: 1 } },
  },
  {
    code: 'cpu-reservation',
    text: /web is promised 2.5 CPUs, b has promised all but 1.5/,
    vm: web({ reservedCpus: 2.5 }),
    more: { vms: [vm('big', 'b', { reservedCpus: 6.5 })] },
  },
  {
    code: 'rule-apart',
    text: /web is to be apart from web2, which is on b \(rule keep-apart\)/,
    more: { vms: [vm('web2', 'b')], rules: [rule('apart', ['web', 'web2'])] },
  },
  {
    code: 'rule-apart',
    text: /apart from web2/,
    more: { vms: [vm('web2', 'b')], moves: [move(vm('web2', 'b'), 'c')], rules: [rule('apart', ['web', 'web2'])] },
  },
  {
    code: 'rule-together',
    text: /web is to be on one host with db, which is on a \(rule/,
    more: { vms: [vm('db', 'a')], rules: [rule('together', ['web', 'db'])] },
  },
  {
    code: 'rule-on',
    text: /hosts of the group racks, and b is none of them/,
    more: { groups: [{ name: 'racks', hosts: ['c'] }], rules: [rule('on', ['web'])] },
  },
  { code: 'rule-on', text: /group racks/, more: { rules: [rule('on', ['web'])] } },
  {
    code: 'rule-off',
    text: /not to be on the hosts of the group racks/,
    more: { groups: [{ name: 'racks', hosts: ['id-b'] }], rules: [rule('off', ['web'])] },
  },
  {
    code: 'rule-off',
    text: /group racks/,
    vm: web({ labels: { tier: 'web' } }),
    more: { groups: [{ name: 'racks', hosts: ['b'] }], rules: [rule('off', [], { labels: ['tier=web'] })] },
  },
  {
    code: 'rule-off',
    text: /group racks/,
    request: { hostId: 'id-b' },
    more: { groups: [{ name: 'racks', hosts: ['b'] }], rules: [rule('off', ['web'], { soft: true })] },
  },
  {
    code: 'admission',
    text: /with web there would be 1024 MiB of memory too little to restart all VMs if a failed/,
    move: 'start',
    vm: stopped(),
    settings: { hostFailures: 1 },
    more: { vms: [vm('big', 'c', {}, { memoryBytes: 16 * GIB }), vm('big2', 'a', {}, { memoryBytes: 16 * GIB })] },
  },
];

test.each(CASES.map((given) => [`${given.code} ${given.text}`, given] as const))(
  '%s',
  (_, { code, text, move = 'live', vm: moved = web(), there = host('b'), request, more, settings }) => {
    const index = ClusterIndex.of({
      ...more,
      hosts: [host('a'), there, host('c')],
      vms: [moved, ...(more?.vms ?? [])],
      settings: { ...PLAIN, ...settings },
    });
    const { hosts } = place(index, { vm: moved, move, ...request });
    const verdict = hosts.find(({ hostId }) => hostId === 'id-b');
    expect(verdict?.blockers).toEqual([{ code, message: expect.stringMatching(text) }]);
    expect(verdict).toMatchObject({ score: 0, parts: [] });
  },
);

test('every reason is named, not only the first, and what could be done instead', () => {
  const bad = host('b', { memoryBytes: GIB / 2 }, { cpu: CPUS.amd, networks: [], freeMemoryBytes: 0 });
  const index = ClusterIndex.of({ hosts: [host('a'), bad, host('c', {}, { cpu: CPUS.amd })], vms: [web()], settings: PLAIN });
  const { hosts, hostId, line } = place(index, { vm: web(), move: 'live' });
  expect(hostId).toBeNull();
  const codes = hosts.find(({ name }) => name === 'b')?.blockers.map(({ code }) => code);
  expect(codes).toEqual(['memory', 'memory-measured', 'cpu-vendor', 'network']);
  expect(hosts.find(({ name }) => name === 'c')?.instead).toEqual([
    "web can be stopped and started anew on c: its guest then finds that host's CPU",
  ]);
  expect(line).toMatch(/^no host can take web; the nearest is c: web runs on a CPU of GenuineIntel/);
});

test('features that are missing stand beside those that were used', () => {
  const moved = web({}, { cpu: CPUS.new, usedFeatures: ['fpu', 'avx2'] });
  const { hosts } = place(ClusterIndex.of({ hosts: [host('a'), host('b', {}, { cpu: CPUS.old })], vms: [moved] }), {
    vm: moved,
    move: 'live',
  });
  expect(hosts.find(({ name }) => name === 'b')).toMatchObject({ missingFeatures: ['avx', 'avx2'], missingUsedFeatures: ['avx2'] });
});

describe('rules', () => {
  const three = [host('a'), host('b'), host('c')];

  test('soft rules decide before scores, and are broken if nothing else is possible', () => {
    const soft = rule('apart', ['web', 'web2'], { soft: true });
    const busy = vm('load', 'c', { cpuUsed: 7 }, { memoryBytes: 12 * GIB });
    const index = ClusterIndex.of({ hosts: three, vms: [web(), vm('web2', 'b'), busy], rules: [soft], settings: PLAIN });
    const { hostId, hosts } = place(index, { vm: web(), move: 'live' });
    expect(hostId).toBe('id-c');
    expect(hosts[1].score).toBeGreaterThan(hosts[0].score);
    index.putHost(host('c', { state: 'maintenance' }));
    const second = place(index, { vm: web(), move: 'live' });
    expect(second).toMatchObject({ hostId: 'id-b', line: expect.stringMatching(/although web is to be apart from web2/) });
    expect(place(index, { vm: web(), move: 'live', hostId: 'id-b' })).toMatchObject({
      hostId: null,
      line: expect.stringMatching(/^b cannot take web: web is to be apart/),
    });
    expect(place(index, { vm: web(), move: 'live', hostId: 'id-b', force: true }).hostId).toBe('id-b');
  });

  test('together: the others follow the first, also while it is on its way', () => {
    const [one, two] = [vm('one', null), vm('two', null)];
    const index = ClusterIndex.of({ hosts: three, vms: [one, two], rules: [rule('together', ['one', 'two'])], settings: PLAIN });
    index.putMove(move(one, 'c'));
    expect(place(index, { vm: two, move: 'start' }).hostId).toBe('id-c');
  });

  test('together: mates on a host that must be left bind nobody; of VMs that are spread, the most do', () => {
    const vms = [web(), vm('db', 'a'), vm('cache', 'b'), vm('queue', 'b'), vm('log', 'c')];
    const index = ClusterIndex.of({
      hosts: three,
      vms,
      rules: [rule('together', ['web', 'db', 'cache', 'queue', 'log'])],
      settings: PLAIN,
    });
    expect(
      place(index, { vm: web(), move: 'live' })
        .hosts.filter(({ blockers }) => blockers.length === 0)
        .map(({ name }) => name),
    ).toEqual(['b']);
    index.putHost(host('b', { state: 'draining' }));
    expect(
      place(index, { vm: vm('cache', 'b'), move: 'live' })
        .hosts.filter(({ blockers }) => blockers.length === 0)
        .map(({ name }) => name),
    ).toEqual(['a']);
  });

  test('a group that changes binds anew', () => {
    const index = ClusterIndex.of({
      hosts: three,
      vms: [web()],
      rules: [rule('on', ['web'])],
      groups: [{ name: 'racks', hosts: ['b'] }],
      settings: PLAIN,
    });
    expect(place(index, { vm: web(), move: 'live' }).hostId).toBe('id-b');
    index.putGroup({ name: 'racks', hosts: ['c'] });
    expect(place(index, { vm: web(), move: 'live' }).hostId).toBe('id-c');
    index.removeRule('keep-on');
    expect(place(index, { vm: web(), move: 'live' }).hostId).toBe('id-b');
  });
});

describe('scores', () => {
  const prefers = (move: MoveKind, entry: VmEntry, snapshot: Partial<Snapshot> & { hosts: HostEntry[] }, vms: VmEntry[] = []) => {
    const { hosts } = place(ClusterIndex.of({ settings: PLAIN, ...snapshot, vms: [entry, ...vms] }), { vm: entry, move });
    return hosts.filter(({ blockers }) => blockers.length === 0).map(({ name }) => name);
  };
  const load = { cpuUsed: 0, cpuPressure: 0, memoryPressure: 0 };

  test('spread goes where memory is free, pack where it is not', () => {
    const hosts = [host('a'), host('b'), host('c')];
    const vms = [vm('x', 'b', {}, { memoryBytes: 8 * GIB })];
    expect(prefers('start', stopped(), { hosts }, vms)).toEqual(['a', 'c', 'b']);
    expect(prefers('start', stopped(), { hosts, settings: { ...PLAIN, strategy: 'pack' } }, vms)).toEqual(['b', 'a', 'c']);
  });

  test('CPU: measured use counts, and VMs where they will be', () => {
    expect(prefers('start', stopped(), { hosts: [host('a', { load: { ...load, cpuUsed: 0.9 } }), host('b')] })).toEqual(['b', 'a']);
    const leaves = vm('x', 'a', { cpuUsed: 6 });
    const hosts = [host('a', { load: { ...load, cpuUsed: 0.75 } }), host('b'), host('c')];
    expect(prefers('start', stopped(), { hosts, moves: [move(leaves, 'b')] }, [leaves])).toEqual(['c', 'a', 'b']);
  });

  test('CPU: a VM that has not run yet adds what is expected of it to what its host measured without it', () => {
    const hosts = [host('a'), host('b', { load: { ...load, cpuUsed: 0.05 } })];
    const starts = (cpuMeasured: boolean) => vm('x', 'a', { cpuUsed: 1, cpuMeasured }, { memoryBytes: 4096 });
    expect(prefers('start', stopped(), { hosts }, [starts(false)])).toEqual(['b', 'a']);
    const measured = [host('a', { load: { ...load, cpuUsed: 0.125 } }), hosts[1]];
    expect(prefers('start', stopped(), { hosts: measured }, [starts(true)])).toEqual(['b', 'a']);
    expect(prefers('start', stopped(), { hosts }, [])).toEqual(['a', 'b']);
  });

  test('CPU: where all are busy, those count that are still to come', () => {
    const hosts = ['a', 'b'].map((name) => host(name, { load: { ...load, cpuUsed: 1 } }));
    const starts = vm('x', 'a', { cpuUsed: 1, cpuMeasured: false }, { memoryBytes: 4096 });
    expect(prefers('start', stopped(), { hosts }, [starts])).toEqual(['b', 'a']);
  });

  test('pressure, warm data, links', () => {
    expect(prefers('start', stopped(), { hosts: [host('a', { load: { ...load, memoryPressure: 0.5 } }), host('b', { load })] })).toEqual([
      'b',
      'a',
    ]);
    expect(prefers('start', stopped({ lastHostId: 'id-b' }), { hosts: [host('a'), host('b')] })).toEqual(['b', 'a']);
    const links = [
      { id: 'slow', bytesPerSecond: 10e6 },
      { id: 'fast', bytesPerSecond: 1e9 },
    ];
    expect(prefers('live', web(), { hosts: [host('a'), host('b', { links: ['slow'] }), host('c', { links: ['fast'] })], links })).toEqual([
      'c',
      'b',
    ]);
  });

  test('without a baseline a VM starts where it is shown no more than the others have', () => {
    const hosts = [host('a', {}, { cpu: CPUS.new }), host('b', {}, { cpu: CPUS.old }), host('c', {}, { cpu: CPUS.old })];
    expect(prefers('start', stopped(), { hosts })).toEqual(['b', 'c', 'a']);
    expect(prefers('start', stopped(), { hosts, baseline: { vendor: 'GenuineIntel', features: ['fpu'] } })).toEqual(['a', 'b', 'c']);
  });
});
