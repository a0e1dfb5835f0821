/** Messages cut into any chunks come out whole; every other form is refused before anything is kept for it. */
import fc from 'fast-check';

import { MAX_MIGRATION_MESSAGE_BYTES } from '../limits';
import { codecOf } from '../schema/codec';
import { schema } from '../schema/schema';
import { envelope, FrameAssembler } from './frames';

const framed = (data: Uint8Array): Buffer => Buffer.concat([envelope(data.length), data]);

test('what is sent comes out, whatever the chunks, at an address that Int32Array takes', () => {
  const message = fc.uint8Array({ maxLength: 700 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.infiniteStream(fc.integer({ min: 1, max: 400 })), (messages, sizes) => {
      const bytes = Buffer.concat(messages.map(framed));
      const got: Buffer[] = [];
      const assembler = new FrameAssembler((each) => {
        expect(each.byteOffset % 8).toBe(0);
        got.push(Buffer.from(each));
      });
      for (let at = 0; at < bytes.length; ) {
        const { value: size } = sizes.next();
        assembler.push(bytes.subarray(at, at + size));
        at += size;
      }
      expect(assembler.isBetween).toBe(true);
      expect(got).toEqual(messages.map((each) => Buffer.from(each)));
    }),
  );
});

test.each([0, 1, 127, 128, 16_383, 16_384, MAX_MIGRATION_MESSAGE_BYTES])(
  '%i bytes: it is the MigrationData of the schema, both ways',
  (length) => {
    const data = Buffer.alloc(length, 0x5a);
    const codec = codecOf(schema().lookupType('godwit.v1.MigrationData'));
    const bytes = framed(data);
    expect(bytes.readUInt32BE(1)).toBe(bytes.length - 5);
    expect((codec.decode(bytes.subarray(5)) as { data: Buffer }).data.equals(data)).toBe(true);
    const encoded = length === 0 ? Buffer.alloc(0) : codec.encode({ data });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(encoded.length, 1);
    let got = -1;
    new FrameAssembler((message) => (got = message.length)).push(Buffer.concat([head, encoded]));
    expect(got).toBe(length);
  },
);

const bad: [string, Buffer, RegExp][] = [
  ['a compressed message', Buffer.from([1, 0, 0, 0, 1, 0]), /compressed/],
  ['text', Buffer.from('GET / HTTP/1.1'), /no message of a migration/],
  ['a length of 4 GiB', Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), /4294967295 bytes came; 1048576 are allowed/],
  ['one byte too many', framed(Buffer.alloc(MAX_MIGRATION_MESSAGE_BYTES + 1)).subarray(0, 12), /1048577 bytes came/],
  ['another field', Buffer.from([0, 0, 0, 0, 2, 0x10, 1]), /no MigrationData/],
  ['lengths that differ', Buffer.from([0, 0, 0, 0, 3, 0x0a, 2, 1]), /no MigrationData/],
  ['a length of ten bytes', Buffer.from([0, 0, 0, 0, 20, 0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]), /no MigrationData/],
  ['a second field', Buffer.from([0, 0, 0, 0, 5, 0x0a, 1, 7, 0x10, 1]), /no MigrationData/],
];
test.each(bad)('%s is refused', (_what, bytes, why) => {
  const got: number[] = [];
  expect(() => new FrameAssembler((message) => got.push(message.length)).push(bytes)).toThrow(why);
  expect(got).toEqual([]);
});

test('any bytes at all are refused or taken, never more than they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      let taken = 0;
      try {
        new FrameAssembler((message) => (taken += message.length)).push(bytes);
      } catch (error) {
        expect((error as Error).name).toBe('WireError');
      }
      expect(taken).toBeLessThanOrEqual(bytes.length);
    }),
  );
});
