/**
 * What an agent that starts does with an entry of its `vms` folder. Pure. Nothing is removed, and no end is
 * reported, unless the process is provably gone: a folder that cannot be judged is left alone and named in the log.
 */
export interface Found {
  /** The entry's name is a UUID, and it is a folder. */
  readonly ours: boolean;
  readonly about: boolean;
  /** The process whose number, start time and boot are in `pid`, or that has this folder's configuration among its arguments, lives. */
  readonly alive: boolean;
  /** Somebody serves the control socket. */
  readonly answers: boolean;
  readonly ended: boolean;
}

export type Decision =
  /** A VMM at work: watch it. */
  | 'adopt'
  /** It ended by itself while no agent looked: tell how. */
  | 'ended'
  /** It died, or was killed. */
  | 'died'
  /** The last agent died before it had started anything. */
  | 'remove'
  /** Not made by an agent, or not to be understood. */
  | 'leave';

export function decide({ ours, about, alive, answers, ended }: Found): Decision {
  if (!ours) return 'leave';
  // A process is there: without about.json it is still a VMM, which says itself what it runs.
  if (alive || answers) return 'adopt';
  if (!about) return ended ? 'leave' : 'remove';
  return ended ? 'ended' : 'died';
}
