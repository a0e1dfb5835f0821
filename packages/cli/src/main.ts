#!/usr/bin/env node
import { datastore } from './datastore';
import { CliError, exitCodes, explain, usageError } from './errors';
import { help } from './help';
import { migrateByHand } from './migrate';
import { run } from './run';
import { state } from './state';
import { up } from './up';
import { vmm } from './vmm';

const commands: Record<string, (argv: string[]) => Promise<number>> = { run, vmm, migrate: migrateByHand, up, state, datastore, help };

async function main(argv: string[]): Promise<number> {
  const [name = 'help', ...rest] = argv;
  if (rest.includes('--help')) return help([name]);
  const command = commands[name === '--help' || name === '-h' ? 'help' : name];
  if (!command) throw usageError(`unknown command '${name}'`);
  return command(rest);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
    // A worker that is still winding down must not hold the terminal.
    process.stdout.write('', () => process.exit(code));
  },
  (raised: unknown) => {
    const error = explain(raised);
    const known = error instanceof CliError;
    process.stderr.write(`godwit: ${known ? error.message : ((error as Error)?.stack ?? String(error))}\n`);
    process.exit(known ? error.code : exitCodes.failed);
  },
);
