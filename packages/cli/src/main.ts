#!/usr/bin/env node
import type { Other } from './cluster/help/help';
import { printable } from './cluster/output/style';
import { CliError, exitCodes, explain } from './errors';
import { others } from './help';

type Main = (argv: string[]) => Promise<number>;

/** Commands that are no rows of cluster/table.ts. Loaded when they are run: most of them need the native layer. */
const commands: Record<string, () => Promise<Main>> = {
  run: async () => (await import('./run.js')).run,
  up: async () => (await import('./up.js')).up,
  vmm: async () => (await import('./vmm.js')).vmm,
  agent: async () => (await import('./agent.js')).agent,
  controller: async () => (await import('./controller.js')).controller,
  state: async () => (await import('./state.js')).state,
  store: async () => (await import('./store.js')).store,
  datastore: async () => (await import('./datastore.js')).datastore,
};

async function main(argv: string[]): Promise<number> {
  const [name, ...rest] = argv;
  const load = name === undefined || !Object.hasOwn(commands, name) ? undefined : commands[name];
  if (load)
    return rest.includes('--help') || rest.includes('-h') ? showHelp(others.find((one) => one.name === name)!) : (await load())(rest);
  // Between two processes of `godwit run`, without a controller.
  if (name === 'migrate' && rest.some((word) => /^--(control|ticket)(=|$)/.test(word)))
    return (await import('./migrate.js')).migrateByHand(rest);
  const { commandTable, processIo, runTable, complete } = await import('./cluster/index.js');
  const table = commandTable(others);
  if (name === '__complete') {
    await complete(
      table,
      others.map(({ name: text, summary: note }) => ({ text, note })),
      rest,
      processIo(),
    );
    return exitCodes.ok;
  }
  return runTable(table, others, name === '--version' || name === '-v' ? ['version', ...rest] : argv, processIo());
}

function showHelp({ help }: Other): number {
  process.stdout.write(help ?? '');
  return exitCodes.ok;
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
    process.stderr.write(`godwit: ${known ? printable(error.message) : ((error as Error)?.stack ?? String(error))}\n`);
    process.exit(known ? error.code : exitCodes.failed);
  },
);
