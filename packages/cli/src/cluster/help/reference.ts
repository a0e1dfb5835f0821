/** The part of docs/cli.md that is made from the table: scripts/reference.mjs writes it, a test compares it. */
import { type Command, nameOf, type OptionSpec } from '../core/command';
import { usageOf } from '../core/parse';
import { CONNECTION, LIST, OUTPUT, WAIT, WATCH } from '../core/shared-options';
import { optionText, SECTIONS } from './help';

export const BEGIN = '<!-- made from packages/cli/src/cluster/table.ts: node packages/cli/scripts/reference.mjs -->';
export const END = '<!-- end -->';

/** `page` with what lies between the marks made anew. @throws Error without marks */
export function withReference(page: string, table: readonly Command[]): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page has no ${BEGIN} … ${END}`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${reference(table)}\n${page.slice(to)}`;
}

/** Told once, before the commands. */
const TOLD = { ...CONNECTION, ...LIST, ...WATCH, ...WAIT };
const SHARED = new Set([CONNECTION, OUTPUT, LIST, WATCH, WAIT].flatMap((options) => Object.values(options)));

function reference(table: readonly Command[]): string {
  const told = [
    'Options that many commands have:',
    '',
    '| option | |',
    '| --- | --- |',
    ...Object.entries(TOLD).map(optionRow),
    '',
    '',
  ].join('\n');
  const sections = SECTIONS.map(({ title, nouns }) => {
    const commands = nouns.flatMap((noun) => table.filter(({ path }) => path[0] === noun));
    return [`### ${title}`, '', ...commands.flatMap(commandText)].join('\n');
  });
  return told + sections.join('\n');
}

function commandText(command: Command): string[] {
  const { summary, about = [], examples, options = {} } = command;
  const width = Math.max(...examples.map(([line]) => line.length));
  const own = Object.entries(options).filter(([, option]) => !SHARED.has(option));
  const shared = Object.entries(options).filter(([, option]) => SHARED.has(option));
  const rows = own.map(optionRow);
  return [
    `#### godwit ${nameOf(command)}`,
    '',
    `\`${usageOf(command)}${own.length + shared.length > 0 ? ' [OPTION...]' : ''}\`: ${summary}.`,
    '',
    ...examples.map(([line, meaning]) => `    godwit ${line.padEnd(width)}   # ${meaning}`),
    '',
    ...about.flatMap((paragraph) => [paragraph, '']),
    ...(rows.length > 0 ? ['| option | |', '| --- | --- |', ...rows, ''] : []),
    ...(shared.length > 0 ? [`${rows.length > 0 ? 'And' : 'Options:'} ${shared.map(([name]) => `\`--${name}\``).join(', ')}.`, ''] : []),
  ];
}

const optionRow = ([name, option]: [string, OptionSpec]): string =>
  `| \`${escaped(optionText(name, option))}\` | ${escaped(option.summary)} |`;

/** A bar would end a cell. */
const escaped = (text: string): string => text.replaceAll('|', '\\|');
