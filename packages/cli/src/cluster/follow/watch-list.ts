/**
 * A list that goes on: on a terminal a table that is drawn again in its place, elsewhere the table and then a line for
 * each change; with -o json a line for each, from the beginning.
 */
import type { CallOptions } from '@godwit/wire';
import type { Change } from '../commands/shared';
import type { Invocation } from '../core/command';
import { exitCodes } from '../../errors';
import { joined, type Kind } from '../output/output';
import { Redraw } from '../output/redraw';
import type { Client } from '../session/session';
import { attend } from './attention';

/** Ages go on although nothing changes. */
const TICK_MS = 1_000;

export interface Watched<T> {
  readonly kind: Kind<T>;
  /** What tells one from another. */
  readonly id: (item: T) => string;
  /** Shown while there is none. */
  readonly none: string;
  readonly begin: (client: Client, options: CallOptions) => AsyncIterable<Change<T>>;
  /** The order of rows; by name without it. */
  readonly order?: (a: T, b: T) => number;
}

/** Until Ctrl-C or the end of --timeout: that is how it is meant to end, so the code is 0. */
export async function watchList<T extends object>({ flags, io, output, session }: Invocation, watched: Watched<T>): Promise<number> {
  const { kind, id, none, begin } = watched;
  const order = watched.order ?? ((a: T, b: T) => (kind.name(a) < kind.name(b) ? -1 : 1));
  let items = new Map<string, T>();
  // A watch that is begun anew tells everything again; what has gone meanwhile is what it does not tell.
  let fresh: Map<string, T> | undefined;
  const isTable = output.forPeople && io.outIsTerminal;
  const redraw = new Redraw(
    (text) => io.out(text),
    () => io.rows(),
  );
  const widths: number[] = [];
  const rows = (): T[] => [...items.values()].sort(order);
  const lines = (): string[] => (items.size === 0 ? [none] : output.table(kind, rows(), { columns: io.columns() }));
  /** As many as fit; the last line counts the others. */
  const fitting = (): string[] => {
    const [all, most] = [lines(), Math.max(2, io.rows() - 1)];
    return all.length <= most
      ? all
      : [...all.slice(0, most - 1), output.style('dim', `… ${all.length - most + 1} more: a taller terminal, or without --watch`)];
  };
  const draw = (): void => redraw.show(fitting);
  const timer = isTable ? setInterval(draw, TICK_MS) : undefined;

  // What a line has said already is not said again.
  const written = new Map<string, string>();
  const steady = (item: T): string =>
    kind.columns
      .filter((column) => !column.live && (output.format === 'wide' || !column.wide))
      .map((column) => column.cell(item))
      .join('\t');

  const put = (item: T, isNew: boolean): void => {
    if (isTable) return draw();
    if (!output.forPeople) return output.change(kind, item, 'put');
    const text = steady(item);
    if (written.get(id(item)) === text) return;
    written.set(id(item), text);
    if (!isNew) io.out(joined(output.table(kind, [item], { headers: false, widths })));
  };
  const remove = (item: T): void => {
    written.delete(id(item));
    if (isTable) draw();
    else if (output.forPeople) io.out(`${kind.name(item)} was removed\n`);
    else output.change(kind, item, 'removed');
  };
  const take = ({ change, item }: Change<T>): void => {
    if (change === 'CHANGE_KIND_SYNCED') {
      const isFirst = items.size === 0;
      const gone = [...items].filter(([key]) => fresh && !fresh.has(key));
      if (fresh) items = fresh;
      fresh = undefined;
      for (const [, one] of gone) remove(one);
      if (isTable) draw();
      else if (output.forPeople && isFirst && items.size > 0) io.out(joined(output.table(kind, rows(), { widths })));
      return;
    }
    if (!item) return;
    const key = id(item);
    if (change === 'CHANGE_KIND_REMOVED') {
      fresh?.delete(key);
      if (items.delete(key)) remove(item);
      return;
    }
    const before = items.get(key);
    (fresh ?? items).set(key, item);
    // A first telling is a table's; a second one only what differs.
    if (fresh && before && JSON.stringify(before) === JSON.stringify(item)) return;
    put(item, fresh !== undefined && !before);
  };
  try {
    await attend(io, flags.duration('timeout'), async (signal) => {
      const changes = session().follow(
        (client, options) => {
          fresh = new Map();
          return begin(client, options);
        },
        () => false,
        signal,
      );
      for await (const one of changes) take(one);
    });
  } finally {
    clearInterval(timer);
    if (isTable) redraw.end(lines());
  }
  return exitCodes.ok;
}
