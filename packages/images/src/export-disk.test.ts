// Proves that a disk is handed out whole and with its holes, with what belongs to it
// beside it, and that another ending is refused before anything is written.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DebianDisk } from './debian-disk';
import { exportDisk } from './export-disk';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-export-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a raw copy', () => {
  const file = (name: string) => {
    writeFileSync(join(folder, name), name);
    return join(folder, name);
  };
  const built = { disk: file('disk.raw'), kernel: file('vmlinuz'), initrd: file('initrd.img'), sshKey: file('id_ed25519') };
  truncateSync(built.disk, 64 * 1024 * 1024);
  const disk: DebianDisk = { ...built, kernelParameters: 'ro', rootPassword: 'x' };
  const out = join(folder, 'out');
  expect(() => exportDisk(disk, join(out, 'guest.vmdk'))).toThrow('an image is called *.raw or *.qcow2');

  const copy = exportDisk(disk, join(out, 'guest.raw'));
  expect(readdirSync(out).sort()).toEqual(['guest.id_ed25519', 'guest.initrd.img', 'guest.raw', 'guest.vmlinuz']);
  expect(copy).toMatchObject({ disk: join(out, 'guest.raw'), kernel: join(out, 'guest.vmlinuz'), kernelParameters: 'ro' });
  expect([copy.kernel, copy.initrd, copy.sshKey].map((path) => readFileSync(path, 'utf8'))).toEqual([
    'vmlinuz',
    'initrd.img',
    'id_ed25519',
  ]);
  expect(statSync(copy.sshKey).mode & 0o777).toBe(0o600);
  const { size, blocks } = statSync(copy.disk);
  expect(size).toBe(64 * 1024 * 1024);
  expect(blocks * 512).toBeLessThan(1024 * 1024);
});
