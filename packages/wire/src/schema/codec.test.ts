/** Messages as plain objects: what is sent comes out the same, what does not fit is refused in words, nothing is rounded. */
import fc from 'fast-check';
import { Type } from 'protobufjs';
import { WireError } from '../errors';
import { codecOf } from './codec';
import { schema } from './schema';

const codec = (name: string) => codecOf(schema().lookupType(`godwit.v1.${name}`));
const roundTrip = (name: string, plain: object) => codec(name).decode(codec(name).encode(plain));
const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
    expect((error as WireError).code).toBe('invalid');
    return (error as Error).message;
  }
  throw new Error('it was not refused');
};

test('scalars, lists and maps are always there; messages and optional fields only if set', () => {
  expect(roundTrip('VmmStats', {})).toEqual({ counters: {} });
  const status = roundTrip('VmmStatus', {});
  expect(status).toMatchObject({ pauses: [], line: '', pid: 0, leaseEpoch: 0 });
  expect('vm' in status).toBe(false);
  expect(roundTrip('MigrationSettingsChange', {})).toEqual({ policies: [] });
  expect(roundTrip('MigrationSettingsChange', { maxRounds: 0, pauseBudgetMs: 0 })).toEqual({
    policies: [],
    maxRounds: 0,
    pauseBudgetMs: 0,
  });
});

test('a oneof says which member is set, also when that has its default; two are refused', () => {
  expect(roundTrip('DiskOrigin', { blank: false })).toEqual({ kind: 'blank', blank: false });
  expect(roundTrip('DiskOrigin', { kind: 'image', image: 'debian' })).toEqual({ kind: 'image', image: 'debian' });
  expect(refusal(() => codec('DiskOrigin').encode({ blank: true, image: 'x' }))).toBe(
    'DiskOrigin has both blank and image: only one of them may be set',
  );
});

test('64-bit numbers are exact up to 2^53, and beyond that an error on either side', () => {
  fc.assert(fc.property(fc.maxSafeNat(), (leaseEpoch) => roundTrip('VmmStatus', { leaseEpoch }).leaseEpoch === leaseEpoch));
  expect(roundTrip('VmmStatus', { leaseEpoch: Number.MAX_SAFE_INTEGER }).leaseEpoch).toBe(Number.MAX_SAFE_INTEGER);
  expect(refusal(() => codec('VmmStatus').encode({ leaseEpoch: 2 ** 53 }))).toMatch(/VmmStatus\.leaseEpoch is to be a whole number/);
  // 2^53 as a varint in field 9, as another program would send it.
  const field = schema().lookupType('godwit.v1.VmmStatus').fields.leaseEpoch.id;
  const bytes = Buffer.from([field << 3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
  expect(refusal(() => codec('VmmStatus').decode(bytes))).toMatch(/VmmStatus\.leaseEpoch is beyond 2\^53/);
});

test('enums go by name; a number that this version does not know is the zero value', () => {
  expect(roundTrip('VmFacts', { state: 'VM_STATE_PAUSED' }).state).toBe('VM_STATE_PAUSED');
  const field = schema().lookupType('godwit.v1.VmFacts').fields.state.id;
  expect(codec('VmFacts').decode(Buffer.from([field << 3, 99])).state).toBe('VM_STATE_UNSPECIFIED');
  expect(refusal(() => codec('VmFacts').encode({ state: 'RUNNING' }))).toMatch(/VmFacts\.state is to be one of VM_STATE_UNSPECIFIED/);
});

test.each([
  ['an unknown field', 'VmmStatus', { lines: 'x' }, 'VmmStatus has no field lines'],
  ['an inherited name', 'VmmStatus', { toString: 'x' }, 'VmmStatus has no field toString'],
  ['a number as text', 'VmmStatus', { pid: '1' }, 'VmmStatus.pid is to be a whole number from 0 to 4294967295, not "1"'],
  ['a fraction', 'VmmStatus', { pid: 1.5 }, 'VmmStatus.pid is to be a whole number from 0 to 4294967295, not 1.5'],
  ['a negative count', 'VmmStatus', { pid: -1 }, 'VmmStatus.pid is to be a whole number from 0 to 4294967295, not -1'],
  ['text for a list', 'VmmStatus', { pauses: 'operator' }, 'VmmStatus.pauses is to be a list, not "operator"'],
  ['text for a message', 'VmmStatus', { vm: 'web' }, 'VmmStatus.vm is to be an object, not "web"'],
  ['text for bytes', 'ConsoleInput', { data: 'ls' }, 'ConsoleInput.data is to be bytes, not "ls"'],
  ['a deep one', 'VmmStatus', { vm: { cpu: { features: [1] } } }, 'VmmStatus.vm.cpu.features is to be a string, not 1'],
])('%s is refused in words', (_what, name, plain, line) => {
  expect(refusal(() => codec(name).encode(plain))).toBe(line);
});

test('bytes that are no message are refused', () => {
  expect(refusal(() => codec('VmmStatus').decode(Buffer.from([0xff, 0xff, 0xff])))).toMatch(/^what came is no VmmStatus: /);
});

test('a map may have any key, __proto__ too', () => {
  const counters = JSON.parse('{"__proto__": 1, "constructor": 2}');
  const { counters: received } = roundTrip('VmmStats', { counters }) as { counters: Record<string, number> };
  expect(Object.entries(received)).toEqual([
    ['__proto__', 1],
    ['constructor', 2],
  ]);
  expect(Object.getPrototypeOf(received)).toBe(Object.prototype);
});

test('every message of the schema, empty, comes out with its defaults and goes back', () => {
  const all = (schema().lookup('godwit.v1') as Type).nestedArray.filter((each) => each instanceof Type);
  expect(all.length).toBeGreaterThan(50);
  for (const type of all) {
    const plain = codecOf(type).decode(Buffer.alloc(0));
    expect(codecOf(type).decode(codecOf(type).encode(plain))).toEqual(plain);
  }
});
