/** Proves: contexts are kept as written, for their owner alone; which one is in force follows the documented order; a damaged file is named and stays as it is. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chooseContext, listContexts } from './choose';
import { checkoutConfigFile, readContexts, removeContext, saveContext, useContext, userConfigFile } from './file';

let folder: string;
let env: Record<string, string>;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'godwit-context-'));
  env = { XDG_CONFIG_HOME: path.join(folder, 'config') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (address: string) => ({ controllers: [address] });

test('where the file lies', () => {
  expect(userConfigFile({ GODWIT_CONFIG: '/a/b', XDG_CONFIG_HOME: '/x' })).toBe('/a/b');
  expect(userConfigFile({ XDG_CONFIG_HOME: '/x' })).toBe('/x/godwit/config.yaml');
  expect(userConfigFile({ HOME: '/home/u' })).toBe('/home/u/.config/godwit/config.yaml');
  // The XDG specification: a relative path is to be ignored.
  expect(userConfigFile({ HOME: '/home/u', XDG_CONFIG_HOME: 'x' })).toBe('/home/u/.config/godwit/config.yaml');
});

test('what is saved is read again, private, with paths relative to the file', () => {
  const file = userConfigFile(env);
  const certificates = path.join(path.dirname(file), 'prod');
  saveContext(file, 'prod', { controllers: ['a:1', 'b:2'], certificates });
  saveContext(file, 'other', { controllers: ['unix:/run/x'], ca: '/etc/ca.pem', token: 'secret' });
  expect(readContexts(file)).toEqual({
    current: 'prod',
    contexts: {
      prod: { controllers: ['a:1', 'b:2'], certificates },
      other: { controllers: ['unix:/run/x'], ca: '/etc/ca.pem', token: 'secret' },
    },
  });
  expect(readFileSync(file, 'utf8')).toMatch(/certificates: prod\n/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  useContext(file, 'other');
  expect(readContexts(file).current).toBe('other');
  expect([removeContext(file, 'other'), removeContext(file, 'other')]).toEqual([true, false]);
  expect(readContexts(file)).toMatchObject({ current: undefined, contexts: { prod: {} } });
});

test('which is in force: by name, then the checkout, then the chosen one', () => {
  saveContext(userConfigFile(env), 'prod', at('p:1'), { use: true });
  saveContext(userConfigFile(env), 'test', at('t:1'));
  const checkout = path.join(folder, 'checkout');
  const deep = path.join(checkout, 'docs', 'deep');
  mkdirSync(deep, { recursive: true });
  saveContext(checkoutConfigFile(checkout), 'up', at('u:1'), { use: true });
  const chosen = (where: string, wanted?: string, more = {}): string => chooseContext({ ...env, ...more }, where, wanted).name;
  expect(chosen(folder)).toBe('prod');
  expect(chosen(deep)).toBe('up');
  expect(chosen(deep, 'test')).toBe('test');
  expect(chosen(deep, undefined, { GODWIT_CONTEXT: 'test' })).toBe('test');
  expect(chosen(deep, 'prod', { GODWIT_CONTEXT: 'test' })).toBe('prod');
  expect(chosen(deep, undefined, { GODWIT_CONFIG: userConfigFile(env) })).toBe('prod');
  expect(listContexts(env, deep).map(({ name, inForce, isCheckout }) => [name, inForce, isCheckout])).toEqual([
    ['up', true, true],
    ['prod', false, false],
    ['test', false, false],
  ]);
});

test('none: the message says how to get one', () => {
  expect(() => chooseContext(env, folder, undefined)).toThrow(/no cluster yet: npm run up starts one here; godwit context add/);
  saveContext(userConfigFile(env), 'prod', at('p:1'));
  expect(() => chooseContext(env, folder, 'prdo')).toThrow(/no context prdo; did you mean prod\? \(there are: prod\)/);
  removeContext(userConfigFile(env), 'prod');
  saveContext(userConfigFile(env), 'a', at('p:1'));
  writeFileSync(userConfigFile(env), readFileSync(userConfigFile(env), 'utf8').replace(/^current.*\n/m, ''));
  expect(() => chooseContext(env, folder, undefined)).toThrow(/no context is chosen: godwit context use a/);
});

test.each([
  ['a: [', /damaged: /],
  ['contexts: 5', /`contexts` is to be a map/],
  ['contexts: {a: {}}', /context a: `controllers` is to be a list/],
  ['contexts: {a: {controllers: [x], token: 5}}', /`token` is to be text/],
])('a damaged file is not touched: %s', (text, message) => {
  const file = userConfigFile(env);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  expect(() => saveContext(file, 'b', at('x:1'))).toThrow(message);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('names are checked', () => {
  expect(() => saveContext(userConfigFile(env), 'a b', at('x:1'))).toThrow(/is no name of a context/);
});
