/** One agent a state folder: a file that names its process. A dead agent's lock is taken over. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AgentError } from '../errors';
import { readJson } from './json-file';
import { identify, isAlive, type ProcessId } from './processes';

/** Returns how to give it back. @throws AgentError naming the other process */
export function lockFolder(folder: string): () => void {
  const file = path.join(folder, 'agent.lock');
  const own = `${file}.${process.pid}`;
  const text = JSON.stringify(identify(process.pid));
  writeFileSync(own, text, { mode: 0o600 });
  try {
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = readJson(file) as ProcessId | undefined;
    if (holder && isAlive(holder))
      throw new AgentError(
        `another agent (process ${holder.pid}) works with the state folder ${folder}: stop it, or give this one another stateDir`,
      );
    renameSync(own, file);
    // Of two that take over at once, the last one to write has it.
    if (readFileSync(file, 'utf8') !== text) throw new AgentError(`another agent has just started with the state folder ${folder}`);
  } finally {
    rmSync(own, { force: true });
  }
  return () => {
    if (readTolerant(file) === text) rmSync(file, { force: true });
  };
}

function readTolerant(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
