/** When each of a drain's moves can begin if only so many run at a time. */

interface Timed {
  readonly choice: { readonly host: { readonly id: string } };
  readonly estimate: { readonly ms: number };
}

/** In the order of their beginnings. The first move whose target has a slot goes first; limits are at least 1. */
export function timetable<T extends Timed>(moves: readonly T[], out: number, inPerHost: number): (T & { startsInMs: number })[] {
  const sending = slots(out, moves.length);
  const receiving = new Map<string, number[]>();
  const timed: (T & { startsInMs: number })[] = [];
  for (const move of moves) {
    const { id } = move.choice.host;
    const target = receiving.get(id) ?? slots(inPerHost, moves.length);
    receiving.set(id, target);
    const [from, to] = [earliest(sending), earliest(target)];
    const startsInMs = Math.max(sending[from], target[to]);
    sending[from] = target[to] = startsInMs + move.estimate.ms;
    timed.push({ ...move, startsInMs });
  }
  return timed.sort((a, b) => a.startsInMs - b.startsInMs);
}

const slots = (limit: number, moves: number): number[] => new Array<number>(Math.max(1, Math.min(limit, moves))).fill(0);

function earliest(slots: readonly number[]): number {
  let best = 0;
  for (let i = 1; i < slots.length; i++) if (slots[i] < slots[best]) best = i;
  return best;
}
