/** Proves: a command line is understood as its row says, and each mistake is one line that says what to type. */
import { CliError } from '../../errors';
import { others } from '../../help';
import { commandTable } from '../table';
import { nameOf } from './command';
import { parseCommandLine } from './parse';

const table = commandTable(others);
const parse = (line: string) => parseCommandLine(table, line.split(' ').filter(Boolean), ['run', 'up']);
const command = (line: string) => {
  const parsed = parse(line);
  if (parsed.kind !== 'command') throw new Error('help');
  return parsed;
};

test('arguments and options stand in any order', () => {
  const { command: row, args, flags } = command('--context prod migrate --to=beta web1 --max-pause 50ms -o json');
  expect(nameOf(row)).toBe('migrate');
  expect(args).toEqual(['web1']);
  expect([flags.text('to'), flags.duration('max-pause'), flags.text('output'), flags.text('context')]).toEqual([
    'beta',
    50,
    'json',
    'prod',
  ]);
});

test('what may be repeated comes as a list, with commas or without', () => {
  expect(command('vm ls -l a=1 --label b -l c,d').flags.list('label')).toEqual(['a=1', 'b', 'c', 'd']);
});

test('behind -- all are arguments', () => {
  expect(command('vm show -- --odd').args).toEqual(['--odd']);
});

test('help is asked for, or shown as there is a noun alone', () => {
  expect(parse('vm create --help')).toEqual({ kind: 'help', path: ['vm', 'create'], asked: true });
  expect(parse('vm')).toEqual({ kind: 'help', path: ['vm'], asked: false });
  expect(parse('')).toEqual({ kind: 'help', path: [], asked: true });
});

test.each([
  ['vmx ls', /unknown command 'vmx'; did you mean godwit vm\?/],
  ['rnu', /did you mean godwit run\?/],
  ['vm lst', /godwit vm has no 'lst'; did you mean godwit vm ls\?/],
  ['vm delete web1', /did you mean godwit vm rm\?/],
  ['host evacuate alpha', /did you mean godwit host drain\?/],
  ['vm ls --hots a', /no option --hots; did you mean --host\?/],
  ['vm ls -z', /no option -z/],
  ['vm show', /VM is missing: godwit vm show VM/],
  ['vm show a b', /'b' is one argument too many/],
  ['vm ls -o xml', /--?o(utput)? is one of table, wide, json, yaml, name, not 'xml'/],
  ['migrate web1 --to --dry-run', /--to needs a value: --to HOST/],
  ['migrate web1 --to', /--to needs a value/],
  ['migrate web1 --to a --to b', /--to is given twice/],
  ['migrate web1 --dry-run=yes', /--dry-run takes no value/],
  ['vm start a --wait --detach', /exclude each other/],
  ['completion tcsh', /SHELL is one of bash, zsh, fish/],
])('%s', (line, message) => {
  expect(() => parse(line)).toThrow(message);
  try {
    parse(line);
  } catch (error) {
    expect((error as CliError).code).toBe(2);
    expect((error as CliError).message).toMatch(/\(see godwit help/);
    expect((error as CliError).message).not.toContain('\n');
  }
});

test.each([
  ['max-pause', '50', /--max-pause is a time like 50ms/],
  ['bandwidth', 'fast', /--bandwidth is a rate like 100M/],
  ['max-rounds', '1.5', /--max-rounds is a whole number from 1 to 1000/],
])('--%s %s', (name, text, message) => {
  const { flags } = command(`migrate web1 --${name} ${text}`);
  const read = {
    'max-pause': () => flags.duration(name),
    bandwidth: () => flags.rate(name),
    'max-rounds': () => flags.whole(name, 1, 1_000),
  }[name]!;
  expect(read).toThrow(message);
});
