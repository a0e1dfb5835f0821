/** Tables: columns as wide as what stands in them. */
import { cut, plain, printable, type Style, type Tone } from './style';

export interface Column<T> {
  readonly title: string;
  readonly cell: (item: T) => string;
  /** Only with -o wide. */
  readonly wide?: boolean;
  /** Also without it, as soon as one row has something to say there. */
  readonly whenSaid?: boolean;
  readonly right?: boolean;
  /** Changes all the time: no reason for a new line where a watch writes a line for each change. */
  readonly live?: boolean;
  readonly tone?: (item: T) => Tone | undefined;
}

export interface TableOptions {
  readonly wide?: boolean;
  readonly headers?: boolean;
  readonly style?: Style;
  /** Cuts lines there: for what is drawn in place. */
  readonly columns?: number;
  /** At least so wide, by column; grows: for lines that come one by one. */
  readonly widths?: number[];
}

/** A line each, without line breaks at their ends. */
export function tableLines<T>(columns: readonly Column<T>[], items: readonly T[], options: TableOptions = {}): string[] {
  const { wide = false, headers = true, style = plain } = options;
  const shown = columns.filter((column) => wide || !column.wide || (column.whenSaid && items.some((item) => column.cell(item) !== '')));
  const cells = items.map((item) => shown.map((column) => printable(column.cell(item)) || '-'));
  const widths = shown.map(({ title }, at) =>
    Math.max(options.widths?.[at] ?? 0, headers ? title.length : 0, ...cells.map((row) => [...row[at]].length)),
  );
  options.widths?.splice(0, widths.length, ...widths);
  const line = (row: readonly string[], tone: (at: number) => Tone | undefined): string => {
    let left = options.columns ?? Number.POSITIVE_INFINITY;
    const parts: string[] = [];
    for (const [at, text] of row.entries()) {
      const last = at === row.length - 1;
      const space = ' '.repeat(widths[at] - [...text].length);
      const padded = shown[at].right ? space + text : last ? text : text + space;
      if (left <= 0) break;
      const fits = cut(padded, left);
      parts.push(style(tone(at), fits));
      left -= [...fits].length + 2;
    }
    return parts.join('  ').trimEnd();
  };
  const titles = headers
    ? [
        line(
          shown.map(({ title }) => title),
          () => 'dim',
        ),
      ]
    : [];
  return [...titles, ...cells.map((row, at) => line(row, (column) => shown[column].tone?.(items[at])))];
}

/** `name:  value` lines, values below each other; those without a value are left out. */
export function detailLines(
  details: readonly (readonly [name: string, value: string | readonly string[]])[],
  style: Style = plain,
): string[] {
  const given = details
    .map(([name, value]) => [name, typeof value === 'string' ? (value === '' ? [] : [value]) : value] as const)
    .filter(([, values]) => values.length > 0);
  const width = Math.max(0, ...given.map(([name]) => name.length)) + 1;
  return given.flatMap(([name, values]) =>
    values.map((value, at) => `${style('dim', (at === 0 ? `${name}:` : '').padEnd(width))}  ${printable(value)}`),
  );
}
