/** Proves: columns are as wide as what stands in them, what a guest or label holds cannot reach the terminal, and colours come only where they are wanted. */
import { cut, printable, styleFor } from './style';
import { type Column, detailLines, tableLines } from './table';
import { ageText, bytesText, durationText, plural, rateText, wordOfEnum } from './units';

type Row = { name: string; size: number };
const columns: readonly Column<Row>[] = [
  { title: 'NAME', cell: ({ name }) => name, tone: () => 'good' },
  { title: 'SIZE', right: true, cell: ({ size }) => String(size) },
  { title: 'MORE', wide: true, cell: () => 'more' },
];
const rows = [
  { name: 'a-long-name', size: 5 },
  { name: '', size: 12345 },
];

test('aligned, with - for what is empty', () => {
  expect(tableLines(columns, rows)).toEqual(['NAME          SIZE', 'a-long-name      5', '-            12345']);
});
test('wide, and without headers', () => {
  expect(tableLines(columns, rows.slice(0, 1), { wide: true, headers: false })).toEqual(['a-long-name  5  more']);
});
test('cut at the terminal', () => {
  expect(tableLines(columns, rows, { columns: 8 }).every((line) => [...line].length <= 8)).toBe(true);
});
test('widths are kept for lines that come later', () => {
  const widths: number[] = [];
  tableLines(columns, rows, { widths });
  expect(tableLines(columns, [{ name: 'b', size: 1 }], { widths, headers: false })).toEqual(['b                1']);
});
test('details leave out what has no value', () => {
  expect(
    detailLines([
      ['name', 'web1'],
      ['note', ''],
      ['disks', ['a', 'b']],
    ]),
  ).toEqual(['name:   web1', 'disks:  a', '        b']);
});
test('control characters do not pass', () => {
  expect(printable('a\x1b[31mb\tc\nd\x07')).toBe('a\ufffd[31mb c d\ufffd');
  expect(cut('abcdef', 4)).toBe('abc…');
});
test('colours: on a terminal, unless NO_COLOR or a dumb one', () => {
  const coloured = (terminal: boolean, env: Record<string, string>) => styleFor(terminal, env)('good', 'x') !== 'x';
  expect([
    coloured(true, {}),
    coloured(false, {}),
    coloured(true, { NO_COLOR: '1' }),
    coloured(true, { TERM: 'dumb' }),
    coloured(true, { NO_COLOR: '' }),
  ]).toEqual([true, false, false, false, true]);
});
test('figures', () => {
  expect([bytesText(0), bytesText(1536), bytesText(512 * 2 ** 20), bytesText(1.5 * 2 ** 30)]).toEqual([
    '0 B',
    '1.5 KiB',
    '512 MiB',
    '1.5 GiB',
  ]);
  expect([durationText(31.24), durationText(14_230), durationText(200_000), durationText(7_500_000)]).toEqual([
    '31.2 ms',
    '14.2 s',
    '3 m 20 s',
    '2 h 5 m',
  ]);
  expect([rateText(131e6), rateText(1.25e6), rateText(0)]).toEqual(['131 MB/s', '1.3 MB/s', '0 MB/s']);
  expect([ageText(0, 5), ageText(1_000, 61_000), ageText(1, 299_000), ageText(1, 1e9)]).toEqual(['', '60s', '4m', '11d']);
  expect([
    wordOfEnum('VM_STATE_RUNNING', 'VM_STATE_'),
    wordOfEnum('VM_STATE_UNSPECIFIED', 'VM_STATE_'),
    plural(1, 'VM'),
    plural(2, 'VM'),
  ]).toEqual(['running', '', '1 VM', '2 VMs']);
});
