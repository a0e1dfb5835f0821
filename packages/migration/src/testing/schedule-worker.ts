/** Main file of a thread that plays schedules and reports what broke. */
import { parentPort, workerData } from 'node:worker_threads';
import { simulate } from './simulation';

export interface ScheduleJob {
  readonly from: number;
  readonly count: number;
}

export interface ScheduleReport {
  /** Seed, rule and story of the first few that broke. */
  readonly failures: readonly string[];
  /** How often each outcome came, at the source. */
  readonly ends: Readonly<Record<string, number>>;
}

const SHOWN = 3;
/** One in so many meets a storage that answers nothing from the commit on. */
const BAD_STORAGE = 10;

async function play({ from, count }: ScheduleJob): Promise<ScheduleReport> {
  const failures: string[] = [];
  const ends: Record<string, number> = {};
  for (let seed = from; seed < from + count && failures.length < SHOWN; seed++) {
    const { failure, story, source } = await simulate(seed, { badStorage: seed % BAD_STORAGE === 0 });
    if (failure !== undefined) failures.push(`seed ${seed}: ${failure}\n${story.join('\n')}`);
    const key = source.outcome ?? 'none';
    ends[key] = (ends[key] ?? 0) + 1;
  }
  return { failures, ends };
}

void play(workerData as ScheduleJob).then((report) => parentPort?.postMessage(report));
