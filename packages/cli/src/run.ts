import { writeFileSync } from 'node:fs';
import { type EngineStats, type Outcome, Vm } from '@godwit/vmm';
import { attachConsole } from './console';
import { exitCodes } from './errors';
import { parseRunOptions } from './run-options';

/** `godwit run`: one VM in the foreground, its serial port on the terminal. Returns the exit code. */
export async function run(argv: string[]): Promise<number> {
  const { config, stats } = parseRunOptions(argv);
  const vm = new Vm(config);
  const stop = (): void => vm.stop();
  const detach = attachConsole(vm, stop);
  vm.on('trace', (line: string) => process.stderr.write(`trace: ${line}\n`));
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    vm.start();
    const ended = await vm.ended;
    if (stats !== undefined) writeStats(stats, ended.stats);
    return report(ended.outcome);
  } finally {
    detach();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function report(outcome: Outcome): number {
  if (outcome.kind === 'power-off') return exitCodes.ok;
  process.stderr.write(`godwit: ${outcome.detail}\n`);
  return outcome.kind === 'stopped' ? exitCodes.ok : exitCodes.failed;
}

function writeStats(target: string, stats: EngineStats): void {
  const text = `${JSON.stringify(stats, null, 2)}\n`;
  if (target === '-') process.stdout.write(text);
  else writeFileSync(target, text);
}
