/** Proves what an agent that starts makes of each thing that it may find: nothing that may live is touched. */
import { decide, type Found } from './adoption';
import { endOf, keptRecord } from './endings';

const found = (more: Partial<Found>): Found => ({ ours: true, about: true, alive: false, answers: false, ended: false, ...more });

test.each([
  ['a VMM at work', { alive: true }, 'adopt'],
  ['one whose socket hangs', { alive: true, answers: false }, 'adopt'],
  ['one whose process cannot be seen', { answers: true }, 'adopt'],
  ['one whose about.json is lost', { about: false, alive: true }, 'adopt'],
  ['one that has written its end and is still closing', { alive: true, ended: true }, 'adopt'],
  ['one that ended in order', { ended: true }, 'ended'],
  ['one that was killed', {}, 'died'],
  ['a folder in which nothing was started', { about: false }, 'remove'],
  ['an end of nobody knows whom', { about: false, ended: true }, 'leave'],
  ['a file of somebody else', { ours: false, about: false }, 'leave'],
] as const)('%s', (_, more, decision) => expect(decide(found(more))).toBe(decision));

test('whatever may live is adopted, and only what is ours is removed', () => {
  const both = [false, true];
  for (const about of both)
    for (const ended of both)
      for (const [alive, answers] of [
        [true, false],
        [false, true],
        [true, true],
      ])
        expect(decide({ ours: true, about, ended, alive, answers })).toBe('adopt');
  for (const about of both)
    for (const ended of both) for (const alive of both) expect(decide({ ours: false, about, ended, alive, answers: alive })).toBe('leave');
});

describe('how a VMM ended', () => {
  const last = {
    vm: { vmId: 'v', name: 'n', state: 'VM_STATE_RUNNING' },
    pauses: ['operator'],
    line: 'before',
    hostId: 'h',
    hostName: 'host',
    vmmId: 'm',
    pid: 1,
    startedAtMs: 1,
    leaseEpoch: 3,
    migrationId: 'x',
    migrationAddress: 'y',
    ended: '',
  };
  const dead = { exit: undefined, words: { line: '', code: '' } };

  test('as it wrote itself', () => {
    expect(endOf(last, { reason: 'suspended', line: 'saved', migrations: [] }, dead)).toMatchObject({
      ended: 'suspended',
      line: 'saved',
      vm: { state: 'VM_STATE_SUSPENDED' },
      pauses: [],
      migrationId: '',
    });
    expect(endOf(last, { reason: 'power-off', line: '', migrations: [] }, dead)).toMatchObject({
      ended: 'power-off',
      vm: { state: 'VM_STATE_STOPPED' },
    });
  });

  test('by a migration, whatever else it says', () => {
    const migrations = [
      { outcome: 'failed', vmIs: 'source' },
      { outcome: 'completed', vmIs: 'target', targetHost: 'beta' },
    ];
    expect(endOf(last, { reason: 'stopped', line: 'it was stopped', migrations }, dead)).toMatchObject({
      ended: 'migrated',
      line: 'the VM runs on beta',
    });
  });

  test.each([
    [{ exit: { code: null, signal: 'SIGKILL' as const } }, /killed \(SIGKILL\)/],
    [{ exit: { code: null, signal: 'SIGSEGV' as const }, words: { line: 'oops', code: '' } }, /died of SIGSEGV: oops/],
    [{ exit: { code: 4, signal: null }, words: { line: 'VM x is in use', code: 'ELEASE' } }, /^VM x is in use$/],
    [{ exit: { code: 1, signal: null } }, /exit code 1/],
    [{}, /while the agent was away/],
  ])('as it can be told from %j', (more, line) => {
    expect(endOf(last, undefined, { ...dead, ...more })).toMatchObject({
      ended: 'error',
      leaseEpoch: 3,
      line: expect.stringMatching(line),
    });
  });

  test('records that it kept: what was not measured is not there', () => {
    expect(
      keptRecord({
        migrationId: 'm',
        vmId: 'v',
        phase: 'ended',
        vmIs: 'target',
        outcome: 'completed',
        line: '',
        pauseMs: 3,
        expectedRemainingMs: null,
      }),
    ).toEqual({ migrationId: 'm', vmId: 'v', phase: 'ended', vmIs: 'target', outcome: 'completed', line: '', pauseMs: 3 });
    expect(keptRecord({ migrationId: 7 })).toBeUndefined();
  });
});
