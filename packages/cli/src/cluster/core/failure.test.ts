/** Proves: each word of controller.proto's table, and each status, has an exit code; an answer that was lost leaves the outcome open only if something was to change. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { WireError } from '@godwit/wire';
import { CliError } from '../../errors';
import { failureOf, ORDER_WORDS, WORDS } from './failure';

const code = (error: unknown): number => (error as CliError).code;
const refused = (word: string, status: WireError['code'] = 'precondition'): WireError =>
  new WireError(status, 'why', { 'godwit-error-code': word }, true);

test('every word of the table in controller.proto has its code, and no other', () => {
  const proto = readFileSync(path.join(__dirname, '../../../../../proto/godwit/v1/controller.proto'), 'utf8');
  const table = proto.slice(proto.indexOf('status               codes'), proto.indexOf('Watches begin'));
  const words = [
    ...table
      .replaceAll('internal:', 'internal')
      .replace(/\((?!internal)[^)]*\)/g, '')
      .replace(/internal a defect.*$/ms, 'internal')
      .matchAll(/\b[a-z][a-z]*(?:-[a-z]+)*\b/g),
  ]
    .map(([word]) => word)
    .filter((word) => word !== 'status' && word !== 'codes');
  expect(words.length).toBeGreaterThan(25);
  expect(words.filter((word) => WORDS[word] === undefined)).toEqual([]);
  expect(Object.keys(WORDS).filter((word) => !words.includes(word))).toEqual([]);
});

test('every word of an agent has its code, and no other', () => {
  const proto = readFileSync(path.join(__dirname, '../../../../../proto/godwit/v1/agent.proto'), 'utf8');
  const table = proto.slice(
    proto.indexOf('Of FAILED and REFUSED, fixed words:'),
    proto.indexOf('string code = 3;', proto.indexOf('message OrderResult')),
  );
  const words = [...table.matchAll(/(?:\/\/ {3}| {2,})([a-z]+(?:-[a-z]+)*) {2,}\S/g)].map(([, word]) => word);
  expect(words.sort()).toEqual(Object.keys(ORDER_WORDS).sort());
});

test.each([
  ['no-vm', 3],
  ['wrong-state', 4],
  ['host-unreachable', 5],
  ['role', 6],
  ['bad-name', 2],
  ['internal', 1],
])('%s is %i', (word, expected) => expect(code(failureOf(refused(word)))).toBe(expected));

test('without a word the status decides', () => {
  expect(code(failureOf(new WireError('not-found', 'x')))).toBe(3);
  expect(code(failureOf(new WireError('denied', 'x')))).toBe(6);
  expect(code(failureOf(new WireError('unavailable', 'nobody listens')))).toBe(5);
});

test('an answer that did not come: 5 for a question, 8 for a change', () => {
  const late = new WireError('deadline', 'no answer in 30 s: whether it was done is not known');
  expect([code(failureOf(late)), code(failureOf(late, true))]).toEqual([5, 8]);
});

test('a login that is missing is named', () => {
  expect((failureOf(refused('no-login', 'unauthenticated')) as CliError).message).toBe('why: godwit login');
});

test("another cluster's certificate is a denial", () => {
  expect(code(failureOf(new WireError('unavailable', 'the certificate of ctl-1:7443 is not of this cluster (X)')))).toBe(6);
});

test('defects stay what they are', () => {
  const defect = new TypeError('x');
  expect(failureOf(defect)).toBe(defect);
});
