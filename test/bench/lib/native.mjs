/* The workloads on the host itself: the same binary, as a 32-bit process. */
import { spawnSync } from 'node:child_process';
import { RowReader } from './lines.mjs';

export function runNative(binary, workloads, { scale, timeoutSeconds }) {
  const reader = new RowReader();
  const problems = [];
  for (const { name } of workloads) {
    const run = spawnSync(binary, [name, String(scale)], { encoding: 'utf8', timeout: timeoutSeconds * 1000 });
    if (run.status !== 0) problems.push(`${name}: ${run.stderr?.trim() || `ended with ${run.signal ?? run.status}`}`);
    for (const line of (run.stdout ?? '').split('\n')) reader.line(line);
  }
  // The clock that the process itself read is the host's own; there is no second one.
  const rows = Object.fromEntries(Object.entries(reader.rows).map(([name, row]) => [name, { ...row, hostMs: row.guestMs, cpuMs: row.guestCpuMs }]));
  return { rows, problems };
}
