// Proves that one file is taken out of a real package, and that a pattern that fits
// none or several, and a damaged archive, are errors.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackFiles } from './unpack';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-unpack-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function makePackage(files: Record<string, string>): string {
  const tree = join(folder, 'tree');
  for (const [path, data] of Object.entries(files)) {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    writeFileSync(join(tree, path), data);
  }
  mkdirSync(join(tree, 'DEBIAN'));
  writeFileSync(
    join(tree, 'DEBIAN/control'),
    'Package: sample\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: sample\n',
  );
  const archive = join(folder, 'sample.deb');
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', tree, archive], { stdio: 'ignore' });
  return archive;
}

test('the file that matches lands at its target', () => {
  const archive = makePackage({ 'boot/vmlinuz-6+1': 'kernel', 'boot/config-6': 'config' });
  const target = join(folder, 'kernel');
  unpackFiles(archive, [{ pattern: './boot/vmlinuz-6+*', target }]);
  expect(readFileSync(target, 'utf8')).toBe('kernel');
});

test('a pattern must match exactly one file', () => {
  const archive = makePackage({ 'boot/a-1': '', 'boot/a-2': '' });
  expect(() => unpackFiles(archive, [{ pattern: './boot/a-*', target: join(folder, 'a') }])).toThrow('holds 2 files');
  const absent = () => unpackFiles(archive, [{ pattern: './boot/b-*', target: join(folder, 'b') }]);
  rmSync(`${archive}.unpacked`, { recursive: true });
  expect(absent).toThrow('cannot unpack sample.deb');
});

test('half an archive is an error', () => {
  const archive = makePackage({ 'boot/a': 'x'.repeat(1000) });
  truncateSync(archive, readFileSync(archive).length - 60);
  expect(() => unpackFiles(archive, [{ pattern: './boot/a', target: join(folder, 'a') }])).toThrow('cannot unpack');
});
