/** Proves: what is drawn again stands in its place, never taller or wider than the terminal, and what is written afterwards comes below. */
import { screenOf } from '../testing/screen';
import { Redraw } from './redraw';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function drawn(rows = 24) {
  let text = '';
  const redraw = new Redraw(
    (more) => void (text += more),
    () => rows,
  );
  return { redraw, screen: () => screenOf(text, 20).filter(Boolean), count: () => text.split('\x1b[J').length - 1 };
}

test('later lines replace earlier ones, also when they are fewer', () => {
  const { redraw, screen } = drawn();
  redraw.show(() => ['one', 'two', 'three']);
  jest.advanceTimersByTime(1_000);
  redraw.show(() => ['eins', 'zwei']);
  expect(screen()).toEqual(['eins', 'zwei']);
});

test('of many only the last is drawn, a while after the one before', () => {
  const { redraw, screen, count } = drawn();
  for (let at = 0; at < 100; at++) redraw.show(() => [`line ${at}`]);
  expect([screen(), count()]).toEqual([['line 0'], 1]);
  jest.advanceTimersByTime(1_000);
  expect([screen(), count()]).toEqual([['line 99'], 2]);
});

test('what does not fit is left out, but for the last drawing', () => {
  const { redraw, screen } = drawn(4);
  const many = ['1', '2', '3', '4', '5', '6'];
  redraw.show(() => many);
  expect(screen()).toEqual(['1', '2', '3']);
  redraw.end(many);
  expect(screen()).toEqual(many);
});

test('long lines do not wrap, so that the count of lines is right', () => {
  const { redraw, screen } = drawn();
  redraw.show(() => ['x'.repeat(50), 'second']);
  jest.advanceTimersByTime(1_000);
  redraw.show(() => ['short', 'second']);
  expect(screen()).toEqual(['short', 'second']);
});

test('after the end nothing is drawn over', () => {
  const { redraw, screen } = drawn();
  redraw.show(() => ['view']);
  redraw.end();
  redraw.show(() => ['next']);
  jest.advanceTimersByTime(1_000);
  expect(screen()).toEqual(['view', 'next']);
});
