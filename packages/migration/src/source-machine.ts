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
import { afterRound, holdsAtPause, needs, retreat, startConvergence } from './convergence';
import { HANDOVER_TIMEOUT_MS, LEASE_READ_MS, PROGRESS_TIMEOUT_MS, RESERVE_TIMEOUT_MS, SWITCHOVER_TIMEOUT_MS } from './limits';
import { SOURCE_PHASES, type SourcePhase } from './phases';
import type { LeaseAnswer } from './ports';
import { agreeVersion, PROTOCOL, type TargetMessage } from './protocol';
import { pauseMs } from './rates';
import { roundRecord } from './source-record';
import type { SourceCommand, SourceEvent, SourceSetup, SourceState, SourceStep } from './source-state';
import { addCounts, keepRound, zeroCounts } from './statistics';

type EventOf<T extends SourceEvent['type']> = Extract<SourceEvent, { type: T }>;
type Handler<E> = (state: SourceState, event: E) => SourceStep;
type Events = { readonly [T in SourceEvent['type']]?: Handler<EventOf<T>> };
type Messages = { readonly [T in TargetMessage['type']]?: (state: SourceState, message: Extract<TargetMessage, { type: T }>, at: number) => SourceStep };

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
  closed: (state, { why, at }) => (beforeCommit(state) ? recover(state, at, 'failed', `the connection to the target is gone: ${why}`) : stay(state)),
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
    roundBegun: (state, { round, pages, at }) => (round !== state.round ? stay(state) : round === 0 ? sendRound(state, at, pages) : decide(state, at, pages)),
    roundSent: (state, { round, pages, pacedMs, at }) =>
      round !== state.round ? stay(state) : stay({ ...state, roundPages: pages, pacedMs, deadline: at + PROGRESS_TIMEOUT_MS, marks: { ...state.marks, roundSent: at } }),
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
    tick: (state, { at }) => (at < state.deadline ? stay(state) : discard(state, 'the VM belongs to the target, which has not said yet that the VM runs')),
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
      if (round !== state.round || state.marks.roundSent === undefined) return recover(state, at, 'failed', `the target confirms round ${round}, which it was not sent`);
      return stay({ ...state, round: round + 1, marks: { ...state.marks, received: at } }, { do: 'beginRound', round: round + 1 });
    },
  },
  pausing: {},
  final: {
    ready: (state, _message, at) => {
      if (!state.finalSent || !state.stateSaved) return recover(state, at, 'failed', 'the target says it is ready before all was sent');
      const next: SourceState = { ...state, phase: 'committing', deadline: Infinity, vmIs: 'unknown', marks: { ...state.marks, ready: at } };
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
  const handler = MESSAGES[state.phase][message.type] as ((state: SourceState, message: TargetMessage, at: number) => SourceStep) | undefined;
  if (handler) return handler(state, message, at);
  if (!beforeCommit(state)) return stay(state);
  if (message.type === 'cancel') return recover(state, at, 'failed', `the target gave up: ${message.why}`);
  return recover(state, at, 'failed', `the target said '${message.type}' out of turn`);
}

function sendRound(state: SourceState, at: number, pages: number): SourceStep {
  const { roundSent: _sent, received: _received, ...marks } = state.marks;
  const next = { ...state, roundPages: pages, wireBefore: state.counts.wireBytes, deadline: at + PROGRESS_TIMEOUT_MS, marks: { ...marks, roundBegun: at } };
  return stay(next, { do: 'sendRound', round: state.round, final: false });
}

/** A round is over, and the log says what it left. */
function decide(state: SourceState, at: number, left: number): SourceStep {
  const { roundBegun = at, roundSent = at, received = at, precopy = at } = state.marks;
  const measure = {
    round: state.round - 1,
    durationMs: received - roundBegun,
    pacedMs: state.pacedMs,
    echoMs: received - roundSent,
    pages: state.roundPages,
    loggedMs: at - roundBegun,
    leftPages: left,
  };
  const { next: convergence, decision } = afterRound(state.convergence, measure, state.settings, at - precopy);
  const does = state.forced && decision.do !== 'switch' ? 'switch' : decision.do;
  const why = state.forced ? `ordered: ${needs(pauseMs(convergence.rates, left), state.settings)}` : decision.why;
  const kept = roundRecord(state, measure, convergence, does);
  const next: SourceState = {
    ...state,
    convergence,
    line: why,
    rounds: keepRound(state.rounds, kept),
    roundCount: state.roundCount + 1,
    stallCount: state.stallCount + (decision.stalled ? 1 : 0),
  };
  const told = trace(decision.stalled ? 'stalled' : 'round', `round ${measure.round}: ${left} pages left, ${why}`);
  if (does === 'abort') return withFirst(recover(next, at, 'failed', why), told);
  if (does === 'switch') return withFirst(pause(next, at), told);
  const onwards = sendRound(next, at, left);
  if (decision.do !== 'throttle') return withFirst(onwards, told);
  return withFirst(onwards, told, { do: 'throttle', percent: decision.percent });
}

function pause(state: SourceState, at: number): SourceStep {
  const predicted = pauseMs(state.convergence.rates, state.convergence.lastPages);
  const { paused: _paused, ...marks } = state.marks;
  const next: SourceState = {
    ...state,
    phase: 'pausing',
    predictedPauseMs: predicted,
    deadline: at + Math.max(SWITCHOVER_TIMEOUT_MS, 3 * predicted),
    marks: { ...marks, pause: at },
  };
  return stay(
    next,
    { do: 'announceLease', target: state.target },
    { do: 'send', message: { type: 'pausing', round: state.round } },
    { do: 'pauseVm' },
  );
}

/** The VM stands, and what is left is counted for good. */
function standing(state: SourceState, at: number, pages: number): SourceStep {
  if (!holdsAtPause(state.convergence, pages, state.settings, state.forced)) {
    const line = `taken back: with ${pages} pages left it ${needs(pauseMs(state.convergence.rates, pages), state.settings)}`;
    const { pause: _pause, paused: _paused, ...marks } = state.marks;
    const back = sendRound({ ...state, phase: 'precopy', convergence: retreat(state.convergence, pages), line, marks }, at, pages);
    return withFirst(back, trace('retreat', line), { do: 'resumeVm' });
  }
  const next: SourceState = { ...state, phase: 'final', finalSent: false, stateSaved: false };
  return stay(next, { do: 'sendRound', round: state.round, final: true }, { do: 'saveState' });
}

const sendState = (state: SourceState): SourceStep =>
  state.finalSent && state.stateSaved ? stay(state, { do: 'sendState', userPaused: state.userPaused }) : stay(state);

function leaseAnswered(state: SourceState, answer: LeaseAnswer, at: number): SourceStep {
  if (answer.is === 'unknown') {
    const line = `whether the VM belongs to the source or the target cannot be told yet (${answer.why}); it stays paused here until the lease can be read`;
    const told = state.phase === 'uncertain' ? [] : [trace('uncertain', line)];
    return stay({ ...state, phase: 'uncertain', line }, ...told, { do: 'readLease', afterMs: LEASE_READ_MS });
  }
  if (answer.is === 'kept') {
    if (state.vmEnded !== null) return recover(state, at, 'cancelled', `the VM has ended: ${state.vmEnded}`);
    if (state.cancelWhy !== null) return recover(state, at, 'cancelled', `cancelled: ${state.cancelWhy}`);
    return recover(state, at, 'failed', 'the lease could not be passed on');
  }
  if (answer.is === 'lost') return recover(state, at, 'lost', `the VM belongs to ${answer.owner} now: the copy here must not run`);
  const next: SourceState = { ...state, phase: 'handover', vmIs: 'target', deadline: at + HANDOVER_TIMEOUT_MS, marks: { ...state.marks, passed: at } };
  if (state.marks.running !== undefined) return discard(next, '');
  return stay(next, { do: 'send', message: { type: 'committed', epoch: answer.epoch } });
}

/** The VM goes on here, unless it has ended or belongs to somebody else. */
function recover(state: SourceState, at: number, outcome: 'cancelled' | 'failed' | 'lost', line: string): SourceStep {
  const resume = outcome !== 'lost' && state.vmEnded === null;
  const vmIs = outcome === 'lost' ? 'elsewhere' : state.vmEnded === null ? 'source' : 'nowhere';
  const next: SourceState = { ...state, phase: 'recovering', deadline: Infinity, outcome, line, vmIs, marks: { ...state.marks, ended: at } };
  return stay(
    next,
    { do: 'recover', resume },
    { do: 'announceLease', target: null },
    { do: 'send', message: { type: 'cancel', why: line.slice(0, 1000) } },
  );
}

function discard(state: SourceState, line: string): SourceStep {
  const completed = line || `the VM runs on ${state.target!.hostName}`;
  return stay({ ...state, phase: 'discarding', deadline: Infinity, outcome: 'completed', line: completed }, { do: 'discardVm' });
}

function end(state: SourceState, at: number): SourceStep {
  return stay({ ...state, phase: 'ended', marks: { ...state.marks, ended: at } }, trace('ended', state.line), { do: 'close' });
}

const trace = (name: string, line: string): SourceCommand => ({ do: 'trace', name, line });
const stay = (state: SourceState, ...commands: SourceCommand[]): SourceStep => ({ state, commands });
const withFirst = ({ state, commands }: SourceStep, ...first: SourceCommand[]): SourceStep => ({ state, commands: [...first, ...commands] });
