/** The steps that the source's machine (source-machine.ts) is made of: decisions between rounds, at the pause, on the lease's answer, and the ways out. */
import { afterRound, holdsAtPause, needs, retreat } from './convergence';
import { HANDOVER_TIMEOUT_MS, LEASE_READ_MS, PROGRESS_TIMEOUT_MS, SWITCHOVER_TIMEOUT_MS } from './limits';
import type { LeaseAnswer } from './ports';
import { pauseMs } from './rates';
import { roundRecord } from './source-record';
import type { SourceCommand, SourceState, SourceStep } from './source-state';
import { keepRound } from './statistics';

export function sendRound(state: SourceState, at: number, pages: number): SourceStep {
  const { roundSent: _sent, received: _received, ...marks } = state.marks;
  const next = {
    ...state,
    roundPages: pages,
    wireBefore: state.counts.wireBytes,
    deadline: at + PROGRESS_TIMEOUT_MS,
    marks: { ...marks, roundBegun: at },
  };
  return stay(next, { do: 'sendRound', round: state.round, final: false });
}

/** A round is over, and the log says what it left. */
export function decide(state: SourceState, at: number, left: number): SourceStep {
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

export function pause(state: SourceState, at: number): SourceStep {
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
export function standing(state: SourceState, at: number, pages: number): SourceStep {
  if (!holdsAtPause(state.convergence, pages, state.settings, state.forced)) {
    const line = `taken back: with ${pages} pages left it ${needs(pauseMs(state.convergence.rates, pages), state.settings)}`;
    const { pause: _pause, paused: _paused, ...marks } = state.marks;
    const back = sendRound({ ...state, phase: 'precopy', convergence: retreat(state.convergence, pages), line, marks }, at, pages);
    return withFirst(back, trace('retreat', line), { do: 'resumeVm' });
  }
  const next: SourceState = { ...state, phase: 'final', finalSent: false, stateSaved: false };
  return stay(next, { do: 'sendRound', round: state.round, final: true }, { do: 'saveState' });
}

export const sendState = (state: SourceState): SourceStep =>
  state.finalSent && state.stateSaved ? stay(state, { do: 'sendState', userPaused: state.userPaused }) : stay(state);

export function leaseAnswered(state: SourceState, answer: LeaseAnswer, at: number): SourceStep {
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
  const next: SourceState = {
    ...state,
    phase: 'handover',
    vmIs: 'target',
    deadline: at + HANDOVER_TIMEOUT_MS,
    marks: { ...state.marks, passed: at },
  };
  if (state.marks.running !== undefined) return discard(next, '');
  return stay(next, { do: 'send', message: { type: 'committed', epoch: answer.epoch } });
}

/** The VM goes on here, unless it has ended or belongs to somebody else. */
export function recover(state: SourceState, at: number, outcome: 'cancelled' | 'failed' | 'lost', line: string): SourceStep {
  const resume = outcome !== 'lost' && state.vmEnded === null;
  const vmIs = outcome === 'lost' ? 'elsewhere' : state.vmEnded === null ? 'source' : 'nowhere';
  const next: SourceState = {
    ...state,
    phase: 'recovering',
    deadline: Infinity,
    outcome,
    line,
    vmIs,
    marks: { ...state.marks, ended: at },
  };
  return stay(
    next,
    { do: 'recover', resume },
    { do: 'announceLease', target: null },
    { do: 'send', message: { type: 'cancel', why: line.slice(0, 1000) } },
  );
}

export function discard(state: SourceState, line: string): SourceStep {
  const completed = line || `the VM runs on ${state.target!.hostName}`;
  return stay({ ...state, phase: 'discarding', deadline: Infinity, outcome: 'completed', line: completed }, { do: 'discardVm' });
}

export function end(state: SourceState, at: number): SourceStep {
  return stay({ ...state, phase: 'ended', marks: { ...state.marks, ended: at } }, trace('ended', state.line), { do: 'close' });
}

export const trace = (name: string, line: string): SourceCommand => ({ do: 'trace', name, line });
export const stay = (state: SourceState, ...commands: SourceCommand[]): SourceStep => ({ state, commands });
export const withFirst = ({ state, commands }: SourceStep, ...first: SourceCommand[]): SourceStep => ({
  state,
  commands: [...first, ...commands],
});
