import { writeFileSync } from 'node:fs';
import type { EngineStats, Outcome } from '@godwit/vmm';
import { exitCodes } from './errors';

/** What is said of a VM's end; the exit code. */
export function report(outcome: Pick<Outcome, 'detail'> & { readonly kind: string }): number {
  if (outcome.kind === 'power-off') return exitCodes.ok;
  process.stderr.write(`godwit: ${outcome.detail}\n`);
  return outcome.kind === 'stopped' ? exitCodes.ok : exitCodes.failed;
}

export function writeStats(target: string, stats: EngineStats): void {
  const text = `${JSON.stringify(stats, null, 2)}\n`;
  if (target === '-') process.stdout.write(text);
  else writeFileSync(target, text);
}
