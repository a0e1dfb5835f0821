/** Proves: the options of `vm create` and `vm change` make the specification that they say, over what was there, and a mistake is named. */
import { others } from '../../help';
import { parseCommandLine } from '../core/parse';
import { commandTable } from '../table';
import { diskOf, networkOf, specOf } from './vm-spec';

const table = commandTable(others);
const GIB = 2 ** 30;
function spec(base: Parameters<typeof specOf>[1], isNew: boolean, ...words: string[]) {
  const parsed = parseCommandLine(table, ['vm', isNew ? 'create' : 'change', 'x', ...words]);
  if (parsed.kind !== 'command') throw new Error('help');
  return specOf(parsed.flags, base, isNew);
}

test('a new VM', () => {
  const made = spec(
    { name: 'x' },
    true,
    '--memory',
    '1.5G',
    '--disk',
    'image=debian.qcow2,size=20G',
    '--disk',
    '10G',
    '--network',
    'user',
    '-l',
    'team=db',
    '-l',
    'a=b=c',
  );
  expect(made).toEqual({
    name: 'x',
    memoryBytes: 1.5 * GIB,
    labels: { team: 'db', a: 'b=c' },
    disks: [
      { file: 'disk0.qcow2', bus: 'virtio', readOnly: false, sizeBytes: 20 * GIB, format: 'qcow2', origin: { image: 'debian.qcow2' } },
      { file: 'disk1.raw', bus: 'virtio', readOnly: false, sizeBytes: 10 * GIB, format: 'raw', origin: { blank: true } },
    ],
    networks: [{ network: 'user', adapter: 'virtio', mac: '' }],
  });
  expect(spec({ name: 'x' }, true).memoryBytes).toBe(512 * 2 ** 20);
  expect(spec({ name: 'x', memoryBytes: GIB }, true).memoryBytes).toBe(GIB);
});

test('a kernel and its command line', () => {
  expect(spec({}, true, '--kernel', 'store1:kernels/vmlinuz', '--initrd', 'initrd', '--append', 'quiet').boot).toEqual({
    kernel: 'vmlinuz',
    kernelOrigin: 'store1:kernels/vmlinuz',
    initrd: 'initrd',
    initrdOrigin: 'initrd',
    commandLine: 'quiet',
  });
  expect(() => spec({}, true, '--initrd', 'x')).toThrow(/--initrd needs --kernel/);
});

test('a change leaves alone what it does not name', () => {
  const before = {
    name: 'x',
    memoryBytes: GIB,
    labels: { a: '1', b: '2' },
    migration: { pauseBudgetMs: 50, manualOnly: true },
    priority: 3,
  };
  expect(spec(before, false, '-l', 'a-', '-l', 'c=3', '--max-pause', '20ms')).toEqual({
    ...before,
    labels: { b: '2', c: '3' },
    migration: { pauseBudgetMs: 20, manualOnly: true },
  });
  expect(spec(before, false, '--moves', 'freely', '--restart', 'never', '--cpu', 'none')).toEqual({
    ...before,
    migration: { pauseBudgetMs: 50, manualOnly: false },
    restart: 'RESTART_POLICY_NEVER',
    cpuFeatures: [],
  });
  expect(spec(before, false)).toEqual(before);
});

test.each([
  ['', /needs a size, as --disk 10G, or an image/],
  ['10', /size is a size like 512M/],
  ['image=a,speed=5', /--disk knows image, size, format, bus, file, readonly, not 'speed'/],
  ['10G,size=5G', /the size is given twice/],
  ['10G,bus=scsi', /bus is virtio or ide, not 'scsi'/],
  ['readonly', /needs a size/],
])('--disk %s', (text, message) => expect(() => diskOf(text, 0)).toThrow(message));

test('--network', () => {
  expect(networkOf('br0,adapter=pcnet,mac=52:54:00:AB:cd:ef')).toEqual({ network: 'br0', adapter: 'pcnet', mac: '52:54:00:ab:cd:ef' });
  expect(() => networkOf(',adapter=pcnet')).toThrow(/begins with the name of a network/);
});

test.each([
  [['-l', 'nothing'], /--label is KEY=VALUE/],
  [['--memory', 'lots'], /--memory is a size/],
  [['--priority', '5000'], /--priority is a whole number from -1000 to 1000/],
])('%j', (words, message) => expect(() => spec({}, true, ...words)).toThrow(message));
