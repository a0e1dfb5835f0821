/** Proves: each row of the table is complete and consistent, its examples are understood by the parser, and docs/cli.md tells the same. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { exitCodes } from '../errors';
import { others } from '../help';
import { nameOf } from './core/command';
import { parseCommandLine } from './core/parse';
import { helpText, overview, SECTIONS } from './help/help';
import { withReference } from './help/reference';
import { commandTable } from './table';

const table = commandTable(others);
const page = readFileSync(path.join(__dirname, '../../../../docs/cli.md'), 'utf8');

/** As a shell would split it. */
const words = (line: string): string[] => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare);

test('docs/cli.md is what the table says (node packages/cli/scripts/reference.mjs)', () => {
  expect(withReference(page, table)).toBe(page);
});

test('docs/cli.md tells every exit code, and every command that reads its own command line', () => {
  for (const code of Object.values(exitCodes)) expect(page).toMatch(new RegExp(`^\\| ${code} \\| \\S`, 'm'));
  for (const { name } of others) expect(page).toContain(`godwit ${name}`);
});

test('each noun stands in one section of the overview', () => {
  const nouns = [...new Set(table.map(({ path: [noun] }) => noun))].sort();
  expect(SECTIONS.flatMap((section) => section.nouns).sort()).toEqual(nouns);
  for (const noun of [...nouns, ...others.map(({ name }) => name)]) expect(overview(table, others)).toMatch(new RegExp(`^  ${noun} `, 'm'));
});

test('names are unique', () => {
  const names = table.map(nameOf);
  expect(new Set(names).size).toBe(names.length);
});

describe.each(table.map((command) => [nameOf(command), command] as const))('%s', (_, command) => {
  test('has examples that are understood, and help that begins with them', () => {
    expect(command.examples.length).toBeGreaterThan(0);
    for (const [line] of command.examples) {
      // `… | godwit vm create …`, `godwit host add gamma > token`
      const [typed] = line.slice(line.lastIndexOf('| godwit ') < 0 ? 0 : line.lastIndexOf('| godwit ') + '| godwit '.length).split(' > ');
      const parsed = parseCommandLine(table, words(typed));
      expect(parsed).toMatchObject({ kind: 'command' });
    }
    const help = helpText(table, command.path)!;
    expect(help.indexOf(`godwit ${command.examples[0][0]}`)).toBeLessThan(help.indexOf('Usage:'));
    expect(help).not.toMatch(/.{141}/);
  });

  test('has summaries in plain form', () => {
    for (const text of [command.summary, ...Object.values(command.options ?? {}).map((option) => option.summary)]) {
      expect(text).not.toBe('');
      expect(text).not.toMatch(/^[A-Z][a-z]+ .*\.$|\n/);
    }
    const shorts = Object.values(command.options ?? {}).flatMap(({ short }) => short ?? []);
    expect(new Set(shorts).size).toBe(shorts.length);
  });

  test('has its optional and repeated arguments last', () => {
    const args = command.args ?? [];
    expect(args.slice(0, -1).some(({ many }) => many)).toBe(false);
    expect(args.map(({ optional }) => Number(optional ?? false))).toEqual(args.map(({ optional }) => Number(optional ?? false)).sort());
  });
});
