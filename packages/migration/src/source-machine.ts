/**
 * The source of a migration: (state, event) → (state, commands). No clock, no I/O.
 *
 *     checking ─answer─► reserving ─reserved─► precopy ◄──── retreat ───┐
 *                                      round ↻ │ switch                 │
 *                                              ▼                        │
 *                                           pausing ─paused, log read───┤
 *                                              │ holds the budget
 *                                              ▼
 *                                            final: pages, state, sums ─ready─► committing
 *                                                                                │  │ unknown
 *        any of the above: cancel, failure,                          passed ┌────┤  ▼
 *        closed, too late, VM ended                                         │    │ uncertain ↻ read
 *               │                                       kept ┌──────────────┼────┘  │
 *               ▼                                            ▼              ▼       │
 *          recovering ◄──────────────────────────────────────┘◄── lost   handover ◄─┘ passed
 *               │ log, throttle off; the guest goes on                      │ running, closed, too late
 *               ▼                                                           ▼
 *             ended ◄───────────────────────────────────────────────── discarding
 *
 * Invariants:
 * 1. `passLease` is ordered once, after the target's `ready` with the same sums, the VM
 *    paused. Before that every way out leads over `recover` with the guest going on.
 * 2. From `passLease` on nothing but the lease's answer leads on: no time-out, cancel or
 *    closed connection. 'unknown' is read again until it is known, the VM paused.
 * 3. After 'passed' nothing resumes the VM here.
 */
import { startConvergence } from './convergence';
import { PROGRESS_TIMEOUT_MS, RESERVE_TIMEOUT_MS } from './limits';
import { SOURCE_PHASES, type SourcePhase } from './phases';
import { agreeVersion, PROTOCOL, type TargetMessage } from './protocol';
import type { SourceEvent, SourceSetup, SourceState, SourceStep } from './source-state';
import { decide, discard, end, leaseAnswered, recover, sendRound, sendState, standing, stay, trace } from './source-steps';
import { addCounts, zeroCounts } from './statistics';

type EventOf<T extends SourceEvent['type']> = Extract<SourceEvent, { type: T }>;
type Handler<E> = (state: SourceState, event: E) => SourceStep;
type Events = { readonly [T in SourceEvent['type']]?: Handler<EventOf<T>> };
type Messages = {
  readonly [T in TargetMessage['type']]?: (state: SourceState, message: Extract<TargetMessage, { type: T }>, at: number) => SourceStep;
};

export const startSource = (setup: SourceSetup): SourceState => ({
  setup,
  phase: 'checking',
  deadline: Infinity,
  settings: setup.settings,
  convergence: startConvergence(setup.knownParts),
  target: null,
  round: 0,
  roundPages: 0,
  pacedMs: 0,
  wireBefore: 0,
  marks: {},
  finalSent: false,
  stateSaved: false,
  userPaused: false,
  forced: false,
  cancelWhy: null,
  vmEnded: null,
  vmIs: 'source',
  outcome: null,
  line: '',
  counts: zeroCounts(),
  rounds: [],
  roundCount: 0,
  stallCount: 0,
  predictedPauseMs: null,
});

export function sourceStep(state: SourceState, event: SourceEvent): SourceStep {
  if (event.type === 'message') return onMessage(state, event.message, event.at);
  const handler = (EVENTS[state.phase][event.type] ?? ALWAYS[event.type]) as Handler<SourceEvent> | undefined;
  return handler ? handler(state, event) : stay(state);
}

// ── what is the same in every phase ────────────────────────────────────────

const cancelStops = SOURCE_PHASES_WHERE('stops');

function SOURCE_PHASES_WHERE(cancel: 'stops' | 'noted'): ReadonlySet<SourcePhase> {
  return new Set((Object.keys(SOURCE_PHASES) as SourcePhase[]).filter((phase) => SOURCE_PHASES[phase].cancel === cancel));
}

/** Before the commit the migration can still be given up. */
const beforeCommit = (state: SourceState): boolean => cancelStops.has(state.phase);

const ALWAYS: Events = {
  progress: (state, { counts, at }) => {
    const deadline = state.phase === 'precopy' ? at + PROGRESS_TIMEOUT_MS : state.deadline;
    return stay({ ...state, deadline, counts: addCounts(state.counts, counts) });
  },
  configure: (state, { settings }) => stay({ ...state, settings }),
  force: (state) => stay({ ...state, forced: true }),
  vmReset: (state) => stay(state, trace('guestReset', 'the guest was reset; the migration goes on')),
  cancel: (state, { why, at }) => {
    if (beforeCommit(state)) return recover(state, at, 'cancelled', `cancelled: ${why}`);
    const line = SOURCE_PHASES[state.phase].cancel === 'noted' ? 'the commit is under way: the lease decides' : 'too late to cancel';
    return stay({ ...state, cancelWhy: state.cancelWhy ?? why }, trace('cancelNoted', line));
  },
  failed: (state, { why, at }) => (beforeCommit(state) ? recover(state, at, 'failed', why) : stay(state)),
  closed: (state, { why, at }) =>
    beforeCommit(state) ? recover(state, at, 'failed', `the connection to the target is gone: ${why}`) : stay(state),
  vmEnded: (state, { why, at }) => {
    const next = { ...state, vmEnded: why };
    return beforeCommit(state) ? recover(next, at, 'cancelled', `the VM has ended: ${why}`) : stay(next);
  },
  tick: (state, { at }) => {
    if (at < state.deadline || !beforeCommit(state)) return stay(state);
    return recover(state, at, 'failed', LATE[state.phase] ?? 'it took too long');
  },
};

