/**
 * Proves, over the real sessions in simulated time with failing network, storage and
 * processes: never two run, nothing is lost, epochs grow, every migration ends, before the
 * commit the source goes on as if nothing had been (simulation.ts has the rules); in
 * every phase a cancel and a kill do what phases.ts says; and broken variants are caught.
 *
 * GODWIT_SCHEDULES=n: that many random schedules instead of the usual number.
 */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { type PhaseFacts, SOURCE_PHASES, type SourcePhase, TARGET_PHASES, type TargetPhase } from './phases';
import type { ScheduleJob, ScheduleReport } from './testing/schedule-worker';
import { type Outcome, type Plan, simulate } from './testing/simulation';

const SCHEDULES = Number(process.env.GODWIT_SCHEDULES ?? 800);

function check(seed: number, { failure, story }: Outcome): void {
  if (failure !== undefined) throw new Error(`seed ${seed}: ${failure}\n${story.join('\n')}`);
}

async function caught(plan: Plan, seeds: number): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { failure } = await simulate(seed, plan);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** In a thread of its own: outside jest's sandbox, which makes it four times slower. */
const runSchedules = (job: ScheduleJob): Promise<ScheduleReport> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(path.join(__dirname, '../dist/testing/schedule-worker.js'), { workerData: job });
    worker.once('message', resolve);
    worker.once('error', reject);
  });

test('random schedules keep the rules', async () => {
  const { failures, ends } = await runSchedules({ from: 1, count: SCHEDULES });
  expect(failures).toEqual([]);
  // The schedules are worth something: every way is gone often.
  expect(ends.completed).toBeGreaterThan(SCHEDULES / 4);
  expect(ends.failed).toBeGreaterThan(SCHEDULES / 8);
  expect(ends.cancelled).toBeGreaterThan(SCHEDULES / 50);
});

test('one seed gives one story', async () => {
  const [one, other] = [await simulate(42), await simulate(42)];
  expect(one.story).toEqual(other.story);
});

describe('broken variants are caught', () => {
  test('a source that takes an unknown lease write for one that failed', async () => {
    expect(await caught({ broken: 'careless-source', badStorage: true }, 20)).toMatch(/runner|recoverable|lost/);
  });
  test('a target that runs on a hint instead of the record', async () => {
    expect(await caught({ broken: 'eager-target', badStorage: true, at: { side: 'target', phase: 'awaiting', does: 'cut' } }, 30)).toMatch(
      /epochs-grow|one-runner/,
    );
  });
  test('a dirty log that loses pages', async () => {
    expect(await caught({ broken: 'lossy-log' }, 20)).toMatch(/nothing-lost/);
  });
  test('… which an audit turns into a failure before the commit, naming the pages', async () => {
    let named = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const outcome = await simulate(seed, { broken: 'lossy-log', audit: true });
      check(seed, outcome);
      if (/the dirty log lost \d+ pages \(\d+/.test(outcome.source.line)) named++;
    }
    expect(named).toBeGreaterThan(3);
  });
});

/** What is to be seen at the end, by the side and phase that the trouble came in. */
interface Case {
  /** Where the VM is then; 'lease': either, by what the record says. */
  readonly cancel: 'source' | 'lease' | 'target';
  /** …and after that side's process was killed; 'dead': its host is gone with it, another takes the VM over. */
  readonly kill: 'source' | 'lease' | 'target' | 'dead';
  readonly badStorage?: boolean;
}

const AT_SOURCE: Readonly<Record<SourcePhase, Case | 'failing'>> = {
  checking: { cancel: 'source', kill: 'dead' },
  reserving: { cancel: 'source', kill: 'dead' },
  precopy: { cancel: 'source', kill: 'dead' },
  pausing: { cancel: 'source', kill: 'dead' },
  final: { cancel: 'source', kill: 'dead' },
  committing: { cancel: 'lease', kill: 'lease' },
  uncertain: { cancel: 'lease', kill: 'lease', badStorage: true },
  handover: { cancel: 'target', kill: 'target' },
  discarding: { cancel: 'target', kill: 'target' },
  ended: { cancel: 'target', kill: 'target' },
  recovering: 'failing',
};
const AT_TARGET: Readonly<Record<TargetPhase, Case | 'failing'>> = {
  waiting: { cancel: 'source', kill: 'source' },
  checking: { cancel: 'source', kill: 'source' },
  agreed: { cancel: 'source', kill: 'source' },
  reserving: { cancel: 'source', kill: 'source' },
  receiving: { cancel: 'source', kill: 'source' },
  restoring: { cancel: 'source', kill: 'source' },
  awaiting: { cancel: 'lease', kill: 'lease' },
  starting: { cancel: 'target', kill: 'dead' },
  announcing: { cancel: 'target', kill: 'dead' },
  ended: { cancel: 'target', kill: 'dead' },
  discarding: 'failing',
};

const placeOf = ({ source, target, sourceAlive, targetAlive, story }: Outcome): string => {
  if (story.some((line) => line.includes('taken over'))) return 'dead';
  if (targetAlive && target.vmIs === 'target') return 'target';
  return sourceAlive ? source.vmIs : 'nobody';
};

describe.each([
  ['source', SOURCE_PHASES, AT_SOURCE],
  ['target', TARGET_PHASES, AT_TARGET],
] as const)('on the %s', (side, phases: Record<string, PhaseFacts>, cases: Record<string, Case | 'failing'>) => {
  test('every phase has its cancel and its kill case', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(phases).sort());
    for (const [phase, expected] of Object.entries(cases)) {
      if (expected === 'failing') continue;
      expect({ phase, stops: expected.cancel === 'source' }).toEqual({ phase, stops: phases[phase].cancel === 'stops' });
    }
  });

  test.each(Object.entries(cases))('%s', async (phase, expected) => {
    // A phase of the way back is reached by a migration that fails.
    const failing = expected === 'failing';
    for (const does of ['cancel', 'kill'] as const) {
      let reached = 0;
      for (let seed = 1; seed <= 6; seed++) {
        const at = { side, phase, does };
        const outcome = failing
          ? await reachFailing(seed, side, phase, does)
          : await simulate(seed, { at, badStorage: expected.badStorage });
        check(seed, outcome);
        if (!outcome.reached.has(`${side} ${phase}`)) continue;
        reached++;
        const place = placeOf(outcome);
        if (failing) expect(place).toBe(does === 'kill' && side === 'source' ? 'dead' : 'source');
        else if (expected[does] === 'lease') expect(['source', 'target', 'dead']).toContain(place);
        else expect({ phase, does, seed, place }).toEqual({ phase, does, seed, place: expected[does] });
      }
      expect({ phase, does, reached: reached > 0 }).toEqual({ phase, does, reached: true });
    }
  });
});

const reachFailing = (seed: number, side: 'source' | 'target', phase: string, does: 'cancel' | 'kill'): Promise<Outcome> =>
  simulate(seed, { at: { side, phase, does }, first: { side: 'source', phase: 'precopy', does: 'cancel' } });
