// Proves that what goes into the Debian system is sound shell and consistent; that it
// boots, answers and logs in is shown under test/.
import { spawnSync } from 'node:child_process';
import { debianDiskKey } from './debian-disk';
import { DEBIAN_FILES, EARLY_FILES, finishScript, KERNEL_PARAMETERS, ROOT_LABEL } from './debian-files';
import { MASKED_UNITS, PACKAGES } from './debian-packages';

const text = (path: string) => String([...EARLY_FILES, ...DEBIAN_FILES].find((file) => file.path === path)?.data);
const shellError = (script: string) => spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' }).stderr;

test('scripts parse', () => {
  expect(shellError(finishScript(MASKED_UNITS))).toBe('');
  expect(shellError(text('/etc/initramfs-tools/hooks/godwit'))).toBe('');
  expect(shellError('if')).not.toBe('');
});

test('boot loader, kernel and fstab mean the same root file system', () => {
  expect(KERNEL_PARAMETERS).toContain(`root=LABEL=${ROOT_LABEL} `);
  expect(text('/boot/grub/grub.cfg')).toContain(KERNEL_PARAMETERS);
  expect(text('/etc/fstab')).toContain(`LABEL=${ROOT_LABEL} / ext4 `);
  expect(ROOT_LABEL.length).toBeLessThanOrEqual(16);
});

test('no file twice, no package twice, one key for one recipe', () => {
  const paths = [...EARLY_FILES, ...DEBIAN_FILES].map((file) => file.path);
  expect(new Set(paths).size).toBe(paths.length);
  expect(new Set(PACKAGES).size).toBe(PACKAGES.length);
  expect(debianDiskKey()).toMatch(/^debian-i386-[0-9a-f]{12}$/);
  expect(debianDiskKey()).toBe(debianDiskKey());
});
