/** A command line of the table, from its words to its exit code. */
import { exitCodes } from '../../errors';
import { chooseContext } from '../context/choose';
import { candidatesFor } from '../completion/candidates';
import { helpText, type Other, overview } from '../help/help';
import type { Io } from '../output/io';
import { Output } from '../output/output';
import { Session } from '../session/session';
import type { Command, Completer, Invocation } from './command';
import { Refused } from './failure';
import { parseCommandLine } from './parse';
import type { Format } from './shared-options';
import { didYouMean } from './suggest';

/** @returns the exit code @throws CliError, WireError: one line for a person */
export async function runTable(table: readonly Command[], others: readonly Other[], argv: readonly string[], io: Io): Promise<number> {
  const parsed = parseCommandLine(
    table,
    argv,
    others.map(({ name }) => name),
  );
  if (parsed.kind === 'help') {
    const text = parsed.path.length === 0 ? overview(table, others) : (helpText(table, parsed.path) ?? '');
    if (parsed.asked) io.out(text);
    else io.err(text);
    return parsed.asked ? exitCodes.ok : exitCodes.usage;
  }
  const { command, args, flags } = parsed;
  const output = new Output(io, (flags.text('output') ?? 'table') as Format, !flags.has('no-headers'));
  let session: Session | undefined;
  const connect = (): Session => {
    session ??= new Session(chooseContext(io.env, io.folder, flags.text('context')), flags.duration('timeout'));
    return session;
  };
  const given: Invocation = { command, args, flags, io, output, session: connect };
  try {
    return await command.run(given);
  } catch (error) {
    throw await withNames(error, given);
  } finally {
    session?.close();
  }
}

const NAMES: Readonly<Record<string, Completer>> = {
  'no-vm': 'vm',
  'no-host': 'host',
  'no-rule': 'rule',
  'no-group': 'group',
  'no-user': 'user',
};

/** `there is no VM wbe1; did you mean web1?` */
export async function withNames(error: unknown, { command, args, flags, session }: Invocation): Promise<unknown> {
  const what = error instanceof Refused ? NAMES[error.word] : undefined;
  if (!(error instanceof Refused) || what === undefined) return error;
  const specs = command.args ?? [];
  const typed = [
    ...args.filter((_, at) => specs[Math.min(at, specs.length - 1)]?.complete === what),
    ...Object.entries(command.options ?? {}).flatMap(([name, { complete }]) => (complete === what ? flags.list(name) : [])),
  ];
  const word = typed.find((one) => error.message.includes(one));
  if (word === undefined) return error;
  // Who may not list them gets the plain answer.
  const names = await candidatesFor(what, session).catch(() => []);
  const hint = didYouMean(
    word,
    names.map(({ text }) => text),
  );
  return new Refused(error.code, `${error.message}${hint}`, error.word);
}
