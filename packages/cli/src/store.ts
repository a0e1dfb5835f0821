import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { checkStoreFile, listBackups, restoreBackup, StoreError } from '@godwit/store';
import { CliError, exitCodes, usageError } from './errors';

const USAGE = 'use: godwit store show FILE, or godwit store restore FILE [--from BACKUP]';

/**
 * `godwit store show|restore FILE`: the embedded store of a controller that does not run. `restore` puts the newest
 * backup that is whole, or the one that is named, in its place, and keeps what stood there under another name.
 */
export async function store(argv: string[]): Promise<number> {
  const { verb, file, from } = parse(argv);
  return verb === 'show' ? show(file) : restore(file, from);
}

function show(file: string): number {
  if (!existsSync(file))
    throw new CliError(exitCodes.notFound, `there is no store ${file}: godwit cluster init names it in controller.json`);
  const wrong = faultOf(file);
  process.stdout.write(`${file}: ${wrong ?? 'whole'}\n`);
  for (const backup of listBackups(file)) process.stdout.write(`${backup}: ${faultOf(backup) ?? 'whole'}\n`);
  return wrong ? exitCodes.failed : exitCodes.ok;
}

function restore(file: string, from: string | undefined): number {
  const backup = from ?? listBackups(file).find((one) => faultOf(one) === undefined);
  if (backup === undefined)
    throw new CliError(exitCodes.notFound, `there is no backup beside ${file} that is whole: name one with --from BACKUP`);
  try {
    const kept = restoreBackup(backup, file);
    process.stdout.write(`${backup}\n`);
    process.stderr.write(
      `godwit: ${file} is now what ${path.basename(backup)} was${kept ? `; what stood there is kept as ${kept}` : ''}. Start the controller: it learns from the hosts what has changed since\n`,
    );
    return exitCodes.ok;
  } catch (error) {
    throw told(error);
  }
}

/** Undefined: none. */
function faultOf(file: string): string | undefined {
  try {
    checkStoreFile(file);
    return undefined;
  } catch (error) {
    const known = told(error);
    // In use is no fault of the file: whoever asks is to stop the controller first.
    if (known.code === exitCodes.precondition) throw known;
    return known.message;
  }
}

function told(error: unknown): CliError {
  if (!(error instanceof StoreError)) throw error;
  const { code, message } = error;
  return new CliError(
    code === 'unavailable' ? exitCodes.precondition : code === 'not-found' ? exitCodes.notFound : exitCodes.failed,
    message,
  );
}

function parse(argv: string[]): { verb: 'show' | 'restore'; file: string; from: string | undefined } {
  try {
    const { values, positionals } = parseArgs({ args: argv, allowPositionals: true, options: { from: { type: 'string' } } });
    const [verb, file, ...rest] = positionals;
    if ((verb !== 'show' && verb !== 'restore') || file === undefined || rest.length > 0 || (verb === 'show' && values.from !== undefined))
      throw usageError(USAGE);
    return { verb, file: path.resolve(file), from: values.from && path.resolve(values.from) };
  } catch (error) {
    throw error instanceof CliError ? error : usageError(`${(error as Error).message.split('. ')[0]}; ${USAGE}`);
  }
}
