/** Proves: every blocker of every host is named at once, and what could be done instead. */
import { checkHost, checkHosts } from './compatibility';
import { hostFacts, vmFacts } from './testing/facts';

const NOW = 1_000_000;
const codes = (vm: Parameters<typeof vmFacts>[0], host: Parameters<typeof hostFacts>[0]) =>
  checkHost(vmFacts(vm), hostFacts(host), NOW).blockers.map(({ code }) => code);

test('a fitting host has no blocker', () => {
  expect(checkHost(vmFacts(), hostFacts(), NOW)).toMatchObject({ blockers: [], instead: [] });
});

test('all blockers of all hosts, never only the first', () => {
  const bad = hostFacts({
    name: 'old',
    cpu: { vendor: 'AuthenticAMD', features: ['fpu'], xsaveBytes: 512 },
    cpus: 0,
    freeMemoryBytes: 4096,
    protocol: { oldest: 7, newest: 8 },
    machineVersions: { oldest: 4, newest: 5 },
    datastores: [],
    networks: [],
    wallClockMs: NOW + 60_000,
    maintenance: true,
  });
  const devices = [
    { kind: 'usb', name: '046d:c52b' },
    { kind: 'media', name: '/root/cd.iso' },
  ] as const;
  const [report, fine] = checkHosts(vmFacts({ localDevices: devices }), [bad, hostFacts()], NOW);
  expect(report.blockers.map(({ message }) => message)).toEqual([
    'old is in maintenance: end it, or choose another host',
    'web1 runs on a CPU of GenuineIntel, old has one of AuthenticAMD',
    'the CPU of old lacks what web1 was given: sse2, avx (used so far: sse2)',
    'web1 has 1 vCPUs, old has 0 CPUs',
    "the vCPU's extended state takes 832 bytes (XSAVE), old holds 512",
    'web1 needs 1 MiB of memory, old has 1 MiB free',
    'old speaks migration protocol 7 to 8, this host 1: update the older one',
    'web1 is a machine of version 3, old runs version 4 to 5: update old',
    'old does not see the datastore store-1, where disks of web1 lie',
    'old has no network lan, which web1 is plugged into',
    'web1 uses the usb device 046d:c52b of its host: detach it first',
    'web1 uses a disk image /root/cd.iso of its host: detach it first',
    'the clock of old differs by 60.0 s: set it (NTP)',
  ]);
  expect(fine.blockers.map(({ code }) => code)).toEqual(['local-device', 'local-device']);
  expect(report.instead).toEqual([]);
});

test('features used are shown beside those given', () => {
  const host = { cpu: { vendor: 'GenuineIntel', features: ['fpu', 'sse2'], xsaveBytes: 832 } };
  const { features, blockers } = checkHost(vmFacts(), hostFacts(host), NOW);
  expect(features).toEqual({ given: ['fpu', 'sse2', 'avx'], used: ['fpu', 'sse2'], missing: ['avx'], missingUsed: [] });
  expect(blockers[0].message).toMatch(/lacks what web1 was given: avx \(none of them used so far\)/);
  expect(checkHost(vmFacts({ usedFeatures: null }), hostFacts(host), NOW).features.missingUsed).toBeNull();
});

test('cold goes where live does not, and the report says so', () => {
  const amd = { cpu: { vendor: 'AuthenticAMD', features: ['fpu'], xsaveBytes: 512 } };
  expect(codes({}, amd)).toEqual(['cpu-vendor', 'cpu-features', 'state-area']);
  expect(codes({ state: 'suspended' }, amd)).toEqual(['cpu-vendor', 'cpu-features', 'state-area']);
  expect(codes({ state: 'stopped' }, amd)).toEqual([]);
  expect(checkHost(vmFacts(), hostFacts(amd), NOW).instead).toEqual([
    "web1 can be stopped and started anew on host-2: its guest then finds that host's CPU",
  ]);
  expect(checkHost(vmFacts(), hostFacts({ protocol: { oldest: 9, newest: 9 } }), NOW).instead).toContain(
    'web1 can be suspended here and resumed on host-2',
  );
  expect(checkHost(vmFacts({ state: 'stopped' }), hostFacts(), NOW, 'live').blockers).toMatchObject([{ code: 'state' }]);
});
