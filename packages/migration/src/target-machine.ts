/**
 * The target of a migration: (state, event) → (state, commands). No clock, no I/O.
 *
 *     waiting ─offer─► checking ─no blocker─► agreed ─reserve─► reserving ─► receiving ◄─┐
 *                                                                  pages, rounds │  ↻    │
 *                                              pausing: the lease is watched ────┼───────┘
 *                                                                                │ end: sums agree
 *     any of these: cancel, failure,                                             ▼
 *     closed, silence                                                        restoring
 *            │                                                                   │ said ready
 *            ▼                       refused; or the source says cancel          ▼
 *        discarding ◄───────────────────────────────────────────────────────── awaiting
 *            │                                                                   │ acquired
 *            ▼                                                                   ▼
 *          ended ◄────────────────────────────────────── announcing ◄──────── starting ↻ again
 *
 * Invariants:
 * 1. The VM is started only on the verdict 'acquired', read from the record, and only with
 *    memory and state that were complete before `ready` was said.
 * 2. Once `ready` was said, only the lease or the source's own cancel (which it sends only
 *    while the lease is its own for good) lets the copy go: no closed connection, no time-out.
 */
import { LATE_WAIT_MS, RESERVE_TIMEOUT_MS, SOURCE_SILENCE_MS, START_RETRY_MS, START_TRIES } from './limits';
import { TARGET_PHASES, type TargetPhase } from './phases';
import type { SourceMessage } from './protocol';
import { sameSum, sumText } from './stream/page-sum';
import type { Arrived, TargetCommand, TargetEvent, TargetState, TargetStep } from './target-state';

type EventOf<T extends TargetEvent['type']> = Extract<TargetEvent, { type: T }>;
type Handler<E> = (state: TargetState, event: E) => TargetStep;
type Events = { readonly [T in TargetEvent['type']]?: Handler<EventOf<T>> };
type Messages = {
  readonly [T in SourceMessage['type']]?: (
    state: TargetState,
    message: Extract<SourceMessage, { type: T }>,
    at: number,
    arrived: Arrived,
  ) => TargetStep;
};

export const startTarget = (): TargetState => ({
  phase: 'waiting',
  deadline: Infinity,
  offer: null,
  watching: false,
  userPaused: false,
  epoch: 0,
  startTries: 0,
  sourceGone: false,
  announced: false,
  cancelWhy: null,
  vmIs: 'source',
  outcome: null,
  line: '',
  sum: { low: 0, high: 0 },
  marks: {},
});

export function targetStep(state: TargetState, event: TargetEvent): TargetStep {
  if (event.type === 'message') return onMessage(state, event.message, event.at, event.arrived);
  const handler = (EVENTS[state.phase][event.type] ?? ALWAYS[event.type]) as Handler<TargetEvent> | undefined;
  return handler ? handler(state, event) : stay(state);
}

// ── what is the same in every phase ────────────────────────────────────────

const beforeReady = ({ phase }: TargetState): boolean => TARGET_PHASES[phase].cancel === 'stops';

const ALWAYS: Events = {
  cancel: (state, { why, at }) => {
    if (beforeReady(state)) return discard(state, at, 'cancelled', `cancelled on the target: ${why}`);
    const line = TARGET_PHASES[state.phase].cancel === 'noted' ? 'the commit may be under way: the lease decides' : 'too late to cancel';
    return stay({ ...state, cancelWhy: state.cancelWhy ?? why }, trace('cancelNoted', line));
  },
  failed: (state, { why, at }) => (beforeReady(state) ? discard(state, at, 'failed', why) : stay(state)),
  closed: (state, { why, at }) =>
    beforeReady(state) ? discard(state, at, 'failed', `the connection to the source is gone: ${why}`) : stay({ ...state, sourceGone: true }),
  tick: (state, { at }) =>
    at < state.deadline || !beforeReady(state) ? stay(state) : discard(state, at, 'failed', 'nothing more came from the source'),
  pagesTaken: (state, { at }) => stay({ ...state, deadline: at + SOURCE_SILENCE_MS }),
  // Nobody but a source that was told `ready` passes the lease: without the VM's memory it is of no use here.
  verdict: (state, { verdict, at }) => {
    if (!beforeReady(state)) return stay(state);
    return discard(
      { ...state, watching: false },
      at,
      'failed',
      verdict.is === 'acquired' ? 'the lease came before the VM was complete' : belongsTo(verdict.owner),
    );
  },
};

