/** Proves that records survive the way to the storage and back, and that nothing damaged or foreign is believed. */
import fc from 'fast-check';
import { checksum } from './checksum';
import { encodeBeat, encodeClaim, parseBeat, parseClaim, type Beat, type Claim } from './record';

const me = { hostId: 'h', hostName: 'höst\n', vmmId: 'v' };
const claim: Claim = { vmId: 'vm', epoch: 7, owner: me, reason: 'pass', migrationId: 'm', leaseMs: 10_000, nonce: 'v.3' };
const beat: Beat = { epoch: 7, counter: 9, next: { migrationId: 'm', target: me } };

test('checksum is the common CRC-32', () => {
  expect(checksum('123456789')).toBe('cbf43926');
  expect(checksum('ä€𝄞')).toBe(checksum('ä€𝄞'));
});

test('round trip', () => {
  expect(parseClaim(encodeClaim(claim))).toEqual(claim);
  expect(parseClaim(encodeClaim({ ...claim, owner: null, migrationId: null }))).toEqual({ ...claim, owner: null, migrationId: null });
  expect(parseBeat(encodeBeat(beat))).toEqual(beat);
  expect(parseBeat(encodeBeat({ ...beat, next: null }))).toEqual({ ...beat, next: null });
});

test('a cut, changed or foreign record is not believed', () => {
  const text = encodeClaim(claim);
  for (let length = 0; length < text.length - 1; length++) expect(parseClaim(text.slice(0, length))).toBeUndefined();
  fc.assert(
    fc.property(fc.nat(text.length - 2), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ change) + text.slice(at + 1);
      expect(parseClaim(changed)).toBeUndefined();
    }),
    { numRuns: 300 },
  );
  fc.assert(fc.property(fc.string(), (junk) => parseClaim(junk) === undefined && parseBeat(junk) === undefined));
});

test.each<[string, object]>([
  ['epoch 0', { epoch: 0 }],
  ['epoch beyond counting', { epoch: 2 ** 60 }],
  ['a lease for ever', { leaseMs: 1e12 }],
  ['a lease of no time', { leaseMs: 0 }],
  ['an owner without a host', { owner: { hostId: '', hostName: 'x', vmmId: 'v' } }],
  ['an unknown reason', { reason: 'because' }],
  ['a name that is too long', { vmId: 'x'.repeat(200) }],
])('%s is refused though the checksum is right', (_, part) => {
  expect(parseClaim(encodeClaim({ ...claim, ...part } as Claim))).toBeUndefined();
});
