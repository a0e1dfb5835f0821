/** Links that migrations pass, and how they share them. */
import type { HostEntry, Link, MoveEntry } from './model';
import type { View } from './view';

/** Migrations on each link and direction: `out <link>`, `in <link>`. */
export type LinkTraffic = ReadonlyMap<string, number>;

export interface Passage {
  /** As in LinkTraffic. */
  readonly key: string;
  readonly link: Link;
}

/** What a move between two hosts passes: links that only one of them is on. Links that nobody described are left out. */
export function passages(view: View, source: HostEntry | undefined, target: HostEntry | undefined): Passage[] {
  const side = (way: 'out' | 'in', here: HostEntry | undefined, there: HostEntry | undefined): Passage[] =>
    (here?.links ?? [])
      .filter((id) => !there?.links.includes(id))
      .flatMap((id) => {
        const link = view.link(id);
        return link ? [{ key: `${way} ${id}`, link }] : [];
      });
  return [...side('out', source, target), ...side('in', target, source)];
}

const passagesOf = (view: View, move: MoveEntry): Passage[] =>
  move.sourceId === null || move.sourceId === move.targetId ? [] : passages(view, view.host(move.sourceId), view.host(move.targetId));

export function trafficOf(view: View): LinkTraffic {
  const traffic = new Map<string, number>();
  for (const move of view.moves()) for (const { key } of passagesOf(view, move)) traffic.set(key, (traffic.get(key) ?? 0) + 1);
  return traffic;
}

/** What one migration more between the two could have, bytes a second; without known links what is assumed. */
export function rateBetween(view: View, traffic: LinkTraffic, source: HostEntry | undefined, target: HostEntry): number {
  const { linkShare, assumedBytesPerSecond } = view.settings.moves;
  let rate = Infinity;
  for (const { key, link } of passages(view, source, target)) {
    rate = Math.min(rate, (link.bytesPerSecond * linkShare) / ((traffic.get(key) ?? 0) + 1));
  }
  return rate === Infinity ? assumedBytesPerSecond : rate;
}

/**
 * Rates for the moves under way, bytes a second by move id: max-min fair over all links, within each move's own limit.
 * A move that no known link holds back has its own limit, or Infinity.
 */
export function bandwidthShares(view: View): Map<string, number> {
  const moves = [...view.moves()].filter(({ sourceId, targetId }) => sourceId !== null && sourceId !== targetId);
  const rates = new Map<string, number>();
  const links = new Map<string, { left: number; moves: Set<MoveEntry> }>();
  const passed = new Map(moves.map((move) => [move, passagesOf(view, move)]));
  for (const [move, passages] of passed) {
    for (const { key, link } of passages) {
      const known = links.get(key) ?? { left: link.bytesPerSecond * view.settings.moves.linkShare, moves: new Set() };
      links.set(key, known);
      known.moves.add(move);
    }
  }
  const open = new Set(moves);
  // Each pass settles at least one move: those of the tightest link, or those whose own limit is tighter.
  while (open.size > 0) {
    let fair = Infinity;
    for (const { left, moves: on } of links.values()) if (on.size > 0) fair = Math.min(fair, left / on.size);
    let least = Infinity;
    for (const { bytesPerSecond } of open) least = Math.min(least, bytesPerSecond ?? Infinity);
    const rate = Math.max(0, Math.min(fair, least));
    const settled = [...open].filter(
      (move) =>
        (move.bytesPerSecond ?? Infinity) <= rate ||
        passed.get(move)!.some(({ key }) => links.get(key)!.left / links.get(key)!.moves.size <= rate),
    );
    for (const move of settled) {
      rates.set(move.id, rate);
      open.delete(move);
      for (const { key } of passed.get(move)!) {
        const link = links.get(key)!;
        link.left -= rate;
        link.moves.delete(move);
      }
    }
    if (settled.length === 0) {
      for (const move of open) rates.set(move.id, rate);
      open.clear();
    }
  }
  return rates;
}
