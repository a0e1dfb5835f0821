/**
 * Faults at named points of a migration, for tests of what becomes of the VM:
 * `GODWIT_FAULT=source:final:kill` or `target:awaiting:stop,5` (5 ms after the phase began).
 * The points are the phases of packages/migration/src/phases.ts; `cancel` orders what an
 * operator would. Once in a process; not set: nothing.
 */
import process from 'node:process';
import { WireError } from '@godwit/wire';

type Act = (cancel: () => void) => void;
const ACTS: Readonly<Record<string, Act>> = {
  kill: () => process.kill(process.pid, 'SIGKILL'),
  stop: () => process.kill(process.pid, 'SIGSTOP'),
  cancel: (cancel) => cancel(),
};

/** Called when a phase begins; `cancel` gives the migration up. */
export type OnPhase = (end: 'source' | 'target', phase: string, cancel: () => void) => void;

/** @throws WireError for a value that is none */
export function faultPoints(value = process.env.GODWIT_FAULT): OnPhase {
  if (value === undefined || value === '') return () => {};
  const [, end, phase, what, delay = '0'] = /^(source|target):([a-z]+):(kill|stop|cancel)(?:,(\d+))?$/.exec(value) ?? [];
  if (end === undefined) throw new WireError('invalid', `GODWIT_FAULT is END:PHASE:kill, stop or cancel, perhaps with ,MILLISECONDS, not '${value}'`);
  let fired = false;
  return (where, now, cancel) => {
    if (fired || where !== end || now !== phase) return;
    fired = true;
    // A cancel comes from outside, never in the midst of a step.
    if (delay === '0' && what !== 'cancel') ACTS[what](cancel);
    else setTimeout(() => ACTS[what](cancel), Number(delay));
  };
}
