/** Proves that a vm.json is believed only when every field is what it should be, and that names hold no path tricks. */
import fc from 'fast-check';
import { checkName, checkPath, isName } from './names';
import { checkVmConfig, parseVmConfig, type VmConfig } from './vm-config';

const config: VmConfig = {
  schema: 1,
  vmId: '01234567-89ab-cdef-0123-456789abcdef',
  name: 'web-1',
  memoryBytes: 64 << 20,
  disks: [{ file: 'root.img', bus: 'virtio', readOnly: false }],
  networks: [{ mac: '52:54:00:12:34:56', adapter: 'pcnet', network: 'user' }],
  settings: { any: ['thing'] },
};

test('a good one passes as it is, without what does not belong there', () => {
  expect(parseVmConfig(JSON.stringify({ ...config, extra: 1 }), 'x')).toEqual(config);
});

test.each<[string, unknown]>([
  ['schema', 2],
  ['vmId', 'x'],
  ['name', '../x'],
  ['memoryBytes', 1000],
  ['memoryBytes', -1048576],
  ['disks', {}],
  ['disks', new Array(17).fill(config.disks[0])],
  ['disks', [{ ...config.disks[0], file: '../../etc/passwd' }]],
  ['disks', [{ ...config.disks[0], bus: 'scsi' }]],
  ['disks', [null]],
  ['networks', [{ ...config.networks[0], mac: '53:54:00:12:34:56' }]],
  ['networks', [{ ...config.networks[0], network: 'a/b' }]],
  ['networks', [7]],
  ['settings', []],
])('%s = %j is refused by name', (field, value) => {
  expect(() => checkVmConfig({ ...config, [field]: value }, 'vm.json')).toThrow(new RegExp(`vm.json: ${field}`));
});

test('whatever stands in the file, it is refused in one line or valid', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      try {
        parseVmConfig(text, 'vm.json');
      } catch (error) {
        expect((error as { code: string }).code).toBe('EINVAL');
      }
    }),
  );
});

test('names', () => {
  for (const good of ['a', 'web-1', 'A.b_c', 'x'.repeat(64)]) expect(checkName(good, 'VM')).toBe(good);
  for (const bad of ['', '.', '..', '-x', 'a/b', 'a\0', 'ä', 'x'.repeat(65), 7, null]) expect(isName(bad)).toBe(false);
  expect(() => checkName('a b', 'disk')).toThrow(/no name for a disk/);
  for (const bad of ['/', '/a', 'a/', 'a/../b', 'a\0b', '.']) expect(() => checkPath(bad)).toThrow(/no path inside/);
});