const belongsTo = (owner: string): string => `the VM belongs to ${owner}, not to this host`;

// ── phase by phase ─────────────────────────────────────────────────────────

const EVENTS: Readonly<Record<TargetPhase, Events>> = {
  waiting: { start: (state, { at }) => stay({ ...state, deadline: at + RESERVE_TIMEOUT_MS, marks: { started: at } }) },
  checking: {
    checked: (state, { version, blockers, at }) => {
      const answer: TargetCommand = { do: 'send', message: { type: 'answer', version, blockers } };
      if (blockers.length > 0)
        return withFirst(discard(state, at, 'failed', `this host cannot take the VM: ${blockers.join('; ')}`, false), answer);
      return stay({ ...state, phase: 'agreed', deadline: at + RESERVE_TIMEOUT_MS }, answer);
    },
  },
  agreed: {},
  reserving: {
    reserved: (state, { at }) =>
      stay({ ...state, phase: 'receiving', deadline: at + SOURCE_SILENCE_MS, marks: { ...state.marks, reserved: at } }),
  },
  receiving: {},
  restoring: {
    restored: (state, { at }) => {
      const { complete = at } = state.marks;
      const next: TargetState = { ...state, phase: 'awaiting', deadline: Infinity, vmIs: 'unknown', marks: { ...state.marks, ready: at } };
      return stay(next, { do: 'send', message: { type: 'ready', sum: state.sum, restoreMs: at - complete } });
    },
  },
  awaiting: {
    closed: (state, { why }) => {
      const line = `the connection to the source is gone (${why}): the lease tells where the VM belongs`;
      return stay({ ...state, line, sourceGone: true }, trace('awaiting', line), { do: 'lookAtLease' });
    },
    verdict: (state, { verdict, at }) => {
      if (verdict.is === 'acquired')
        return startVm({ ...state, phase: 'starting', vmIs: 'target', epoch: verdict.epoch, marks: { ...state.marks, acquired: at } }, 0);
      const outcome = state.cancelWhy === null ? 'failed' : 'cancelled';
      const { state: next, commands } = discard({ ...state, watching: false }, at, outcome, belongsTo(verdict.owner));
      return { state: { ...next, vmIs: verdict.owner === state.offer!.source.hostName ? 'source' : 'elsewhere' }, commands };
    },
  },
  starting: {
    started: (state, { at }) => {
      const { acquired = at } = state.marks;
      const next: TargetState = { ...state, phase: 'announcing', marks: { ...state.marks, running: at } };
      return stay(next, { do: 'send', message: { type: 'running', epoch: state.epoch, startMs: at - acquired } }, { do: 'announce' });
    },
    startFailed: (state, { why, at }) => {
      const line = `the VM belongs to this host (epoch ${state.epoch}) but does not start: ${why}`;
      if (state.startTries >= START_TRIES) return end({ ...state, outcome: 'failed', line }, at);
      return withFirst(startVm({ ...state, line }, START_RETRY_MS), trace('startFailed', line));
    },
  },
  announcing: {
    // The source may still have frames for the guest; it closes when there are no more.
    announced: (state, { at }) => (state.sourceGone ? completed(state, at) : stay({ ...state, deadline: at + LATE_WAIT_MS, announced: true })),
    closed: (state, { at }) => (state.announced ? completed(state, at) : stay({ ...state, sourceGone: true })),
    tick: (state, { at }) => (state.announced && at >= state.deadline ? completed(state, at) : stay(state)),
  },
  discarding: { discarded: (state, { at }) => end(state, at) },
  ended: {},
};

