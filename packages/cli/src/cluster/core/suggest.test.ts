/** Proves: the nearest word is found by spelling, beginning and meaning, and none is offered that is not near. */
import { didYouMean, distance, nearest } from './suggest';

test.each([
  ['wbe1', ['web1', 'db1'], 'web1'],
  ['web', ['web1', 'db1'], 'web1'],
  ['web', ['web1', 'web2'], 'web1'],
  ['delete', ['ls', 'rm'], 'rm'],
  ['zebra', ['web1', 'db1'], undefined],
  ['x', ['y'], 'y'],
  ['x', [], undefined],
])('%s among %j', (word, among, meant) => expect(nearest(word, among)).toBe(meant));

test('distance counts a swap of neighbours as one', () => {
  expect([distance('', 'abc'), distance('abcd', 'abcd'), distance('abcd', 'abdc'), distance('abcd', 'xbcy')]).toEqual([3, 0, 1, 2]);
});

test('the hint is a question, or nothing', () => {
  expect(didYouMean('lss', ['ls'], 'godwit vm ')).toBe('; did you mean godwit vm ls?');
  expect(didYouMean('quux', ['ls'])).toBe('');
});
