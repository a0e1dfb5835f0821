/** Proves that the judge of the long tests' histories finds what it is there for, and takes sound histories for sound. */
import { brokenLeases, lostWrites } from '../support/history.mjs';

const sample = (host: string, epoch: number, askedMs: number, answeredMs = askedMs + 5, vmmId = `p-${host}-${epoch}`) => ({
  vm: 'web',
  host,
  vmmId,
  epoch,
  askedMs,
  answeredMs,
});
const claim = (epoch: number, vmmId: string) => ({ vm: 'web', epoch, vmmId });

test('a VM that is handed over is sound, also where samples overlap', () => {
  const samples = [sample('a', 1, 0), sample('a', 1, 100), sample('b', 2, 102), sample('a', 1, 103), sample('b', 2, 200)];
  expect(brokenLeases(samples, [claim(1, 'p-a-1'), claim(1, 'p-a-1'), claim(2, 'p-b-2')])).toEqual([]);
});

test('one that runs on after another has run is found', () => {
  expect(brokenLeases([sample('a', 1, 0), sample('b', 2, 100), sample('a', 1, 106)], [])).toEqual([
    'web ran on a under epoch 1 although it had been seen to run on b under epoch 2',
  ]);
});

test('… also behind an answer that took long', () => {
  const samples = [sample('b', 2, 100, 900), sample('b', 2, 300, 310), sample('a', 1, 400, 410)];
  expect(brokenLeases(samples, [])).toHaveLength(1);
});

test('an epoch with two owners is found, and one that runs without being the owner', () => {
  expect(brokenLeases([], [claim(3, 'x'), claim(3, 'y')])).toEqual(['web epoch 3 was claimed by x and by y']);
  expect(brokenLeases([sample('a', 3, 0)], [claim(3, '')])).toEqual(['web ran on a under epoch 3, whose owner is nobody']);
});

test('a write that is gone, doubled or out of order is found; one that nobody was told of may be there or not', () => {
  expect(lostWrites([1, 2, 4], [1, 2, 3, 4])).toEqual([]);
  expect(lostWrites([1, 2, 4], [1, 4])).toEqual(['1 of 3 acknowledged writes are gone, the first is 2']);
  expect(lostWrites([1], [1, 2, 2])).toEqual(['1 writes are there twice']);
  expect(lostWrites([], [2, 1])).toEqual(['write 1 stands behind 2']);
});
