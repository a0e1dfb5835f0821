/** The cache's housekeeping. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Removes the work folders of processes that were killed. */
export function dropAbandoned(cache: string): void {
  for (const entry of readdirSync(cache)) {
    const pid = /\.partial-(\d+)$/.exec(entry)?.[1];
    if (pid && Number(pid) !== process.pid && !existsSync(`/proc/${pid}`)) {
      rmSync(join(cache, entry), { recursive: true, force: true });
    }
  }
}
