/** Proves that a configuration is taken as it should be, and that each mistake is named by its field. */
import { checkAgentConfig, parseAgentConfig } from './config';
import { allowed } from './facts/cpu';

const good = { schema: 1, stateDir: '/tmp/a', controllers: ['10.0.0.1:7443'] };

test('what is left out has its default', () => {
  const config = checkAgentConfig(good, 'x');
  expect(config).toMatchObject({
    migration: { host: '127.0.0.1' },
    networks: { user: { kind: 'user' } },
    datastores: {},
    reservedMemoryMiB: 256,
  });
  expect(config.name).not.toBe('');
});

test.each([
  ['{', /^x is not JSON/],
  ['[]', /^x: the whole: /],
  [{ ...good, controllers: [] }, /^x: controllers: /],
  [{ ...good, controllers: ['host'] }, /^x: controllers\.0: HOST:PORT/],
  [{ ...good, datastore: {} }, /^x: the whole: 'datastore' is not known here/],
  [{ ...good, networks: { lan: { kind: 'bridge' } } }, /^x: networks\.lan\.bridge: /],
  [{ ...good, networks: { lan: { kind: 'wifi' } } }, /^x: networks\.lan\.kind: /],
  [{ ...good, cpu: { without: 'avx' } }, /^x: cpu\.without: /],
  [{ ...good, stateDir: `/${'d'.repeat(80)}` }, /^x: stateDir: its path must have at most \d+ bytes/],
  [{ ...good, schema: 2 }, /^x: schema: /],
])('%j is refused by name', (value, line) => {
  expect(() => parseAgentConfig(typeof value === 'string' ? value : JSON.stringify(value), 'x')).toThrow(line);
});

test('features are restricted either way; a wanted one that is missing is an error', () => {
  const has = ['sse2', 'avx', 'cmov'];
  expect(allowed(has, undefined)).toEqual(['avx', 'cmov', 'sse2']);
  expect(allowed(has, { features: ['sse2', 'cmov'] })).toEqual(['cmov', 'sse2']);
  expect(allowed(has, { without: ['avx', 'avx512f'] })).toEqual(['cmov', 'sse2']);
  expect(() => allowed(has, { features: ['avx2'] })).toThrow(/no avx2; it has: avx cmov sse2/);
});
