/** Identities in certificates: what is written is read back, and nothing else is taken for one. */
import fc from 'fast-check';
import { type CertifiedIdentity, identityUri, mismatch, parseIdentity } from './identity';

const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((text) => encodeURIComponent(text).length <= 200);
const identities: fc.Arbitrary<CertifiedIdentity> = fc.oneof(
  fc.record({ kind: fc.constant('host' as const), hostId: name }),
  fc.record({ kind: fc.constant('vmm' as const), hostId: name, vmId: name }),
  fc.record({ kind: fc.constant('controller' as const), controllerId: name }),
  fc.record({ kind: fc.constant('operator' as const), role: fc.constantFrom('view' as const, 'operate' as const, 'admin' as const), name }),
);

test('what identityUri writes, parseIdentity reads; names with slashes and signs too', () => {
  fc.assert(fc.property(identities, (identity) => expect(parseIdentity(identityUri(identity))).toEqual(identity)));
});

test.each([
  'godwit://host/',
  'godwit://host/a/b',
  'godwit://vmm/a',
  'godwit://operator/root/eve',
  'godwit://operator/admin',
  'godwit://operator/admin/a/b',
  'https://host/a',
  'godwit://host/%zz',
  'godwit://host/a?b',
  'godwit://host/a#b',
  'godwit://Host/a',
  '',
])('%s names nobody', (uri) => {
  expect(parseIdentity(uri)).toBeUndefined();
});

test('an empty or overlong name is no name', () => {
  expect(() => identityUri({ kind: 'host', hostId: '' })).toThrow(RangeError);
  expect(() => identityUri({ kind: 'host', hostId: 'x'.repeat(201) })).toThrow(RangeError);
});

test('a rule says in one sentence why somebody is not whom it asks for', () => {
  const vmm = { kind: 'vmm', hostId: 'h1', vmId: 'v1' } as const;
  expect(mismatch({}, vmm)).toBeUndefined();
  expect(mismatch({ kind: ['host', 'vmm'], hostId: 'h1' }, vmm)).toBeUndefined();
  expect(mismatch({ kind: 'vmm', hostId: 'h2' }, vmm)).toBe('it is the process of VM v1 on host h1, but vmm on host h2 was expected');
  expect(mismatch({ kind: 'controller' }, vmm)).toBe('it is the process of VM v1 on host h1, but controller was expected');
  expect(mismatch({ vmId: 'v2' }, { kind: 'host', hostId: 'h1' })).toMatch(/agent of host h1, but a member of this cluster of VM v2/);
  expect(mismatch({}, undefined)).toMatch(/names nobody of this cluster/);
});
