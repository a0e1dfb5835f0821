/** What operators may set, with defaults and the reason for each. */

export interface Settings {
  /** spread: even load. pack: few hosts, so that others can be switched off. */
  readonly strategy: 'spread' | 'pack';
  /** Memory that a host keeps for itself, bytes. */
  readonly hostReserveBytes: number;
  readonly overcommit: {
    /** All VMs' whole memory to the host's: above 1 only VMs with a smaller reservation use it. */
    readonly memory: number;
    /** vCPUs to CPUs. */
    readonly cpu: number;
  };
  /** Hosts whose failure the others' memory must be able to bear; 0: not looked at. */
  readonly hostFailures: number;
  readonly weights: Weights;
  readonly moves: MoveLimits;
  readonly balance: BalanceSettings;
}

/** How much each part of a score counts beside the others; 0: not at all. */
export interface Weights {
  readonly memory: number;
  readonly cpu: number;
  readonly pressure: number;
  readonly warm: number;
  readonly mobility: number;
  readonly traffic: number;
  readonly moveTime: number;
}

export interface MoveLimits {
  readonly outPerHost: number;
  readonly inPerHost: number;
  readonly inCluster: number;
  /** Of a link's rate that migrations may take, 0 to 1. */
  readonly linkShare: number;
  /** A move waits rather than push any move's share of a link below this, bytes a second. */
  readonly leastBytesPerSecond: number;
  /** Rate taken for estimates where no link is known, bytes a second. */
  readonly assumedBytesPerSecond: number;
  /** A move that has waited so long counts one priority higher, ms. */
  readonly agingMs: number;
}

export interface BalanceSettings {
  /** Load above the cluster's mean, 0 to 1, from which on a host is relieved, and down to which. */
  readonly startAbove: number;
  readonly stopBelow: number;
  /** A host must be loaded by so much more, *after* a VM has left, than the target was before: else the move is not worth it. */
  readonly margin: number;
  /** How long a move is expected to pay, ms: one that takes a tenth of it needs a tenth more margin. */
  readonly horizonMs: number;
  readonly vmCoolDownMs: number;
  readonly hostCoolDownMs: number;
  /** Moves of one plan. */
  readonly maxMoves: number;
}

export const DEFAULT_SETTINGS: Settings = {
  strategy: 'spread',
  // The kernel, the agent, and each VM process's own memory beyond the guest's.
  hostReserveBytes: 1024 ** 3,
  // 1: no guest is promised memory that might have to be swapped. 8 vCPUs a CPU: most guests idle most of the time.
  overcommit: { memory: 1, cpu: 8 },
  hostFailures: 0,
  // Memory and CPU decide; the rest breaks ties between hosts that are nearly alike.
  weights: { memory: 4, cpu: 4, pressure: 2, warm: 1, mobility: 2, traffic: 1, moveTime: 1 },
  moves: {
    // One fills a 10 Gbit/s link almost; a second keeps it busy while the first pauses.
    outPerHost: 2,
    inPerHost: 2,
    inCluster: 64,
    linkShare: 0.75,
    // A 1 Gbit/s card's share for two: below this, busy guests no longer converge.
    leastBytesPerSecond: 40e6,
    // 1 Gbit/s less what headers take.
    assumedBytesPerSecond: 110e6,
    agingMs: 5 * 60_000,
  },
  balance: {
    startAbove: 0.15,
    stopBelow: 0.08,
    // Twice the noise of a load that is smoothed over a minute.
    margin: 0.04,
    horizonMs: 60 * 60_000,
    vmCoolDownMs: 10 * 60_000,
    hostCoolDownMs: 2 * 60_000,
    maxMoves: 16,
  },
};

const inRange =
  (low: number, high: number) =>
  (value: number): boolean =>
    Number.isFinite(value) && value >= low && value <= high;
const COUNT = inRange(1, 1e6);
const SHARE = inRange(0, 1);
const AMOUNT = inRange(0, Number.MAX_SAFE_INTEGER);

/** [what it is called in messages, value, whether it will do, what will do] */
type Check = readonly [string, number, (value: number) => boolean, string];

/** What is wrong with the settings, one line each; none: nothing. */
export function checkSettings({ hostReserveBytes, overcommit, hostFailures, weights, moves, balance }: Settings): string[] {
  const checks: Check[] = [
    ['hostReserveBytes', hostReserveBytes, AMOUNT, '0 or more'],
    ['overcommit.memory', overcommit.memory, inRange(1, 16), '1 to 16'],
    ['overcommit.cpu', overcommit.cpu, inRange(1, 64), '1 to 64'],
    ['hostFailures', hostFailures, (value) => Number.isInteger(value) && value >= 0, 'a whole number, 0 or more'],
    ...Object.entries(weights).map(([name, value]): Check => [`weights.${name}`, value, inRange(0, 1000), '0 to 1000']),
    ['moves.outPerHost', moves.outPerHost, COUNT, '1 or more'],
    ['moves.inPerHost', moves.inPerHost, COUNT, '1 or more'],
    ['moves.inCluster', moves.inCluster, COUNT, '1 or more'],
    ['moves.linkShare', moves.linkShare, inRange(0.01, 1), '0.01 to 1'],
    ['moves.leastBytesPerSecond', moves.leastBytesPerSecond, AMOUNT, '0 or more'],
    ['moves.assumedBytesPerSecond', moves.assumedBytesPerSecond, inRange(1, 1e15), '1 or more'],
    ['moves.agingMs', moves.agingMs, inRange(1, 1e12), '1 or more'],
    ['balance.startAbove', balance.startAbove, SHARE, '0 to 1'],
    ['balance.stopBelow', balance.stopBelow, inRange(0, balance.startAbove), '0 to startAbove'],
    // Without a margin two hosts could hand one VM to and fro.
    ['balance.margin', balance.margin, inRange(0.001, 1), '0.001 to 1'],
    ['balance.horizonMs', balance.horizonMs, inRange(1, 1e12), '1 or more'],
    ['balance.vmCoolDownMs', balance.vmCoolDownMs, AMOUNT, '0 or more'],
    ['balance.hostCoolDownMs', balance.hostCoolDownMs, AMOUNT, '0 or more'],
    ['balance.maxMoves', balance.maxMoves, COUNT, '1 or more'],
  ];
  return checks.filter(([, value, fits]) => !fits(value)).map(([name, value, , range]) => `the setting ${name} is ${value}: give ${range}`);
}
