/** Proves the boot protocol: what is refused and why, and what the kernel finds in memory. */
import { seededRandom } from '../testing';
import { BootImageError, parseBzImage } from './bz-image';
import { type GuestRam, loadLinux } from './linux';

const MIB = 1024 * 1024;

/** An image with a setup header as a linker would leave it; the code is a counting pattern. */
function bzImage(change: (view: DataView) => void = () => {}, kernelBytes = 4096): Uint8Array {
  const setupSectors = 3;
  const bytes = new Uint8Array((setupSectors + 1) * 512 + kernelBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, setupSectors);
  view.setUint32(0x1f4, kernelBytes / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x200, 0xeb);
  view.setUint8(0x201, 0x66);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x22c, 0x37ffffff, true);
  view.setUint32(0x230, 0x200000, true);
  view.setUint8(0x234, 1);
  view.setUint32(0x238, 2047, true);
  view.setUint32(0x258, 16 * MIB, true);
  view.setUint32(0x260, 8 * MIB, true);
  for (let index = 0; index < kernelBytes; index++) bytes[(setupSectors + 1) * 512 + index] = index;
  change(view);
  return bytes;
}

class Ram implements GuestRam {
  readonly bytes: Uint8Array;
  constructor(readonly size: number) {
    this.bytes = new Uint8Array(size);
  }
  write(gpa: number, bytes: Uint8Array): void {
    if (gpa + bytes.length > this.size) throw new Error('beyond memory');
    this.bytes.set(bytes, gpa);
  }
}

function boot(image: Uint8Array, options: { mib?: number; initrd?: Uint8Array; commandLine?: string } = {}) {
  const ram = new Ram((options.mib ?? 64) * MIB);
  const state = loadLinux(ram, {
    kernel: image, initrd: options.initrd, commandLine: options.commandLine ?? '', memoryBytes: ram.size,
  });
  return { ram, state, zero: new DataView(ram.bytes.buffer, state.esi, 4096) };
}

test('a relocatable kernel lies where it prefers, and the zero page says what is where', () => {
  const { ram, state, zero } = boot(bzImage(), { commandLine: 'console=ttyS0', initrd: Uint8Array.of(1, 2, 3) });
  expect(state.eip).toBe(16 * MIB);
  expect([...ram.bytes.subarray(state.eip, state.eip + 4)]).toEqual([0, 1, 2, 3]);
  expect(zero.getUint32(0x202, true)).toBe(0x53726448);
  expect(zero.getUint8(0x210)).toBe(0xff);
  const commandLine = zero.getUint32(0x228, true);
  expect(Buffer.from(ram.bytes.subarray(commandLine, commandLine + 14)).toString()).toBe('console=ttyS0\0');
  const initrd = zero.getUint32(0x218, true);
  expect([initrd, zero.getUint32(0x21c, true)]).toEqual([64 * MIB - 4096, 3]);
  expect([...ram.bytes.subarray(initrd, initrd + 3)]).toEqual([1, 2, 3]);
});

test('a kernel that cannot move, and one from before 2.10, lie at 1 MiB', () => {
  expect(boot(bzImage((view) => view.setUint8(0x234, 0))).state.eip).toBe(MIB);
  expect(boot(bzImage((view) => view.setUint16(0x206, 0x204, true))).state.eip).toBe(MIB);
});

test('entry state: flat 32-bit segments from the GDT at 10 and 18', () => {
  const { ram, state } = boot(bzImage());
  expect(state.cs).toEqual({ selector: 0x10, base: 0, limit: 0xffffffff, access: 0x00c09b00 });
  expect(state.ds).toEqual({ selector: 0x18, base: 0, limit: 0xffffffff, access: 0x00c09300 });
  expect(state.gdtLimit).toBe(0x1f);
  expect([...ram.bytes.subarray(state.gdtBase + 0x10, state.gdtBase + 0x18)]).toEqual([0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0]);
});

test('the memory map: RAM below 640 KiB, firmware area reserved, RAM above 1 MiB', () => {
  const { zero } = boot(bzImage());
  const entries = Array.from({ length: zero.getUint8(0x1e8) }, (_, index) => {
    const at = 0x2d0 + index * 20;
    return [zero.getUint32(at, true), zero.getUint32(at + 8, true), zero.getUint32(at + 16, true)];
  });
  expect(entries).toEqual([
    [0, 0x9fc00, 1], [0x9fc00, 0x400, 2], [0xe0000, 0x20000, 2], [MIB, 63 * MIB, 1],
  ]);
});

test('the initrd stays below the kernel\'s limit', () => {
  const { zero } = boot(bzImage((view) => view.setUint32(0x22c, 40 * MIB - 1, true)), { initrd: new Uint8Array(5000) });
  expect(zero.getUint32(0x218, true)).toBe(40 * MIB - 8192);
});

test.each<[string, Uint8Array, RegExp]>([
  ['noise', new Uint8Array(5000), /not a Linux bzImage/],
  ['a short file', new Uint8Array(10), /not a Linux bzImage: it has only 10 bytes/],
  ['a cut file', bzImage().subarray(0, 3000), /truncated: it has 3000 bytes, its header promises 6144/],
  ['an old protocol', bzImage((view) => view.setUint16(0x206, 0x203, true)), /boot protocol 2.03, 2.04 is needed/],
  ['a zImage', bzImage((view) => view.setUint8(0x211, 0)), /zImage/],
  ['a 64-bit kernel', bzImage((view) => view.setUint16(0x236, 1, true)), /64-bit kernel/],
])('refuses %s', (_what, image, message) => {
  expect(() => boot(image)).toThrow(BootImageError);
  expect(() => boot(image)).toThrow(message);
});

test('says how much memory is missing', () => {
  expect(() => boot(bzImage(), { mib: 20 })).toThrow('kernel needs 24 MiB of memory, the machine has 20');
  expect(() => boot(bzImage(), { mib: 26, initrd: new Uint8Array(4 * MIB) })).toThrow(/kernel and initrd need 29 MiB/);
  expect(() => boot(bzImage(), { commandLine: 'x'.repeat(2048) })).toThrow(/2048 bytes, this kernel takes 2047/);
});

test('a damaged header never does worse than a BootImageError', () => {
  const random = seededRandom(3);
  for (let round = 0; round < 2000; round++) {
    const image = bzImage((view) => {
      for (let hit = 0; hit <= random(4); hit++) view.setUint8(0x1f1 + random(0x7f), random(256));
    });
    try {
      const ram: GuestRam = { write: (gpa, bytes) => expect(gpa + bytes.length).toBeLessThanOrEqual(64 * MIB) };
      parseBzImage(image);
      loadLinux(ram, { kernel: image, commandLine: '', memoryBytes: 64 * MIB });
    } catch (error) {
      if (!(error instanceof BootImageError)) throw error;
    }
  }
});
