/** Help, made from the table: examples first. */
import { type Command, nameOf, type OptionSpec } from '../core/command';
import { usageOf } from '../core/parse';

/** A command that is not of the table: it reads its own command line. */
export interface Other {
  readonly name: string;
  readonly summary: string;
  /** Its own help text. */
  readonly help?: string;
}

interface Section {
  readonly title: string;
  readonly nouns: readonly string[];
}

/** The order of the overview and of the reference page; each noun stands once. */
export const SECTIONS: readonly Section[] = [
  { title: 'VMs', nouns: ['vm', 'migrate', 'migration'] },
  { title: 'Hosts and cluster', nouns: ['host', 'cluster', 'rule', 'group', 'operation'] },
  { title: 'To watch', nouns: ['top', 'events'] },
  { title: 'Access', nouns: ['login', 'logout', 'whoami', 'user', 'token', 'context'] },
  { title: 'The command line itself', nouns: ['completion', 'version', 'help'] },
];

const EXIT_CODES = `Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not possible as things stand,
5 nobody answers, 6 denied, 7 the migration failed and the VM runs on where it was,
8 the outcome is not known.
`;

/** `godwit help` */
export function overview(table: readonly Command[], others: readonly Other[]): string {
  const nouns = (section: Section): string[] =>
    section.nouns.flatMap((noun) => {
      const commands = table.filter(({ path }) => path[0] === noun);
      if (commands.length === 0) return [];
      const [first] = commands;
      return first.path.length === 1 ? [row(noun, first.summary)] : [row(noun, commands.map(({ path }) => path[1]).join(' | '))];
    });
  const sections = SECTIONS.map((section) => [section.title, nouns(section)] as const);
  return [
    'Usage: godwit COMMAND …',
    '',
    '  godwit vm ls                      which VMs there are, and where they run',
    '  godwit migrate web1               moves web1 to the host that suits it best, while it runs',
    '  godwit migrate web1 --dry-run     which hosts could take it, and why not the others',
    '  godwit vm console web1            its serial port; Ctrl-] leaves',
    '  godwit top                        hosts and VMs, live',
    '',
    ...sections.flatMap(([title, rows]) => [`${title}:`, ...rows, '']),
    'Without a controller, and processes of a cluster:',
    ...others.map(({ name, summary }) => row(name, summary)),
    '',
    'More: godwit help COMMAND, as in godwit help vm create. With -o json, yaml, name: for programs.',
    '',
    EXIT_CODES,
  ].join('\n');
}

/** `godwit help vm`, `godwit help vm create`; undefined: there is no such command. */
export function helpText(table: readonly Command[], path: readonly string[]): string | undefined {
  const exact = table.find((command) => nameOf(command) === path.join(' '));
  if (exact) return commandHelp(exact);
  const [noun, ...rest] = path;
  const verbs = table.filter((command) => command.path[0] === noun);
  if (verbs.length === 0 || rest.length > 0) return undefined;
  const [example] = verbs[0].examples;
  return [
    `Usage: godwit ${noun} ${verbs.map((command) => command.path[1]).join('|')} …`,
    '',
    ...(example ? [`  godwit ${example[0]}`, ''] : []),
    ...verbs.map((command) => row(usageOf(command).slice('godwit '.length), command.summary)),
    '',
    `More: godwit help ${noun} ${verbs[0].path[1]}`,
    '',
  ].join('\n');
}

function commandHelp(command: Command): string {
  const { examples, summary, about = [], options = {} } = command;
  const width = Math.max(...examples.map(([line]) => line.length).filter((length) => length <= EXAMPLE_WIDTH), 0);
  const shown = Object.entries(options);
  return [
    `${capital(summary)}.`,
    '',
    ...examples.flatMap(([line, meaning]) =>
      line.length <= EXAMPLE_WIDTH ? [`  godwit ${line.padEnd(width)}   ${meaning}`] : [`  godwit ${line}`, `      ${meaning}`],
    ),
    '',
    `Usage: ${usageOf(command)}${shown.length > 0 ? ' [OPTION...]' : ''}`,
    '',
    ...about.flatMap((paragraph) => [...wrapped(paragraph, 78), '']),
    ...(shown.length > 0 ? ['Options:', ...shown.map(([name, option]) => row(optionText(name, option), option.summary)), ''] : []),
  ].join('\n');
}

export const optionText = (name: string, { short, value }: OptionSpec): string =>
  `${short ? `-${short}, ` : ''}--${name}${value === undefined ? '' : ` ${value}`}`;

/** Longer ones have their meaning below them. */
const EXAMPLE_WIDTH = 48;
const WIDTH = 28;
const RIGHT_WIDTH = 80;
function row(left: string, right: string): string {
  const [first, ...more] = wrapped(right, RIGHT_WIDTH);
  const indent = ' '.repeat(WIDTH + 4);
  const head = left.length <= WIDTH ? `  ${left.padEnd(WIDTH)}  ${first}` : `  ${left}\n${indent}${first}`;
  return [head, ...more.map((line) => `${indent}${line}`)].join('\n');
}

function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