const LATE: { readonly [P in SourcePhase]?: string } = {
  checking: 'the target gave no answer to the offer',
  reserving: 'the target could not say in time whether it can hold the VM',
  precopy: 'the target takes no more pages',
  pausing: 'the vCPU could not be stopped in time',
  final: 'the target did not confirm in time that all has arrived',
};

// ── phase by phase ─────────────────────────────────────────────────────────

const EVENTS: Readonly<Record<SourcePhase, Events>> = {
  checking: {
    start: (state, { at }) => {
      const { migrationId, vm, config, owner, wallClockMs } = state.setup;
      const offer = { type: 'offer', protocol: PROTOCOL, migrationId, vm, config, source: owner, wallClockMs } as const;
      return stay({ ...state, deadline: at + RESERVE_TIMEOUT_MS, marks: { started: at } }, { do: 'send', message: offer });
    },
  },
  reserving: {},
  precopy: {
    roundBegun: (state, { round, pages, at }) =>
      round !== state.round ? stay(state) : round === 0 ? sendRound(state, at, pages) : decide(state, at, pages),
    roundSent: (state, { round, pages, pacedMs, at }) =>
      round !== state.round
        ? stay(state)
        : stay({ ...state, roundPages: pages, pacedMs, deadline: at + PROGRESS_TIMEOUT_MS, marks: { ...state.marks, roundSent: at } }),
  },
  pausing: {
    paused: (state, { at }) => stay({ ...state, marks: { ...state.marks, paused: at } }, { do: 'beginRound', round: state.round }),
    roundBegun: (state, { pages, at }) => (state.marks.paused === undefined ? stay(state) : standing(state, at, pages)),
  },
  final: {
    roundSent: (state, { at }) => sendState({ ...state, finalSent: true, marks: { ...state.marks, pagesSent: at } }),
    stateSaved: (state, { userPaused }) => sendState({ ...state, stateSaved: true, userPaused }),
  },
  committing: { lease: (state, { answer, at }) => leaseAnswered(state, answer, at) },
  uncertain: { lease: (state, { answer, at }) => leaseAnswered(state, answer, at) },
  handover: {
    closed: (state) => discard(state, 'the VM belongs to the target; the connection closed before it said that the VM runs'),
    tick: (state, { at }) =>
      at < state.deadline ? stay(state) : discard(state, 'the VM belongs to the target, which has not said yet that the VM runs'),
  },
  recovering: {
    recovered: (state, { error, at }) => {
      const line = error === undefined ? state.line : `${state.line} (and going on here met a fault: ${error})`;
      return end({ ...state, line }, at);
    },
  },
  discarding: { discarded: (state, { at }) => end(state, at) },
  ended: {},
};

const MESSAGES: Readonly<Record<SourcePhase, Messages>> = {
  checking: {
    answer: (state, { version, blockers }, at) => {
      if (blockers.length > 0) return recover(state, at, 'failed', `the target cannot take the VM: ${blockers.join('; ')}`);
      if (agreeVersion(PROTOCOL, { oldest: version, newest: version }) === undefined) {
        return recover(state, at, 'failed', `the target chose protocol version ${version}, which is not spoken here`);
      }
      return stay({ ...state, phase: 'reserving', deadline: at + RESERVE_TIMEOUT_MS }, { do: 'send', message: { type: 'reserve' } });
    },
  },
  reserving: {
    reserved: (state, { owner }, at) =>
      stay(
        { ...state, phase: 'precopy', target: owner, deadline: at + PROGRESS_TIMEOUT_MS, marks: { ...state.marks, precopy: at } },
        trace('precopy', `precopy to ${owner.hostName} begins`),
        { do: 'beginRound', round: 0 },
      ),
  },
  precopy: {
    received: (state, { round }, at) => {
      if (round !== state.round || state.marks.roundSent === undefined)
        return recover(state, at, 'failed', `the target confirms round ${round}, which it was not sent`);
      return stay({ ...state, round: round + 1, marks: { ...state.marks, received: at } }, { do: 'beginRound', round: round + 1 });
    },
  },
  pausing: {},
  final: {
    ready: (state, _message, at) => {
      if (!state.finalSent || !state.stateSaved) return recover(state, at, 'failed', 'the target says it is ready before all was sent');
      const next: SourceState = {
        ...state,
        phase: 'committing',
        deadline: Infinity,
        vmIs: 'unknown',
        marks: { ...state.marks, ready: at },
      };
      return stay(next, { do: 'passLease', target: state.target! });
    },
  },
  committing: { running: (state, _message, at) => stay({ ...state, marks: { ...state.marks, running: at } }) },
  uncertain: { running: (state, _message, at) => stay({ ...state, marks: { ...state.marks, running: at } }) },
  handover: { running: (state, _message, at) => discard({ ...state, marks: { ...state.marks, running: at } }, '') },
  recovering: {},
  discarding: {},
  ended: {},
};

function onMessage(state: SourceState, message: TargetMessage, at: number): SourceStep {
  const handler = MESSAGES[state.phase][message.type] as
    | ((state: SourceState, message: TargetMessage, at: number) => SourceStep)
    | undefined;
  if (handler) return handler(state, message, at);
  if (!beforeCommit(state)) return stay(state);
  if (message.type === 'cancel') return recover(state, at, 'failed', `the target gave up: ${message.why}`);
  return recover(state, at, 'failed', `the target said '${message.type}' out of turn`);
}
