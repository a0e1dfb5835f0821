/** A command line → a row of the table, its arguments and its options. What is wrong is one line that says what to type. */
import { parseArgs } from 'node:util';
import { CliError, exitCodes } from '../../errors';
import { type ArgumentSpec, type Command, nameOf, type OptionSpec, type Options } from './command';
import { Flags } from './flags';
import { didYouMean } from './suggest';

/** Options that may stand before the command, too. */
const EARLY = ['context', 'output', 'o', 'timeout', 'no-headers'];

export type Parsed =
  | { readonly kind: 'command'; readonly command: Command; readonly args: readonly string[]; readonly flags: Flags }
  /** `--help`, or a noun without its verb. */
  | { readonly kind: 'help'; readonly path: readonly string[]; readonly asked: boolean };

/** @param others words that are commands, but not of this table @throws CliError of usage */
export function parseCommandLine(table: readonly Command[], argv: readonly string[], others: readonly string[] = []): Parsed {
  const words = earlyLast(argv);
  const [noun, verb] = words;
  if (noun === undefined || noun.startsWith('-')) return { kind: 'help', path: [], asked: true };
  const command =
    table.find(({ path }) => path.length === 1 && path[0] === noun) ?? table.find(({ path }) => path[0] === noun && path[1] === verb);
  if (command) return parseOptions(command, words.slice(command.path.length));
  const verbs = table.filter(({ path }) => path[0] === noun).map(({ path }) => path[1]);
  if (verbs.length === 0) {
    const nouns = [...new Set([...table.map(({ path }) => path[0]), ...others])];
    throw misuse(`unknown command '${noun}'${didYouMean(noun, nouns, 'godwit ')}`, 'godwit help');
  }
  if (verb === undefined || verb.startsWith('-')) return { kind: 'help', path: [noun], asked: verb === '--help' || verb === '-h' };
  throw misuse(`godwit ${noun} has no '${verb}'${didYouMean(verb, verbs, `godwit ${noun} `)}`, `godwit help ${noun}`);
}

/** `--context prod vm ls` → `vm ls --context prod` */
function earlyLast(argv: readonly string[]): string[] {
  const early: string[] = [];
  const rest = [...argv];
  while (rest.length > 0) {
    const [, name, inline] = /^--?([a-z-]+)(=.*)?$/s.exec(rest[0]) ?? [];
    if (name === undefined || !EARLY.includes(name)) break;
    early.push(...rest.splice(0, inline === undefined && name !== 'no-headers' ? 2 : 1));
  }
  return [...rest, ...early];
}

function parseOptions(command: Command, argv: readonly string[]): Parsed {
  const specs: Options = { ...command.options, help: { short: 'h', summary: '' } };
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { value, short }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple: true, ...(short ? { short } : {}) },
    ]),
  );
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, string[]>();
  const args: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    if (!Object.hasOwn(specs, name)) throw misuse(unknown(command, rawName, specs), helpOf(command));
    const text = read(rawName, specs[name], value, inlineValue === true, command);
    values.set(name, [...(values.get(name) ?? []), text]);
  }
  if (values.has('help')) return { kind: 'help', path: command.path, asked: true };
  for (const [name, given] of values) if (!specs[name].many && given.length > 1) throw misuse(`--${name} is given twice`, helpOf(command));
  if (values.has('wait') && values.has('detach')) throw misuse('--wait and --detach exclude each other', helpOf(command));
  checkArguments(command, args);
  return { kind: 'command', command, args, flags: new Flags(values) };
}

function read(rawName: string, spec: OptionSpec, value: string | undefined, inline: boolean, command: Command): string {
  if (spec.value === undefined) {
    if (value !== undefined) throw misuse(`${rawName} takes no value`, helpOf(command));
    return '';
  }
  // `--to --dry-run` forgot the host. A number may be below zero.
  if (value === undefined || (!inline && /^-[^\d]/.test(value)))
    throw misuse(`${rawName} needs a value: ${rawName} ${spec.value}`, helpOf(command));
  if (spec.choices && !spec.many && !spec.choices.includes(value))
    throw misuse(`${rawName} is one of ${spec.choices.join(', ')}, not '${value}'${didYouMean(value, spec.choices)}`, helpOf(command));
  return value;
}

function checkArguments(command: Command, given: readonly string[]): void {
  const specs = command.args ?? [];
  const needed = specs.filter(({ optional }) => !optional);
  const many = specs.at(-1)?.many === true;
  if (given.length < needed.length) throw misuse(`${needed[given.length].name} is missing: ${usageOf(command)}`, helpOf(command));
  if (given.length > specs.length && !many)
    throw misuse(`'${given[specs.length]}' is one argument too many: ${usageOf(command)}`, helpOf(command));
  for (const [at, text] of given.entries()) {
    const { name, choices } = specs[Math.min(at, specs.length - 1)];
    if (text === '') throw misuse(`${name} is empty: ${usageOf(command)}`, helpOf(command));
    if (choices && !choices.includes(text))
      throw misuse(`${name} is one of ${choices.join(', ')}, not '${text}'${didYouMean(text, choices)}`, helpOf(command));
  }
}

const unknown = (command: Command, rawName: string, specs: Options): string =>
  `godwit ${nameOf(command)} has no option ${rawName}${rawName.startsWith('--') ? didYouMean(rawName.slice(2), Object.keys(specs), '--') : ''}`;

/** `godwit vm start VM... [--host HOST]` without its options. */
export const usageOf = (command: Command): string => ['godwit', nameOf(command), ...(command.args ?? []).map(argumentText)].join(' ');

function argumentText({ name, optional, many }: ArgumentSpec): string {
  const text = many ? `${name}...` : name;
  return optional ? `[${text}]` : text;
}

const helpOf = (command: Command): string => `godwit help ${nameOf(command)}`;
/** An error of usage, with the page that tells more. */
export const misuse = (line: string, page: string): CliError => new CliError(exitCodes.usage, `${line} (see ${page})`);
