/**
 * What may stand where a shell completes: `godwit __complete SHELL WORD… CURRENT` writes a candidate a line, with a tab and
 * a note behind it; `:files` asks the shell for names of files. Nothing else is ever written, and the code is 0: a shell
 * that completes has no place for errors.
 */
import { type ArgumentSpec, type Command, type Completer, type Options, type OptionSpec } from '../core/command';
import type { Candidate } from './candidates';

export const FILES = ':files';

export interface Wanted {
  /** Only those that begin so; what a shell replaces. */
  readonly prefix: string;
  readonly fixed: readonly Candidate[];
  /** Live names, besides. */
  readonly live?: Completer;
  /** Names that stand there already. */
  readonly used: readonly string[];
  /** Stands before each candidate: `--to=`. */
  readonly before: string;
  /** The context that the line names. */
  readonly context?: string;
}

/** Options that may stand before the command. */
const EARLY = /^--?(context|output|o|timeout)$/;

/** @param words all behind `godwit`, the last one being typed */
export function wantedAt(table: readonly Command[], others: readonly Candidate[], words: readonly string[]): Wanted {
  const typed = words.slice(0, -1);
  const current = words.at(-1) ?? '';
  const nothing: Wanted = { prefix: current, fixed: [], used: [], before: '', ...contextOf(typed) };
  let at = 0;
  while (at < typed.length && EARLY.test(typed[at])) at += 2;
  if (at > typed.length) return { ...nothing, ...valueOf(optionOf(table[0]?.options, typed[at - 2]), current) };
  const rest = typed.slice(at);
  const [noun, verb] = rest;
  if (noun === undefined) return { ...nothing, fixed: [...nouns(table), ...others] };
  if (noun === 'help') return { ...nothing, fixed: rest.length === 1 ? [...nouns(table), ...others] : verbs(table, rest[1]) };
  const command =
    table.find(({ path }) => path.length === 1 && path[0] === noun) ?? table.find(({ path }) => path[0] === noun && path[1] === verb);
  if (command) return { ...nothing, ...within(command, rest.slice(command.path.length), current) };
  return rest.length === 1 ? { ...nothing, fixed: verbs(table, noun) } : nothing;
}

const nouns = (table: readonly Command[]): Candidate[] =>
  [...new Set(table.map(({ path }) => path[0]))].map((text) => {
    const [first, ...more] = table.filter(({ path }) => path[0] === text);
    return {
      text,
      note: more.length === 0 && first.path.length === 1 ? first.summary : [first, ...more].map(({ path }) => path[1]).join(' | '),
    };
  });

const verbs = (table: readonly Command[], noun: string): Candidate[] =>
  table.filter(({ path }) => path[0] === noun && path.length > 1).map(({ path, summary }) => ({ text: path[1], note: summary }));

function within(command: Command, typed: readonly string[], current: string): Partial<Wanted> {
  const { options = {} } = command;
  const option = (word: string): OptionSpec | undefined => optionOf(options, word);
  const args: string[] = [];
  const given = new Set<string>();
  let open: OptionSpec | undefined;
  for (const word of typed) {
    if (open) {
      open = undefined;
      continue;
    }
    if (!word.startsWith('-') || word === '-') {
      args.push(word);
      continue;
    }
    const [name] = word.split('=', 1);
    given.add(name.replace(/^--/, ''));
    const spec = option(name);
    if (spec?.value !== undefined && !word.includes('=')) open = spec;
  }
  if (open) return valueOf(open, current);
  const [, inline, value] = /^(--[a-z-]+=)(.*)$/s.exec(current) ?? [];
  if (inline !== undefined) {
    const spec = option(inline.slice(0, -1));
    return spec?.value === undefined ? {} : { ...valueOf(spec, value), before: inline };
  }
  if (current.startsWith('-')) {
    const left = Object.entries(options).filter(([name, spec]) => spec.many || !given.has(name));
    return {
      fixed: [...left.map(([name, { summary }]) => ({ text: `--${name}`, note: summary })), { text: '--help', note: 'how it is used' }],
    };
  }
  return argumentOf(command.args ?? [], args);
}

const optionOf = (options: Options = {}, word: string): OptionSpec | undefined =>
  word.startsWith('--') ? options[word.slice(2)] : Object.values(options).find(({ short }) => word === `-${short}`);

function argumentOf(specs: readonly ArgumentSpec[], args: readonly string[]): Partial<Wanted> {
  const last = specs.at(-1);
  const spec = specs[args.length] ?? (last?.many ? last : undefined);
  if (!spec) return {};
  return {
    fixed: (spec.choices ?? []).map((text) => ({ text, note: '' })),
    live: spec.complete,
    used: spec.many ? args.slice(specs.length - 1) : [],
  };
}

/** `throttle,ab` of a list: only its last part is completed. */
function valueOf(spec: OptionSpec | undefined, current: string): Partial<Wanted> {
  if (!spec) return {};
  const comma = spec.many && spec.choices ? current.lastIndexOf(',') + 1 : 0;
  const head = current.slice(0, comma);
  const used = head.split(',').filter(Boolean);
  return {
    prefix: current,
    fixed: (spec.choices ?? []).filter((text) => !used.includes(text)).map((text) => ({ text: `${head}${text}`, note: '' })),
    live: spec.complete,
  };
}

function contextOf(typed: readonly string[]): { context?: string } {
  for (const [at, word] of typed.entries()) {
    if (word === '--context' && typed[at + 1] !== undefined) return { context: typed[at + 1] };
    if (word.startsWith('--context=')) return { context: word.slice('--context='.length) };
  }
  return {};
}

/** bash splits words at `=`; the parts come back together here. `alone`: only the value is to be answered. */
export function joinedAtEquals(words: readonly string[]): { words: string[]; alone: boolean } {
  const joined: string[] = [];
  let alone = false;
  for (const [at, word] of words.entries()) {
    const isLast = at === words.length - 1;
    const previous = joined.at(-1);
    if (word === '=' && previous?.startsWith('--') && !previous.includes('=')) {
      joined[joined.length - 1] = `${previous}=`;
      alone = isLast;
    } else if (previous?.startsWith('--') && previous.endsWith('=') && words[at - 1] === '=') {
      joined[joined.length - 1] = `${previous}${word}`;
      alone = isLast;
    } else joined.push(word);
  }
  return { words: joined, alone };
}
