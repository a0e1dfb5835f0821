/**
 * Backups that a store makes of itself while it is in use: beside the file, named by their time, the oldest going when
 * there are enough. They are for a file that is damaged; for a machine that is lost, copy them elsewhere.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { EmbeddedMemory } from './open-embedded';

export interface BackupPlan {
  readonly everyMs: number;
  /** The newest of them stay. */
  readonly keep: number;
}

/** Backups of this store, the newest first. */
export function listBackups(file: string): string[] {
  const folder = path.dirname(file);
  const start = `${path.basename(file)}.backup-`;
  return fs
    .readdirSync(folder)
    .filter((name) => name.startsWith(start) && TIME.test(name.slice(start.length)))
    .sort()
    .reverse()
    .map((name) => path.join(folder, name));
}

/** From now on, at once if the newest is older than the plan wants. @param told one line for each that could not be made @returns makes a last one, for a store that is about to be closed */
export function keepBackups(memory: EmbeddedMemory, file: string, plan: BackupPlan, told: (line: string) => void): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const next = (ms: number): void => {
    timer = setTimeout(() => void make(), ms);
    timer.unref();
  };
  const backup = async (): Promise<void> => {
    try {
      await memory.backup(`${file}.backup-${stamp(Date.now())}`);
      for (const old of listBackups(file).slice(plan.keep)) fs.rmSync(old);
    } catch (error) {
      told((error as Error).message);
    }
  };
  let making = Promise.resolve();
  const make = async (): Promise<void> => {
    making = backup();
    await making;
    if (!ended) next(plan.everyMs);
  };
  next(Math.min(plan.everyMs, Math.max(0, newestMs(file) + plan.everyMs - Date.now())));
  return async () => {
    ended = true;
    clearTimeout(timer);
    await making;
    await backup();
  };
}

/** In names that sort by time: 20261123T151800123Z. */
const stamp = (ms: number): string => new Date(ms).toISOString().replaceAll(/[-:.]/g, '');
const TIME = /^\d{8}T\d{9}Z$/;

function newestMs(file: string): number {
  const [newest] = listBackups(file);
  if (newest === undefined) return -Infinity;
  const [, year, month, day, hour, minute, second] = /(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\d{3}Z$/.exec(newest)!;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
