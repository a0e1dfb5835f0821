/**
 * What became of each order, over restarts of the agent. An order is done once: one that comes again gets the
 * result that is here. Pure but for `append`, which makes a line durable before it returns.
 *
 *     taken ──► working ──► done | failed | refused ──► acknowledged ──► forgotten, after a while
 *                  └─ the agent dies ─► unknown ──┘
 */
import type { OrderKind, OrderResult, VmPlace } from '../messages';
import { MAX_REMEMBERED_RESULTS, RESULT_MEMORY_MS } from '../limits';

/** An order as far as it is needed to say later what became of it, and to clean up. No secrets. */
export interface Taken {
  readonly orderId: string;
  readonly kind: OrderKind;
  readonly vmId: string;
  readonly place?: VmPlace;
  readonly takenAtMs: number;
}

export type JournalLine =
  | { readonly taken: Taken }
  | { readonly result: OrderResult; readonly atMs: number }
  | { readonly acknowledged: readonly string[]; readonly atMs: number };

interface Entry {
  readonly taken: Taken;
  result?: OrderResult;
  acknowledged: boolean;
  atMs: number;
}

export class OrderJournal {
  private readonly entries = new Map<string, Entry>();

  /** @param lines what earlier agents appended, the oldest first; what cannot be read has been left out */
  constructor(
    lines: Iterable<JournalLine>,
    private readonly append: (line: JournalLine) => void,
  ) {
    for (const line of lines) this.apply(line);
  }

  /** Orders that the last agent was at when it died: each needs a `finish`. */
  get interrupted(): Taken[] {
    return [...this.entries.values()].filter(({ result }) => !result).map(({ taken }) => taken);
  }

  /** Undefined: never heard of. A result in state WORKING: it is being done. */
  known(orderId: string): OrderResult | undefined {
    const entry = this.entries.get(orderId);
    return entry && (entry.result ?? working(orderId));
  }

  take(taken: Taken): void {
    this.write({ taken });
  }

  finish(result: OrderResult, nowMs: number): void {
    this.write({ result, atMs: nowMs });
    this.forget(nowMs);
  }

  acknowledge(orderIds: readonly string[], nowMs: number): void {
    const here = orderIds.filter((id) => this.entries.get(id)?.acknowledged === false && this.entries.get(id)?.result);
    if (here.length > 0) this.write({ acknowledged: here, atMs: nowMs });
    this.forget(nowMs);
  }

  /** Those that no controller has acknowledged, and those still being done, for Hello. */
  get open(): OrderResult[] {
    return [...this.entries.values()]
      .filter(({ acknowledged }) => !acknowledged)
      .map(({ taken, result }) => result ?? working(taken.orderId));
  }

  /** The shortest lines that say all this. */
  lines(): JournalLine[] {
    return [...this.entries.values()].flatMap(({ taken, result, acknowledged, atMs }): JournalLine[] => [
      { taken },
      ...(result ? [{ result, atMs }] : []),
      ...(acknowledged ? [{ acknowledged: [taken.orderId], atMs }] : []),
    ]);
  }

  private write(line: JournalLine): void {
    this.append(line);
    this.apply(line);
  }

  private apply(line: JournalLine): void {
    if ('taken' in line) this.entries.set(line.taken.orderId, { taken: line.taken, acknowledged: false, atMs: line.taken.takenAtMs });
    else if ('result' in line) {
      const entry = this.entries.get(line.result.orderId);
      if (entry) Object.assign(entry, { result: line.result, atMs: line.atMs });
    } else
      for (const orderId of line.acknowledged) {
        const entry = this.entries.get(orderId);
        // What nobody asks for any more needs its answer no longer: only that it was done.
        if (entry?.result) Object.assign(entry, { acknowledged: true, atMs: line.atMs, result: bare(entry.result) });
      }
  }

  /** Of those acknowledged, the oldest; of the others none is ever dropped. */
  private forget(nowMs: number): void {
    const settled = [...this.entries.values()].filter(({ acknowledged }) => acknowledged).sort((a, b) => a.atMs - b.atMs);
    const most = settled.length - MAX_REMEMBERED_RESULTS;
    for (const [index, { taken, atMs }] of settled.entries())
      if (index < most || nowMs - atMs > RESULT_MEMORY_MS) this.entries.delete(taken.orderId);
  }
}

const working = (orderId: string): OrderResult => ({ orderId, state: 'ORDER_STATE_WORKING', code: '', line: '', progress: 0 });

/** Without tokens and bulk. */
const bare = ({ orderId, state, code, line, progress }: OrderResult): OrderResult => ({ orderId, state, code, line, progress });
