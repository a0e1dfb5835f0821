/**
 * Whether a VM can move to a host: every blocker, each one line for people. Pure.
 *
 * A *live* move carries the vCPU's state along, a *resume* a saved one: both need each CPU
 * feature that the guest was given. A *cold* start begins anew: the guest asks CPUID again, so
 * the CPU may differ. A blocker says which moves it stands in the way of.
 */
import type { HostFacts, Versions, VmFacts } from './facts';
import { MAX_CLOCK_DIFFERENCE_MS } from './limits';
import { agreeVersion, PROTOCOL } from './protocol';

export type Move = 'live' | 'resume' | 'cold';

export type BlockerCode =
  | 'cpu-vendor'
  | 'cpu-features'
  | 'cpu-count'
  | 'state-area'
  | 'memory'
  | 'protocol'
  | 'machine-version'
  | 'datastore'
  | 'network'
  | 'local-device'
  | 'clock'
  | 'maintenance'
  | 'state';

export interface Blocker {
  readonly code: BlockerCode;
  readonly message: string;
}

export interface HostReport {
  readonly hostId: string;
  readonly name: string;
  /** Of the move asked for; none: it can go there. */
  readonly blockers: readonly Blocker[];
  /** Of the other moves: what could be done instead, one line each. */
  readonly instead: readonly string[];
  readonly features: FeatureReport;
}

/** What the guest was given beside what it has used and what is missing there. */
export interface FeatureReport {
  readonly given: readonly string[];
  /** Null: not counted. */
  readonly used: readonly string[] | null;
  readonly missing: readonly string[];
  /** Missing and really used. Null: not counted. */
  readonly missingUsed: readonly string[] | null;
}

interface Case {
  readonly vm: VmFacts;
  readonly host: HostFacts;
  /** Wall clock of whoever asks, when `host` was read. */
  readonly wallClockMs: number;
  /** What the source speaks. */
  readonly protocol: Versions;
}

interface Rule {
  readonly code: BlockerCode;
  readonly moves: readonly Move[];
  /** One line for each thing in the way. */
  find(given: Case): readonly string[];
}

/** The move that a VM makes when it is migrated as it is. */
export const moveOf = ({ state }: VmFacts): Move => (state === 'stopped' ? 'cold' : state === 'suspended' ? 'resume' : 'live');

/** Each candidate with everything that stands against it. */
export function checkHosts(vm: VmFacts, hosts: readonly HostFacts[], wallClockMs: number, move: Move = moveOf(vm)): HostReport[] {
  return hosts.map((host) => checkHost(vm, host, wallClockMs, move));
}

export function checkHost(
  vm: VmFacts,
  host: HostFacts,
  wallClockMs: number,
  move: Move = moveOf(vm),
  protocol: Versions = PROTOCOL,
): HostReport {
  const given: Case = { vm, host, wallClockMs, protocol };
  const blockers = blockersOf(given, move);
  const instead =
    blockers.length === 0
      ? []
      : MOVES.filter((other) => other !== move && MAY_INSTEAD[move].includes(other) && blockersOf(given, other).length === 0).map((other) =>
          INSTEAD[other](vm, host),
        );
  const missing = lacking(vm.cpu.features, host.cpu.features);
  const missingUsed = vm.usedFeatures && missing.filter((name) => vm.usedFeatures!.includes(name));
  return {
    hostId: host.hostId,
    name: host.name,
    blockers,
    instead,
    features: { given: vm.cpu.features, used: vm.usedFeatures, missing, missingUsed },
  };
}

function blockersOf(given: Case, move: Move): Blocker[] {
  return RULES.filter((rule) => rule.moves.includes(move)).flatMap((rule) =>
    rule.find(given).map((message) => ({ code: rule.code, message })),
  );
}

const MOVES: readonly Move[] = ['live', 'resume', 'cold'];
const MAY_INSTEAD: Readonly<Record<Move, readonly Move[]>> = { live: ['resume', 'cold'], resume: ['cold'], cold: [] };
const INSTEAD: Readonly<Record<Move, (vm: VmFacts, host: HostFacts) => string>> = {
  live: (vm, host) => `${vm.name} can move to ${host.name} as it runs`,
  resume: (vm, host) => `${vm.name} can be suspended here and resumed on ${host.name}`,
  cold: (vm, host) => `${vm.name} can be stopped and started anew on ${host.name}: its guest then finds that host's CPU`,
};

const lacking = (wanted: readonly string[], there: readonly string[]): string[] => {
  const have = new Set(there);
  return wanted.filter((name) => !have.has(name));
};

