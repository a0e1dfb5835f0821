/** Results on standard output, in the format that -o asks for. */
import { stringify } from 'yaml';
import type { Format } from '../core/shared-options';
import type { Io } from './io';
import { styleFor, type Style } from './style';
import { type Column, detailLines, type TableOptions, tableLines } from './table';

export type Details = readonly (readonly [name: string, value: string | readonly string[]])[];

/** One sort of thing that is listed and shown. */
export interface Kind<T> {
  readonly columns: readonly Column<T>[];
  /** For -o name: what other commands take. */
  readonly name: (item: T) => string;
  readonly details?: (item: T) => Details;
}

export class Output {
  readonly style: Style;

  constructor(
    readonly io: Io,
    readonly format: Format,
    readonly headers: boolean,
  ) {
    this.style = styleFor(io.outIsTerminal, io.env);
  }

  get forPeople(): boolean {
    return this.format === 'table' || this.format === 'wide';
  }

  /** @param none said on standard error when there is nothing to list */
  list<T extends object>(kind: Kind<T>, items: readonly T[], none: string): void {
    if (!this.forPeople) return this.io.out(this.encode(kind, items));
    if (items.length === 0) return this.io.say(none);
    this.io.out(joined(this.table(kind, items)));
  }

  /** One thing, at length. */
  one<T extends object>(kind: Kind<T>, item: T): void {
    if (!this.forPeople) return this.io.out(this.encode(kind, item));
    const lines = kind.details ? detailLines(kind.details(item), this.style) : this.table(kind, [item]);
    this.io.out(joined(lines));
  }

  /** The result of a command that does something: nothing in a table's place, since standard error has told it. */
  result<T extends object>(item: T, name: (item: T) => string): void {
    if (!this.forPeople) this.io.out(this.encode({ columns: [], name }, item));
  }

  /** One change of a watch: a line of its own in every format. */
  change<T extends object>(kind: Kind<T>, item: T, what: 'put' | 'removed'): void {
    const { format } = this;
    if (format === 'json') this.io.out(`${JSON.stringify({ change: what, item })}\n`);
    else if (format === 'yaml') this.io.out(`---\n${stringify({ change: what, item })}`);
    else if (format === 'name') this.io.out(what === 'put' ? `${kind.name(item)}\n` : '');
  }

  table<T>(kind: Kind<T>, items: readonly T[], options: Pick<TableOptions, 'columns' | 'widths' | 'headers'> = {}): string[] {
    return tableLines(kind.columns, items, { wide: this.format === 'wide', headers: this.headers, style: this.style, ...options });
  }

  private encode<T>(kind: Kind<T>, value: T | readonly T[]): string {
    if (this.format === 'json') return `${JSON.stringify(value, null, 2)}\n`;
    if (this.format === 'yaml') return stringify(value);
    return joined((Array.isArray(value) ? (value as readonly T[]) : [value as T]).map(kind.name));
  }
}

export const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
