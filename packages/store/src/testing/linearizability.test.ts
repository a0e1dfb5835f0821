/** Proves that the history check passes what is right and catches the classic faults; histories of a real register, spoilt at random, are caught too. */
import { findViolation, type Operation, type Value } from './linearizability';
import { Random } from './random';

const read = (called: number, answered: number, saw: Value): Operation => ({ client: 0, called, answered, act: { do: 'read', saw } });
const write = (called: number, answered: number, expected: Value, wrote: Value, done = true): Operation => ({
  ...{ client: 1, called, answered },
  act: { do: 'write', expected, wrote, done },
});

test('overlapping operations may come in any order, others not', () => {
  expect(findViolation([write(0, 10, null, 'a'), read(5, 6, null), read(7, 8, 'a')])).toBeUndefined();
  expect(findViolation([write(0, 10, null, 'a'), read(5, 6, 'a'), read(7, 8, null)])).toBeDefined();
});

test('a stale read is caught', () => {
  expect(findViolation([write(0, 1, null, 'a'), read(2, 3, null)])).toBeDefined();
});

test('two writes that both replace the same value are caught', () => {
  expect(findViolation([write(0, 1, null, 'a'), write(2, 9, 'a', 'b'), write(3, 8, 'a', 'c')])).toBeDefined();
  expect(findViolation([write(0, 1, null, 'a'), write(2, 9, 'a', 'b'), write(3, 8, 'a', 'c', false)])).toBeUndefined();
});

test('a refusal without a reason is caught', () => {
  expect(findViolation([write(0, 1, null, 'a'), write(2, 3, 'a', 'b', false)])).toBeDefined();
});

test('a write without an answer may have happened, or not, or late', () => {
  const lost = write(0, Number.POSITIVE_INFINITY, null, 'a');
  expect(findViolation([lost, read(5, 6, null), read(7, 8, 'a')])).toBeUndefined();
  expect(findViolation([lost, read(5, 6, null)])).toBeUndefined();
  expect(findViolation([lost, read(5, 6, 'a'), read(7, 8, null)])).toBeDefined();
});

test('histories of a true register pass; with one read spoilt they do not', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const history: Operation[] = [];
    let value: Value = null;
    for (let at = 10; at < 600; at += 10) {
      // Takes effect at `at`; called and answered around it.
      const [called, answered] = [at - random.between(1, 25), at + random.between(1, 25)];
      if (random.chance(0.5)) history.push(read(called, answered, value));
      else {
        const expected: Value = random.chance(0.7) ? value : 'nothing';
        const done = expected === value;
        history.push(write(called, answered, expected, `v${at}`, done));
        if (done) value = `v${at}`;
      }
    }
    expect([seed, findViolation(history)]).toEqual([seed, undefined]);
    expect([seed, findViolation([...history, read(700, 701, 'never written')])]).not.toEqual([seed, undefined]);
  }
});
