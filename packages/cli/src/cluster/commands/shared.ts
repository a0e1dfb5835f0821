/** What commands have in common. */
import type { ChangeKind, Operation } from '@godwit/wire';
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { parse } from 'yaml';
import { CliError, exitCodes } from '../../errors';
import type { Command, Invocation } from '../core/command';
import { MAX_FILE_BYTES } from '../core/limits';
import { withNames } from '../core/run';
import { CONNECTION } from '../core/shared-options';
import { conclude, follow, isRunning } from '../follow/wait';
import { OPERATION_KIND } from '../views/moving';
import type { CallOptions } from '@godwit/wire';
import type { Client } from '../session/session';

/** A command that speaks to a controller. */
export const remote = (command: Command): Command => ({ ...command, options: { ...command.options, ...CONNECTION } });

type Question<T> = (client: Client, options: CallOptions) => Promise<T>;

/** A request that changes something, sent again with the same key when its answer was lost. */
export function change<T>(
  { session }: Invocation,
  question: (client: Client, options: CallOptions, key: string) => Promise<T>,
): Promise<T> {
  const key = randomUUID();
  return session().ask((client, options) => question(client, options, key), { changes: true, keyed: true });
}

/** A request that changes something and has no key. */
export const changeOnce = <T>({ session }: Invocation, question: Question<T>): Promise<T> => session().ask(question, { changes: true });

/** Begins an operation and waits for it. */
export async function operate(
  given: Invocation,
  begin: (client: Client, options: CallOptions, key: string) => Promise<Operation>,
): Promise<number> {
  return conclude(given, await change(given, begin));
}

/**
 * The same for each name: all are begun, then all are waited for; one that fails does not keep the others.
 * @returns 0, the code of those that failed if they agree, else 1
 */
export async function operateOnAll(
  given: Invocation,
  names: readonly string[],
  begin: (name: string, client: Client, options: CallOptions, key: string) => Promise<Operation>,
): Promise<number> {
  if (names.length === 1) return operate(given, (client, options, key) => begin(names[0], client, options, key));
  const { flags, io, output, session } = given;
  const begun: Operation[] = [];
  const codes: number[] = [];
  for (const name of names) {
    try {
      begun.push(await change(given, (client, options, key) => begin(name, client, options, key)));
    } catch (raised) {
      const error = await withNames(raised, given);
      if (!(error instanceof CliError)) throw error;
      io.say(`${error.message.includes(name) ? '' : `${name}: `}${error.message}`);
      codes.push(error.code);
    }
  }
  const limitMs = flags.duration('timeout');
  const untilMs = limitMs === undefined ? undefined : Date.now() + limitMs;
  const ended: Operation[] = [];
  for (const operation of begun) {
    if (flags.has('detach') && isRunning(operation)) {
      ended.push(operation);
      if (output.forPeople) io.out(`${operation.operationId}\n`);
      continue;
    }
    const leftMs = untilMs === undefined ? undefined : Math.max(0, untilMs - Date.now());
    const { operation: last, code } = await follow(io, session(), operation, leftMs);
    ended.push(last);
    codes.push(code);
  }
  if (!output.forPeople) output.list({ ...OPERATION_KIND, name: (one) => one.vmName || one.operationId }, ended, '');
  const failed = [...new Set(codes.filter((code) => code !== exitCodes.ok))];
  return failed.length === 0 ? exitCodes.ok : failed.length === 1 ? failed[0] : exitCodes.failed;
}

/** Changes of a watch, whatever they are of. */
export interface Change<T> {
  readonly change: ChangeKind;
  readonly item: T | undefined;
}

export async function* asChanges<M extends { readonly change: ChangeKind }, T>(
  messages: AsyncIterable<M>,
  item: (message: M) => T | undefined,
): AsyncGenerator<Change<T>, void, void> {
  for await (const message of messages) yield { change: message.change, item: item(message) };
}

/** A text file, `-` for standard input. */
export async function readText(given: Pick<Invocation, 'io'>, file: string): Promise<string> {
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of given.io.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks).toString('utf8');
  }
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw new Error('it is too large');
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CliError(
      exitCodes.notFound,
      `cannot read ${file}: ${code === 'ENOENT' ? 'there is no such file' : (error as Error).message}`,
    );
  }
}

/** A YAML or JSON file that holds a map. */
export async function readMap(given: Pick<Invocation, 'io'>, file: string): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parse(await readText(given, file));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(exitCodes.usage, `${file} is neither YAML nor JSON: ${(error as Error).message.split('\n')[0]}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CliError(exitCodes.usage, `${file} is to hold a map of fields`);
  return value as Record<string, unknown>;
}