const MESSAGES: Readonly<Record<TargetPhase, Messages>> = {
  waiting: {
    offer: (state, offer, at) => stay({ ...state, phase: 'checking', offer, deadline: at + RESERVE_TIMEOUT_MS }, { do: 'check', offer }),
  },
  checking: {},
  agreed: {
    reserve: (state, _message, at) =>
      stay({ ...state, phase: 'reserving', deadline: at + RESERVE_TIMEOUT_MS }, { do: 'reserve', offer: state.offer! }),
  },
  reserving: {},
  receiving: {
    roundEnd: (state, message, at, arrived) => {
      const differs = difference(message, arrived);
      if (differs) return discard(state, at, 'failed', `round ${message.round}: ${differs}`);
      return stay({ ...state, deadline: at + SOURCE_SILENCE_MS }, { do: 'send', message: { type: 'received', round: message.round } });
    },
    // Comes again if the source has taken a pause back.
    pausing: (state, _message, at) => {
      const next: TargetState = { ...state, watching: true, deadline: at + SOURCE_SILENCE_MS, marks: { ...state.marks, pausing: at } };
      return state.watching ? stay(next) : stay(next, { do: 'watchLease', migrationId: state.offer!.migrationId });
    },
    end: (state, message, at, arrived) => {
      if (!state.watching) return discard(state, at, 'failed', "the source said 'end' out of turn");
      const stateDiffers = message.stateBytes !== arrived.stateBytes || !sameSum(message.stateSum, arrived.stateSum);
      const differs =
        difference(message, arrived) ??
        (stateDiffers ? `of ${message.stateBytes} bytes of machine state ${arrived.stateBytes} came, or others than were sent` : undefined);
      if (differs) return discard(state, at, 'failed', differs);
      const next: TargetState = {
        ...state,
        phase: 'restoring',
        sum: arrived.sum,
        userPaused: message.userPaused,
        deadline: at + SOURCE_SILENCE_MS,
        marks: { ...state.marks, complete: at },
      };
      return stay(next, { do: 'restore' });
    },
  },
  restoring: {},
  awaiting: {
    committed: (state) => stay(state, { do: 'lookAtLease' }),
    cancel: (state, { why }, at) => discard(state, at, 'cancelled', `the source gave up: ${why}`, false),
  },
  starting: {},
  announcing: {},
  discarding: {},
  ended: {},
};

function onMessage(state: TargetState, message: SourceMessage, at: number, arrived: Arrived): TargetStep {
  const handler = MESSAGES[state.phase][message.type] as
    | ((s: TargetState, m: SourceMessage, at: number, arrived: Arrived) => TargetStep)
    | undefined;
  if (handler) return handler(state, message, at, arrived);
  if (!beforeReady(state)) return stay(state);
  if (message.type === 'cancel') return discard(state, at, 'cancelled', `the source gave up: ${message.why}`, false);
  return discard(state, at, 'failed', `the source said '${message.type}' out of turn`);
}

function difference(sent: { messages: number; pages: number; sum: Arrived['sum'] }, arrived: Arrived): string | undefined {
  if (sent.messages !== arrived.messages || sent.pages !== arrived.pages) {
    return `${sent.pages} pages in ${sent.messages} messages were sent, ${arrived.pages} in ${arrived.messages} came`;
  }
  return sameSum(sent.sum, arrived.sum)
    ? undefined
    : `memory here differs from what was sent: checksum ${sumText(arrived.sum)}, not ${sumText(sent.sum)}`;
}

const startVm = (state: TargetState, afterMs: number): TargetStep =>
  stay({ ...state, startTries: state.startTries + 1 }, { do: 'startVm', epoch: state.epoch, userPaused: state.userPaused, afterMs });

function discard(state: TargetState, at: number, outcome: 'cancelled' | 'failed', line: string, tell = true): TargetStep {
  const next: TargetState = {
    ...state,
    phase: 'discarding',
    deadline: Infinity,
    outcome,
    line,
    vmIs: 'source',
    watching: false,
    marks: { ...state.marks, ended: at },
  };
  const told: TargetCommand[] = tell ? [{ do: 'send', message: { type: 'cancel', why: line.slice(0, 1000) } }] : [];
  return stay(next, ...told, ...(state.watching ? [{ do: 'unwatchLease' } as const] : []), { do: 'discardVm' });
}

const completed = (state: TargetState, at: number): TargetStep => end({ ...state, outcome: 'completed', line: 'the VM runs on this host' }, at);

function end(state: TargetState, at: number): TargetStep {
  return stay({ ...state, phase: 'ended', marks: { ...state.marks, ended: at } }, trace('ended', state.line), { do: 'close' });
}

const trace = (name: string, line: string): TargetCommand => ({ do: 'trace', name, line });
const stay = (state: TargetState, ...commands: TargetCommand[]): TargetStep => ({ state, commands });
const withFirst = ({ state, commands }: TargetStep, ...first: TargetCommand[]): TargetStep => ({
  state,
  commands: [...first, ...commands],
});
