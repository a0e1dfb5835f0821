/**
 * The phases of both ends, one row each: where the VM is meanwhile, what a cancel does,
 * and what is left if this end's process dies there. The tests go through these tables:
 * a phase without its cancel and its kill case fails them.
 */

export interface PhaseFacts {
  /** Where the VM runs, or is paused by its user; 'paused': it stands still at the source, for the switch; 'lease': whoever the record names. */
  readonly vm: 'source' | 'paused' | 'lease' | 'target' | 'decided';
  /** 'stops': the migration ends, the VM goes on at the source. 'noted': the lease decides. 'late': it has ended, or is ending already. */
  readonly cancel: 'stops' | 'noted' | 'late';
  /** This end is killed. 'unharmed': the VM goes on. 'crashed': the VM is lost as with any crash of its host, and the lease lets others restart it. */
  readonly kill: 'unharmed' | 'crashed' | 'lease';
  readonly doc: string;
}

export const SOURCE_PHASES = {
  checking: { vm: 'source', cancel: 'stops', kill: 'crashed', doc: 'the target compares the offer with its host' },
  reserving: { vm: 'source', cancel: 'stops', kill: 'crashed', doc: 'the target takes memory, disks, ports' },
  precopy: { vm: 'source', cancel: 'stops', kill: 'crashed', doc: 'rounds of pages, the guest runs' },
  pausing: { vm: 'paused', cancel: 'stops', kill: 'crashed', doc: 'the vCPU is being stopped, the last dirty log read' },
  final: { vm: 'paused', cancel: 'stops', kill: 'crashed', doc: 'last pages, machine state, the word of the target' },
  committing: { vm: 'lease', cancel: 'noted', kill: 'lease', doc: 'the lease is being written' },
  uncertain: { vm: 'lease', cancel: 'noted', kill: 'lease', doc: 'it cannot be told whether the write happened: read until known' },
  handover: { vm: 'target', cancel: 'late', kill: 'unharmed', doc: 'the target is the VM; waiting for its word' },
  recovering: { vm: 'decided', cancel: 'late', kill: 'crashed', doc: 'dirty log off, throttle off, the guest goes on' },
  discarding: { vm: 'target', cancel: 'late', kill: 'unharmed', doc: 'the copy here is being thrown away' },
  ended: { vm: 'decided', cancel: 'late', kill: 'crashed', doc: 'over' },
} as const satisfies Record<string, PhaseFacts>;

export const TARGET_PHASES = {
  waiting: { vm: 'source', cancel: 'stops', kill: 'unharmed', doc: 'for the offer' },
  checking: { vm: 'source', cancel: 'stops', kill: 'unharmed', doc: 'the offer is compared with this host' },
  agreed: { vm: 'source', cancel: 'stops', kill: 'unharmed', doc: 'no blocker; the source is to say reserve' },
  reserving: { vm: 'source', cancel: 'stops', kill: 'unharmed', doc: 'memory, disks, ports are being taken' },
  receiving: { vm: 'source', cancel: 'stops', kill: 'unharmed', doc: 'pages, state, and at last the sums' },
  restoring: { vm: 'paused', cancel: 'stops', kill: 'unharmed', doc: 'all is there and checks out; the state is being taken over' },
  awaiting: { vm: 'lease', cancel: 'noted', kill: 'lease', doc: 'said ready: the lease decides, whatever becomes of the connection' },
  starting: { vm: 'target', cancel: 'late', kill: 'crashed', doc: 'the lease is ours: the VM is being started' },
  announcing: { vm: 'target', cancel: 'late', kill: 'crashed', doc: 'the VM runs; the network is told' },
  discarding: { vm: 'decided', cancel: 'late', kill: 'unharmed', doc: 'what was reserved is given back' },
  ended: { vm: 'decided', cancel: 'late', kill: 'lease', doc: 'over' },
} as const satisfies Record<string, PhaseFacts>;

export type SourcePhase = keyof typeof SOURCE_PHASES;
export type TargetPhase = keyof typeof TARGET_PHASES;