const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
const ALL: readonly Move[] = MOVES;
/** Moves on which the vCPU's state goes along. */
const WARM: readonly Move[] = ['live', 'resume'];

const RULES: readonly Rule[] = [
  {
    code: 'maintenance',
    moves: ALL,
    find: ({ host }) => (host.maintenance ? [`${host.name} is in maintenance: end it, or choose another host`] : []),
  },
  {
    code: 'state',
    moves: ['live'],
    find: ({ vm }) =>
      vm.state === 'running' || vm.state === 'paused' ? [] : [`${vm.name} is ${vm.state}: only a running or paused VM moves live`],
  },
  {
    code: 'cpu-vendor',
    moves: WARM,
    find: ({ vm, host }) =>
      vm.cpu.vendor === host.cpu.vendor ? [] : [`${vm.name} runs on a CPU of ${vm.cpu.vendor}, ${host.name} has one of ${host.cpu.vendor}`],
  },
  { code: 'cpu-features', moves: WARM, find: missingFeatures },
  {
    code: 'cpu-count',
    moves: ALL,
    find: ({ vm, host }) => (vm.vcpus <= host.cpus ? [] : [`${vm.name} has ${vm.vcpus} vCPUs, ${host.name} has ${host.cpus} CPUs`]),
  },
  {
    code: 'state-area',
    moves: WARM,
    find: ({ vm, host }) =>
      vm.cpu.xsaveBytes <= host.cpu.xsaveBytes
        ? []
        : [`the vCPU's extended state takes ${vm.cpu.xsaveBytes} bytes (XSAVE), ${host.name} holds ${host.cpu.xsaveBytes}`],
  },
  {
    code: 'memory',
    moves: ALL,
    find: ({ vm, host }) =>
      vm.memoryBytes <= host.freeMemoryBytes
        ? []
        : [`${vm.name} needs ${mib(vm.memoryBytes)} of memory, ${host.name} has ${mib(host.freeMemoryBytes)} free`],
  },
  {
    code: 'protocol',
    moves: ['live'],
    find: ({ host, protocol }) =>
      agreeVersion(protocol, host.protocol) !== undefined
        ? []
        : [`${host.name} speaks migration protocol ${range(host.protocol)}, this host ${range(protocol)}: update the older one`],
  },
  {
    code: 'machine-version',
    moves: WARM,
    find: ({ vm, host }) =>
      vm.machineVersion >= host.machineVersions.oldest && vm.machineVersion <= host.machineVersions.newest
        ? []
        : [
            `${vm.name} is a machine of version ${vm.machineVersion}, ${host.name} runs version ${range(host.machineVersions)}: update ${host.name}`,
          ],
  },
  {
    code: 'datastore',
    moves: ALL,
    find: ({ vm, host }) =>
      lacking(vm.datastores, host.datastores).map(
        (name) => `${host.name} does not see the datastore ${name}, where disks of ${vm.name} lie`,
      ),
  },
  {
    code: 'network',
    moves: ALL,
    find: ({ vm, host }) =>
      lacking(vm.networks, host.networks).map((name) => `${host.name} has no network ${name}, which ${vm.name} is plugged into`),
  },
  {
    code: 'local-device',
    moves: ALL,
    find: ({ vm }) =>
      vm.localDevices.map(
        ({ kind, name }) =>
          `${vm.name} uses ${kind === 'media' ? 'a disk image' : `the ${kind} device`} ${name} of its host: detach it first`,
      ),
  },
  {
    code: 'clock',
    moves: ALL,
    find: ({ host, wallClockMs }) => {
      const apart = Math.abs(host.wallClockMs - wallClockMs);
      return apart <= MAX_CLOCK_DIFFERENCE_MS ? [] : [`the clock of ${host.name} differs by ${(apart / 1000).toFixed(1)} s: set it (NTP)`];
    },
  },
];

const range = ({ oldest, newest }: { oldest: number; newest: number }): string =>
  oldest === newest ? String(newest) : `${oldest} to ${newest}`;

function missingFeatures({ vm, host }: Case): string[] {
  const missing = lacking(vm.cpu.features, host.cpu.features);
  if (missing.length === 0) return [];
  const used = vm.usedFeatures && missing.filter((name) => vm.usedFeatures!.includes(name));
  const note = !used ? '' : used.length === 0 ? ' (none of them used so far)' : ` (used so far: ${used.join(', ')})`;
  return [`the CPU of ${host.name} lacks what ${vm.name} was given: ${missing.join(', ')}${note}`];
}
