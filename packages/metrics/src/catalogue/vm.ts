/** One VM beside its vCPU: devices, lease, pauses, process, and the migration it is in. */
import { agentCounter, agentGauge, agentHistogram, by, VM } from './row';
import { DIRECTIONS, DISK_REQUESTS, PAUSE_REASONS } from './values';

const DISK = { ...VM, disk: null } as const;
const NIC = { ...VM, nic: null } as const;
const NIC_DIRECTIONS = ['receive', 'transmit'] as const;

const ofDisk = (what: string) => by('kind', Object.fromEntries(DISK_REQUESTS.map((kind) => [kind, `disk#_${kind}_${what}`])));
const ofNic = (what: string) => by('direction', { receive: `nic#_rx_${what}`, transmit: `nic#_tx_${what}` });

export const VM_METRICS = {
  godwit_vm_info: agentGauge({
    unit: 'info',
    labels: { ...VM, vmm_id: null },
    help: "1 for each VM process on the host; the labels tell the process's UUID.",
  }),
  godwit_vm_running: agentGauge({ labels: VM, help: '1 while the guest runs here, 0 while it is paused, arrives, or has ended.' }),
  godwit_vm_silent: agentGauge({ labels: VM, help: "1 while the VM's process is there and does not answer its agent." }),
  godwit_vm_memory_bytes: agentGauge({ unit: 'bytes', labels: VM, help: 'Guest memory.' }),
  godwit_vm_vcpus: agentGauge({ labels: VM, help: 'Number of vCPUs that the guest has.' }),
  godwit_vm_counters_timestamp_seconds: agentGauge({
    unit: 'timestamp_seconds',
    labels: VM,
    help: "When the VM's process last pushed its counters; all its other series are as of then.",
  }),
  godwit_vm_process_cpu_seconds_total: agentCounter({
    unit: 'seconds',
    labels: { ...VM, mode: ['user', 'system'] },
    help: "CPU time of the VM's process with all its threads, as the host's kernel accounts it.",
  }),
  godwit_vm_process_resident_memory_bytes: agentGauge({
    unit: 'bytes',
    labels: VM,
    help: "Host memory that the VM's process has in use, guest memory included.",
  }),

  godwit_vm_paused: agentGauge({
    labels: { ...VM, reason: PAUSE_REASONS },
    help: '1 while the guest stands still for that reason; several may hold at once.',
  }),
  godwit_vm_pauses_total: agentCounter({
    labels: { ...VM, reason: PAUSE_REASONS },
    help: 'Times that the guest was brought to a stand for that reason.',
  }),
  godwit_vm_paused_seconds_total: agentCounter({
    unit: 'seconds',
    labels: { ...VM, reason: PAUSE_REASONS },
    help: 'Time that the guest stood still for that reason.',
  }),

  godwit_vm_lease_epoch: agentGauge({
    labels: VM,
    help: 'Epoch of the lease under which the VM runs here; grows with each change of owner.',
  }),
  godwit_vm_lease_age_seconds: agentGauge({
    unit: 'seconds',
    labels: VM,
    help: "Time since the heartbeat that the lease now rests on was issued; the VM is paused before it reaches the lease's length.",
    sources: [{ name: 'lease_age_seconds' }],
  }),
  godwit_vm_lease_renewal_failures_total: agentCounter({
    labels: VM,
    help: 'Heartbeats of the lease that the datastore did not take in time.',
    sources: [{ name: 'lease_renewal_failures' }],
  }),
  godwit_vm_lease_losses_total: agentCounter({
    labels: VM,
    help: "Times that the VM was found to be another host's: this copy of it ends.",
    sources: [{ name: 'lease_losses' }],
  }),
  godwit_lease_renewal_seconds: agentHistogram({
    unit: 'seconds',
    help: 'Time that the datastore took for a heartbeat of a lease, of all VMs on the host.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    sources: [{ name: 'lease_renewal_seconds' }],
  }),

  godwit_vm_disk_requests_total: agentCounter({
    labels: { ...DISK, kind: DISK_REQUESTS },
    help: 'Disk requests of the guest that have ended.',
    sources: ofDisk('requests'),
  }),
  godwit_vm_disk_request_seconds_total: agentCounter({
    unit: 'seconds',
    labels: { ...DISK, kind: DISK_REQUESTS },
    help: "Time from a disk request's submission to its end, added up; divided by the requests, the mean latency.",
    sources: ofDisk('seconds'),
  }),
  godwit_vm_disk_bytes_total: agentCounter({
    unit: 'bytes',
    labels: { ...DISK, direction: DIRECTIONS },
    help: 'Bytes that the guest read from and wrote to the disk.',
    sources: by('direction', { read: 'disk#_read_bytes', write: 'disk#_write_bytes' }),
  }),
  godwit_vm_disk_errors_total: agentCounter({
    labels: DISK,
    help: 'Disk requests that the guest was told had failed.',
    sources: [{ name: 'disk#_errors' }],
  }),
  godwit_vm_disk_held_requests: agentGauge({
    labels: DISK,
    help: 'Disk requests held until the datastore serves them again; the guest stands still meanwhile.',
    sources: [{ name: 'disk#_held' }],
  }),
  godwit_vm_network_frames_total: agentCounter({
    labels: { ...NIC, direction: NIC_DIRECTIONS },
    help: 'Ethernet frames to and from the guest.',
    sources: ofNic('frames'),
  }),
  godwit_vm_network_bytes_total: agentCounter({
    unit: 'bytes',
    labels: { ...NIC, direction: NIC_DIRECTIONS },
    help: 'Bytes of Ethernet frames to and from the guest.',
    sources: ofNic('bytes'),
  }),
  godwit_vm_network_dropped_frames_total: agentCounter({
    labels: { ...NIC, direction: NIC_DIRECTIONS },
    help: 'Frames dropped for want of room or because the network refused them.',
    sources: ofNic('dropped'),
  }),

  godwit_vm_migration_round: agentGauge({
    labels: VM,
    help: 'Round of precopy that the migration of the VM from here is in; no series while there is none.',
  }),
  godwit_vm_migration_remaining_bytes: agentGauge({
    unit: 'bytes',
    labels: VM,
    help: 'Guest memory that the target does not have yet, or has in an older version.',
  }),
  godwit_vm_migration_dirty_bytes_per_second: agentGauge({
    unit: 'bytes_per_second',
    labels: VM,
    help: 'Rate at which the guest dirties memory, as the last round measured it.',
  }),
  godwit_vm_migration_transfer_bytes_per_second: agentGauge({
    unit: 'bytes_per_second',
    labels: VM,
    help: 'Rate at which pages reach the target, as the last round measured it.',
  }),
  godwit_vm_migration_throttle_ratio: agentGauge({
    unit: 'ratio',
    labels: VM,
    help: 'Share of time that the vCPU is made to rest so that the migration converges.',
  }),
  godwit_vm_migration_expected_pause_seconds: agentGauge({
    unit: 'seconds',
    labels: VM,
    help: 'Pause that the guest would see if the VM were switched over now.',
  }),
} as const;
