/** Proves the benchmark's arithmetic on known points: gaps, jitter, speeds, the time until full speed. */
import { gapAcross, jitter, longestGap, median, quantile, speed, untilFullSpeed } from './series.mjs';

/** A point each millisecond from 0 to 1000, but none within (from, to). */
const without = (from: number, to: number): number[] => Array.from({ length: 1001 }, (_, ms) => ms).filter((ms) => ms <= from || ms >= to);

test('the longest gap is found, with its ends, wherever it lies', () => {
  expect(longestGap(without(400, 470), 0, 1000)).toEqual({ ms: 70, from: 400, to: 470 });
  expect(longestGap(without(400, 470), 450, 1000)).toEqual({ ms: 70, from: 400, to: 470 });
  expect(longestGap(without(400, 470), 500, 1000).ms).toBe(1);
});

test('a silence that has not ended counts up to the end of the window', () => {
  expect(longestGap([0, 1, 2], 0, 100)).toEqual({ ms: 98, from: 2, to: 100 });
  expect(longestGap([], 0, 100).ms).toBe(100);
});

test('a gap that touches a stretch counts as a whole, others do not', () => {
  const times = without(400, 470).filter((ms) => ms <= 700 || ms >= 900);
  expect(gapAcross(times, 420, 430)).toEqual({ ms: 70, from: 400, to: 470 });
  expect(gapAcross(times, 465, 600).ms).toBe(70);
  expect(gapAcross(times, 480, 600).ms).toBe(1);
  expect(gapAcross([], 0, 10).ms).toBe(0);
});

test('jitter is the gap of each piece by itself', () => {
  expect(jitter(without(400, 470), 0, 1000, 4)).toEqual([1, 70, 1, 1]);
});

test('speed counts between the first and the last point of a window', () => {
  const points = without(0, 0).map((ms): [number, number] => [ms, ms * 3]);
  expect(speed(points, 100, 200)).toBe(3);
  expect(speed(points, 2000, 3000)).toBeNaN();
});

test('full speed is reached at the end of the first window that is fast enough', () => {
  const points = Array.from({ length: 501 }, (_, ms): [number, number] => [ms, ms < 100 ? ms : 100 + (ms - 100) * 10]);
  expect(untilFullSpeed(points, 0, 10, { windowMs: 40 })).toBe(136);
  expect(untilFullSpeed(points, 200, 10, { windowMs: 40 })).toBe(40);
  expect(untilFullSpeed(points, 0, 100)).toBe(Number.POSITIVE_INFINITY);
});

test('median and quantile leave out what was not measured', () => {
  expect(median([3, Number.NaN, 1, 2, Number.POSITIVE_INFINITY])).toBe(2);
  expect(median([1, 2])).toBe(1.5);
  expect(quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.95)).toBe(10);
  expect(median([])).toBeNaN();
});
