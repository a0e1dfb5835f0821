/** Proves that what a cluster keeps of a VM goes into its vm.json and comes back. */
import { checkVmConfig } from '@godwit/storage';
import { targetReport } from '../orders/migration-book';
import type { VmSpec } from '../messages';
import { inParts } from './datastores';
import { SUSPENDED_STATE as OF_THE_VMM } from '@godwit/vmm';
import { configOf, specOf, SUSPENDED_STATE } from './vm-file';

const spec: VmSpec = {
  vmId: '11111111-2222-3333-4444-555555555555',
  name: 'web',
  memoryBytes: 256 << 20,
  vcpus: 1,
  cpuFeatures: ['cmov', 'sse2'],
  disks: [
    { file: 'root.qcow2', bus: 'virtio', readOnly: false, sizeBytes: 1 << 30, format: 'qcow2' },
    { file: 'cd', bus: 'ide', readOnly: true, sizeBytes: 1 << 20, format: 'raw' },
  ],
  networks: [{ network: 'user', adapter: 'virtio', mac: '52:54:00:12:34:56' }],
  boot: { kernel: 'vmlinuz', initrd: '', commandLine: 'console=ttyS0 root=/dev/vda', kernelOrigin: '', initrdOrigin: '' },
  labels: { team: 'db' },
  restart: 'RESTART_POLICY_NEVER',
  migration: { manualOnly: true, pauseBudgetMs: 20 },
  reservedMemoryBytes: 128 << 20,
  machineVersion: 1,
  priority: 5,
};

test('there and back', () => {
  const config = checkVmConfig(JSON.parse(JSON.stringify(configOf(spec))), 'vm.json');
  expect(specOf(config)).toEqual(spec);
  expect(config.settings).toMatchObject({ boot: { kernel: 'vmlinuz', append: 'console=ttyS0 root=/dev/vda' }, features: ['cmov', 'sse2'] });
});

test('one written by hand has what it says, and defaults', () => {
  const config = {
    schema: 1,
    vmId: spec.vmId,
    name: 'web',
    memoryBytes: 1 << 20,
    disks: [],
    networks: [],
    settings: { features: 7, spec: 'rubbish' },
  } as const;
  expect(specOf(config)).toMatchObject({ name: 'web', vcpus: 1, cpuFeatures: [], labels: {}, restart: 'RESTART_POLICY_ALWAYS' });
});

test('a format that does not show in the name is refused: VMMs go by the name', () => {
  expect(() => configOf({ ...spec, disks: [{ ...spec.disks[0], file: 'root' }] })).toThrow(/name it root\.qcow2/);
  expect(() => configOf({ ...spec, disks: [{ ...spec.disks[0], format: 'raw' }] })).toThrow(/without \.qcow2/);
});

test('many VMs are told of in parts', () => {
  const report = {
    datastoreId: 'd',
    where: '/d',
    name: 'd',
    reachable: true,
    line: '',
    totalBytes: 1,
    freeBytes: 1,
    vms: [],
    vmsListed: false,
    vmsMore: false,
  };
  const vms = Array.from({ length: 401 }, (_, i) => ({ folder: `${i}`, suspended: false, line: '' }));
  expect(inParts(report, vms).map((part) => [part.vms.length, part.vmsListed, part.vmsMore])).toEqual([
    [200, true, true],
    [200, true, true],
    [1, true, false],
  ]);
  expect(inParts(report, [])).toMatchObject([{ vmsListed: true, vmsMore: false }]);
});

test('what is to be seen of a VM on its way here', () => {
  const about = { vmId: 'v', migrationId: 'm' };
  const status = {
    vm: { vmId: 'v', name: 'n', state: 'VM_STATE_INCOMING' },
    pauses: [],
    line: '',
    hostId: '',
    hostName: '',
    vmmId: '',
    pid: 1,
    startedAtMs: 0,
    leaseEpoch: 0,
    migrationId: '',
    migrationAddress: '',
    ended: '',
  };
  expect(targetReport({ ...about, migrationId: '' }, status)).toBeUndefined();
  expect(targetReport(about, status)).toMatchObject({ targetPhase: 'waiting', targetOutcome: '' });
  expect(targetReport(about, { ...status, migrationId: 'm' })).toMatchObject({ targetPhase: 'receiving' });
  expect(targetReport(about, { ...status, vm: { ...status.vm, state: 'VM_STATE_PAUSED' }, leaseEpoch: 4 })).toMatchObject({
    targetPhase: 'ended',
    targetOutcome: 'runs',
  });
  expect(targetReport(about, { ...status, ended: 'not-come' })).toMatchObject({ targetOutcome: 'discarded' });
  // It died on the way: the lease decides where the VM is.
  expect(targetReport(about, { ...status, ended: 'error' })).toMatchObject({ targetOutcome: 'lost' });
});

test('a saved state is looked for where VMMs write it', () => expect(SUSPENDED_STATE).toBe(OF_THE_VMM));
