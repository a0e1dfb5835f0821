/** Proves, on the machines alone: the ends that the simulation does not come to. */
import { DEFAULT_SETTINGS } from './convergence';
import { START_TRIES } from './limits';
import { sourceStep, startSource } from './source-machine';
import type { SourceState } from './source-state';
import { startTarget, targetStep } from './target-machine';
import type { TargetState } from './target-state';
import { vmFacts } from './testing/facts';

const owner = { hostId: 'h', hostName: 'host-2', vmmId: 'v' };
const committing: SourceState = {
  ...startSource({ migrationId: 'm', vm: vmFacts(), config: {}, owner, wallClockMs: 0, settings: DEFAULT_SETTINGS }),
  phase: 'committing',
  target: owner,
  vmIs: 'unknown',
};

test('a VM that somebody else has got is never resumed, and the record says so', () => {
  const { state, commands } = sourceStep(committing, { type: 'lease', at: 1, answer: { is: 'lost', owner: 'host-3' } });
  expect(commands).toContainEqual({ do: 'recover', resume: false });
  expect(state).toMatchObject({ vmIs: 'elsewhere', outcome: 'lost', line: 'the VM belongs to host-3 now: the copy here must not run' });
});

test.each(['committing', 'uncertain'] as const)('in %s nothing but the answer of the lease leads on', (phase) => {
  let state: SourceState = { ...committing, phase };
  for (const event of [
    { type: 'cancel', why: 'x' },
    { type: 'failed', why: 'x' },
    { type: 'closed', why: 'x' },
    { type: 'vmEnded', why: 'x' },
    { type: 'tick' },
    { type: 'message', message: { type: 'cancel', why: 'x' } },
  ] as const) {
    const step = sourceStep(state, { ...event, at: 1e12 });
    expect(step.commands.filter((command) => command.do !== 'trace')).toEqual([]);
    state = step.state;
  }
  expect(state.phase).toBe(phase);
});

test('unknown is read again and again, and kept after a cancel is a cancel', () => {
  let state: SourceState = { ...committing, cancelWhy: 'ordered' };
  for (let turn = 0; turn < 3; turn++) {
    const step = sourceStep(state, { type: 'lease', at: 1, answer: { is: 'unknown', why: 'storage away' } });
    expect(step.commands.at(-1)).toMatchObject({ do: 'readLease' });
    state = step.state;
  }
  expect(sourceStep(state, { type: 'lease', at: 2, answer: { is: 'kept' } }).state).toMatchObject({
    phase: 'recovering',
    outcome: 'cancelled',
    vmIs: 'source',
  });
});

test('a committed VM that does not start is tried so often, then reported with where it is', () => {
  let state: TargetState = { ...startTarget(), phase: 'starting', vmIs: 'target', epoch: 7, startTries: 1 };
  let tries = 1;
  for (; state.phase === 'starting'; tries++) state = targetStep(state, { type: 'startFailed', at: tries, why: 'no disk' }).state;
  expect(tries - 1).toBe(START_TRIES);
  expect(state).toMatchObject({
    phase: 'ended',
    outcome: 'failed',
    vmIs: 'target',
    line: 'the VM belongs to this host (epoch 7) but does not start: no disk',
  });
});

test('the lease without the VM complete starts nothing', () => {
  const state: TargetState = { ...startTarget(), phase: 'receiving', watching: true };
  const { commands } = targetStep(state, { type: 'verdict', at: 1, verdict: { is: 'acquired', epoch: 2 } });
  expect(commands.map((command) => command.do)).toEqual(['send', 'discardVm']);
});
