/**
 * Figures from points in time, in milliseconds of the host's monotonic clock
 * (`nowMs`): gaps between arrivals, speed from counters that arrive with them.
 */

/** CLOCK_MONOTONIC, as the probe has it. */
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** The longest time without a point between `from` and `to`: { ms, from, to }. The ends count as points only where nothing lies beyond them. */
export function longestGap(times, from, to) {
  let longest = { ms: 0, from, to: from };
  let last = times.length > 0 && times[0] <= from ? undefined : from;
  for (const at of times) {
    if (last !== undefined && at > from && Math.min(at, to) - last > longest.ms) longest = { ms: at - last, from: last, to: at };
    if (at >= to) return longest;
    last = at;
  }
  if (last !== undefined && to - last > longest.ms) longest = { ms: to - last, from: last, to };
  return longest;
}

/** The longest time without a point that touches that stretch, all of it: { ms, from, to }. */
export function gapAcross(times, from, to) {
  let longest = { ms: 0, from, to: from };
  for (let next = 1; next < times.length; next++) {
    const [before, after] = [times[next - 1], times[next]];
    if (before <= to && after >= from && after - before > longest.ms) longest = { ms: after - before, from: before, to: after };
  }
  return longest;
}

/** The longest gap of each of the pieces that the time before a move is cut into: what the measure itself does on this machine now. */
export function jitter(times, from, to, pieces = 4) {
  const each = (to - from) / pieces;
  return Array.from({ length: pieces }, (_, at) => longestGap(times, from + at * each, from + (at + 1) * each).ms);
}

/** Units a millisecond between two points in time, of [ms, counter] pairs that rise. NaN when there are too few. */
export function speed(points, from, to) {
  const inside = points.filter(([ms]) => ms >= from && ms <= to);
  if (inside.length < 2) return Number.NaN;
  const [[firstMs, first], [lastMs, last]] = [inside[0], inside.at(-1)];
  return lastMs > firstMs ? (last - first) / (lastMs - firstMs) : Number.NaN;
}

/**
 * Milliseconds from `from` to the end of the first window of `windowMs` in which the speed
 * is at least `share` of `full`; Infinity when there is none.
 */
export function untilFullSpeed(points, from, full, { share = 0.9, windowMs = 40 } = {}) {
  const after = points.filter(([ms]) => ms >= from);
  let end = 0;
  for (let start = 0; start < after.length; start++) {
    while (end < after.length && after[end][0] < after[start][0] + windowMs) end++;
    if (end === after.length) return Number.POSITIVE_INFINITY;
    const [[startMs, startDone], [endMs, endDone]] = [after[start], after[end]];
    if ((endDone - startDone) / (endMs - startMs) >= share * full) return endMs - from;
  }
  return Number.POSITIVE_INFINITY;
}

const sorted = (list) => list.filter(Number.isFinite).sort((a, b) => a - b);
/** Of what is finite; NaN of nothing. */
export function quantile(list, share) {
  const all = sorted(list);
  return all.length === 0 ? Number.NaN : all[Math.min(all.length - 1, Math.floor(all.length * share))];
}
export function median(list) {
  const all = sorted(list);
  const middle = all.length >> 1;
  if (all.length === 0) return Number.NaN;
  return all.length % 2 ? all[middle] : (all[middle - 1] + all[middle]) / 2;
}
