// Proves the shape of the guest's root file system with a made-up busybox: what Linux
// looks for is there, parents come first, and a caller's files win. That it boots is
// shown by the tests under test/.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { busyboxApplets } from './busybox-applets';
import { buildInitramfs, type InitramfsFile } from './initramfs';
import { RUN_PARAMETER, runParameter } from './init-script';
import { type ReadEntry, readCpio } from './testing';

const BINARY = Buffer.from('\x7fELF text\0[\0[[\0busybox\0cat\0sh\0\0more\0text', 'latin1');
let folder: string;
let busybox: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-images-'));
  busybox = join(folder, 'busybox');
  writeFileSync(busybox, BINARY);
});
afterAll(() => rmSync(folder, { recursive: true }));

function build(files: InitramfsFile[] = []): Map<string, ReadEntry> {
  const entries = readCpio(gunzipSync(buildInitramfs({ busybox, files })));
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  expect(byPath.size).toBe(entries.length);
  for (const [index, { path }] of entries.entries()) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (parent) expect(entries.slice(0, index).map((entry) => entry.path)).toContain(parent);
  }
  return byPath;
}

test('applet names are read from the binary, up to the empty string', () => {
  expect(busyboxApplets(BINARY)).toEqual(['[', '[[', 'busybox', 'cat', 'sh']);
  expect(() => busyboxApplets(Buffer.from('no busybox'))).toThrow('no applet names');
});

test('busybox is a program and not a link to itself; its applets are links', () => {
  const entries = build();
  expect(entries.get('bin/busybox')).toMatchObject({ mode: 0o100755, data: BINARY.toString('latin1') });
  expect(entries.get('bin/sh')).toMatchObject({ mode: 0o120777, data: 'busybox' });
  expect(entries.get('init')).toMatchObject({ mode: 0o100755, data: expect.stringMatching(/^#!\/bin\/sh\n/) });
  expect(entries.get('dev/console')).toMatchObject({ mode: 0o020600, major: 5, minor: 1 });
});

test("the caller's files get their folders and replace the image's own", () => {
  const entries = build([
    { path: '/opt/bench/run', data: Buffer.from([0, 255]), mode: 0o755 },
    { path: '/init', data: 'mine' },
  ]);
  expect(entries.get('opt/bench')?.mode).toBe(0o040755);
  expect(entries.get('opt/bench/run')).toMatchObject({ mode: 0o100755, data: '\0\xff' });
  expect(entries.get('init')?.data).toBe('mine');
});

test('commands travel on the command line as one word, and too long ones are refused', () => {
  const parameter = runParameter('echo "a b" \'$c\' ä\n');
  expect(parameter).toMatch(/^godwit\.run=[A-Za-z0-9+/=]+$/);
  expect(Buffer.from(parameter.slice(RUN_PARAMETER.length + 1), 'base64').toString()).toBe('echo "a b" \'$c\' ä\n');
  expect(() => runParameter('x'.repeat(2000))).toThrow(RangeError);
});
