/**
 * Whether a history of concurrent operations on one key can be put into one order that explains every answer,
 * with each operation somewhere between its call and its answer (Wing and Gong's search, with
 * Lowe's memory of what was tried). Values are named by who wrote them; null: no such key.
 */
export type Value = string | null;

export interface Operation {
  readonly client: number;
  /** Any clock that all clients share. */
  readonly called: number;
  /** Infinity: no answer, it may have happened at any time since, or never. */
  readonly answered: number;
  readonly act:
    | { readonly do: 'read'; readonly saw: Value }
    | { readonly do: 'write'; readonly expected?: Value; readonly wrote: Value; readonly done: boolean };
}

/** Undefined: there is such an order. Else the operations before which every attempt ends. */
export function findViolation(history: readonly Operation[], initial: Value = null): readonly Operation[] | undefined {
  const operations = [...history].sort((a, b) => a.called - b.called);
  const tried = new Set<string>();
  let furthest: readonly number[] = [];

  const search = (done: readonly number[], isDone: Uint8Array, value: Value): boolean => {
    const open = operations.map((_, index) => index).filter((index) => !isDone[index]);
    if (open.every((index) => operations[index].answered === Number.POSITIVE_INFINITY)) return true;
    if (done.length > furthest.length) furthest = done;
    const memo = `${String.fromCharCode(...isDone)}|${value}`;
    if (tried.has(memo)) return false;
    tried.add(memo);
    const firstAnswer = Math.min(...open.map((index) => operations[index].answered));
    for (const index of open) {
      const operation = operations[index];
      // What was called after another was answered cannot come before it.
      if (operation.called > firstAnswer) break;
      const next = step(operation, value);
      if (next === undefined) continue;
      isDone[index] = 1;
      if (search([...done, index], isDone, next)) return true;
      isDone[index] = 0;
    }
    return false;
  };
  if (search([], new Uint8Array(operations.length), initial)) return undefined;
  const left = operations.filter((_, index) => !furthest.includes(index));
  return left.slice(0, 8);
}

/** The value afterwards; undefined: its answer does not fit. */
function step({ act, answered }: Operation, value: Value): Value | undefined {
  if (act.do === 'read') return act.saw === value ? value : undefined;
  const fits = act.expected === undefined || act.expected === value;
  if (act.done || answered === Number.POSITIVE_INFINITY) return fits ? act.wrote : undefined;
  return fits ? undefined : value;
}
