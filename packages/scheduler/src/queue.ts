/**
 * Which of the waiting migrations may begin, and what each of the others waits for.
 *
 * Higher priorities go first; waiting raises a priority slowly, so that none waits for ever. Among equals, owners
 * take turns: a drain of 500 VMs does not hold up somebody's single migration. One that must wait holds up no other.
 */
import { passages, trafficOf } from './bandwidth';
import { compareText, count, names } from './text';
import type { View } from './view';

export interface QueuedMove {
  readonly id: string;
  readonly vmId: string;
  readonly sourceId: string;
  /** Null: not chosen yet; only the source and the cluster are looked at. */
  readonly targetId: string | null;
  /** As MoveEntry.owner. */
  readonly owner: string;
  readonly priority: number;
  readonly sinceMs: number;
}

export type WaitCode = 'vm-busy' | 'cluster-limit' | 'source-limit' | 'target-limit' | 'bandwidth';

export interface Waiting {
  readonly id: string;
  /** All of them; at least one. */
  readonly reasons: readonly { readonly code: WaitCode; readonly line: string }[];
}

export interface Turn {
  /** Ids, in this order. They may begin all at once. */
  readonly begin: readonly string[];
  /** In the order of their turns. */
  readonly waiting: readonly Waiting[];
}

export function pickMoves(view: View, queue: readonly QueuedMove[], nowMs: number): Turn {
  const slots = new Slots(view);
  const begin: string[] = [];
  const waiting: Waiting[] = [];
  for (const move of inTurn(view, queue, nowMs)) {
    const reasons = slots.against(move);
    if (reasons.length > 0) waiting.push({ id: move.id, reasons });
    else {
      slots.take(move);
      begin.push(move.id);
    }
  }
  return { begin, waiting };
}

function inTurn(view: View, queue: readonly QueuedMove[], nowMs: number): QueuedMove[] {
  const { agingMs } = view.settings.moves;
  const urgency = ({ priority, sinceMs }: QueuedMove): number => priority + Math.floor(Math.max(0, nowMs - sinceMs) / agingMs);
  const turns = new Map<string, number>();
  for (const { owner } of view.moves()) turns.set(owner, (turns.get(owner) ?? 0) + 1);
  const ofOwner = (a: QueuedMove, b: QueuedMove): number => urgency(b) - urgency(a) || a.sinceMs - b.sinceMs || compareText(a.id, b.id);
  return [...queue]
    .sort(ofOwner)
    .map((move) => {
      const turn = turns.get(move.owner) ?? 0;
      turns.set(move.owner, turn + 1);
      return { move, turn };
    })
    .sort((a, b) => urgency(b.move) - urgency(a.move) || a.turn - b.turn || ofOwner(a.move, b.move))
    .map(({ move }) => move);
}

/** What is taken, with those that have just been allowed to begin. */
class Slots {
  private readonly out = new Map<string, string[]>();
  private readonly in = new Map<string, string[]>();
  private readonly busy = new Set<string>();
  private readonly links: Map<string, number>;
  private total = 0;

  constructor(private readonly view: View) {
    this.links = new Map(trafficOf(view));
    for (const { vmId, sourceId, targetId } of view.moves()) {
      this.busy.add(vmId);
      if (sourceId === null || sourceId === targetId) continue;
      this.total++;
      append(this.out, sourceId, vmId);
      append(this.in, targetId, vmId);
    }
  }

  against({ vmId, sourceId, targetId }: QueuedMove): Waiting['reasons'] {
    const { outPerHost, inPerHost, inCluster, linkShare, leastBytesPerSecond } = this.view.settings.moves;
    const reasons: { code: WaitCode; line: string }[] = [];
    const wait = (code: WaitCode, line: string): void => void reasons.push({ code, line: `waits: ${line}` });
    if (this.busy.has(vmId)) wait('vm-busy', `${this.vm(vmId)} is moving or starting already`);
    if (this.total >= inCluster)
      wait('cluster-limit', `${count(this.total, 'migration')} under way in the cluster, at most ${inCluster} at a time`);
    const sending = this.out.get(sourceId) ?? [];
    if (sending.length >= outPerHost)
      wait('source-limit', `${this.host(sourceId)} sends ${this.all(sending)}, at most ${outPerHost} at a time`);
    if (targetId === null) return reasons;
    const receiving = this.in.get(targetId) ?? [];
    if (receiving.length >= inPerHost)
      wait('target-limit', `${this.host(targetId)} receives ${this.all(receiving)}, at most ${inPerHost} at a time`);
    for (const { key, link } of this.passages(sourceId, targetId)) {
      const on = this.links.get(key) ?? 0;
      if (on > 0 && (link.bytesPerSecond * linkShare) / (on + 1) < leastBytesPerSecond)
        wait('bandwidth', `the link ${link.id} carries ${count(on, 'migration')}; one more would leave each too little`);
    }
    return reasons;
  }

  take({ vmId, sourceId, targetId }: QueuedMove): void {
    this.busy.add(vmId);
    this.total++;
    append(this.out, sourceId, vmId);
    if (targetId === null) return;
    append(this.in, targetId, vmId);
    for (const { key } of this.passages(sourceId, targetId)) this.links.set(key, (this.links.get(key) ?? 0) + 1);
  }

  private passages(sourceId: string, targetId: string) {
    return passages(this.view, this.view.host(sourceId), this.view.host(targetId));
  }
  private host(id: string): string {
    return this.view.host(id)?.name ?? id;
  }
  private vm(id: string): string {
    return this.view.vm(id)?.facts.name ?? id;
  }
  private all(vmIds: readonly string[]): string {
    return names(vmIds.map((id) => this.vm(id)).sort(compareText));
  }
}

function append(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
