// Proves that an archive holds exactly what was put in, by a reader of its own that
// follows the format's description and not the writer, and that it is reproducible.
import fc from 'fast-check';
import { type CpioEntry, writeCpio } from './cpio';
import { readCpio } from './testing';

const entries: CpioEntry[] = [
  { kind: 'directory', path: 'dev' },
  { kind: 'device', path: 'dev/console', type: 'character', major: 5, minor: 1 },
  { kind: 'device', path: 'dev/sda', type: 'block', major: 8, minor: 0, mode: 0o660 },
  { kind: 'file', path: 'init', data: Buffer.from('#!/bin/sh\n'), mode: 0o755 },
  { kind: 'link', path: 'sh', target: 'busybox' },
];

test('every kind of entry comes back', () => {
  expect(readCpio(writeCpio(entries))).toEqual([
    { path: 'dev', mode: 0o040755, data: '', major: 0, minor: 0 },
    { path: 'dev/console', mode: 0o020600, data: '', major: 5, minor: 1 },
    { path: 'dev/sda', mode: 0o060660, data: '', major: 8, minor: 0 },
    { path: 'init', mode: 0o100755, data: '#!/bin/sh\n', major: 0, minor: 0 },
    { path: 'sh', mode: 0o120777, data: 'busybox', major: 0, minor: 0 },
  ]);
});

test('names and data of any length keep their alignment', () => {
  const file = fc.record({
    path: fc.stringMatching(/^[a-z][a-z0-9/.-]{0,40}$/),
    data: fc.uint8Array({ maxLength: 70 }),
  });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 8 }), (files) => {
      const archive = writeCpio(files.map(({ path, data }) => ({ kind: 'file', path, data: Buffer.from(data) })));
      expect(archive.length % 4).toBe(0);
      const read = readCpio(archive);
      expect(read.map((one) => one.path)).toEqual(files.map((one) => one.path));
      expect(read.map((one) => one.data)).toEqual(files.map((one) => Buffer.from(one.data).toString('latin1')));
    }),
  );
});

test('the same entries give the same bytes', () => {
  expect(writeCpio(entries).equals(writeCpio(entries))).toBe(true);
});
