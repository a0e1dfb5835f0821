/**
 * Reads the setup header of a Linux kernel image. Source: the Linux kernel's
 * Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". Everything in
 * the image is untrusted: whatever does not fit is a BootImageError that says
 * which file is at fault.
 */

/** The kernel or initrd given cannot be booted on this machine: the VM does not start. */
export class BootImageError extends Error {
  override readonly name = 'BootImageError';
}

export interface BzImage {
  /** The setup header's bytes, from 1F1 to its end, to be copied into the zero page. */
  readonly header: Uint8Array;
  readonly protocol: number;
  /** The protected-mode part. */
  readonly kernel: Uint8Array;
  readonly relocatable: boolean;
  readonly alignment: number;
  /** Where the kernel wants to run; undefined before protocol 2.10. */
  readonly preferredAddress: number | undefined;
  /** Memory it needs from where it runs; undefined before protocol 2.10. */
  readonly initSize: number | undefined;
  readonly initrdAddressMax: number;
  readonly commandLineMax: number | undefined;
}

const MAGIC_AT = 0x202;
const HEADER_AT = 0x1f1;
const SECTOR_BYTES = 512;
const LOADED_HIGH = 1;
const MIN_PROTOCOL = 0x204;
/** Where the header ends at the latest: e820 and other fields of the zero page follow. */
/** xloadflags: the kernel has a 64-bit entry point. */
const KERNEL_64 = 1;
const HEADER_END_MAX = 0x290;
const DEFAULT_INITRD_MAX = 0x37ffffff;

/** @throws BootImageError */
export function parseBzImage(image: Uint8Array, what = 'kernel'): BzImage {
  if (image.length < SECTOR_BYTES * 2) {
    throw new BootImageError(`${what} is not a Linux bzImage: it has only ${image.length} bytes`);
  }
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint16(0x1fe, true) !== 0xaa55 || view.getUint32(MAGIC_AT, true) !== 0x53726448) {
    throw new BootImageError(`${what} is not a Linux bzImage: the boot sector mark or the HdrS mark is missing`);
  }
  const protocol = view.getUint16(0x206, true);
  if (protocol < MIN_PROTOCOL) {
    const text = `${protocol >> 8}.${String(protocol & 0xff).padStart(2, '0')}`;
    throw new BootImageError(`${what} is too old: it speaks boot protocol ${text}, 2.04 is needed`);
  }
  if (!(view.getUint8(0x211) & LOADED_HIGH)) {
    throw new BootImageError(`${what} is a zImage, which loads below 1 MiB: a bzImage is needed`);
  }
  if (protocol >= 0x20c && view.getUint16(0x236, true) & KERNEL_64) {
    throw new BootImageError(`${what} is a 64-bit kernel: this machine is an IA-32 PC`);
  }
  const kernel = protectedModePart(image, view, what);
  const since = <T>(version: number, value: () => T): T | undefined => (protocol >= version ? value() : undefined);
  const headerEnd = Math.min(MAGIC_AT + view.getUint8(0x201), HEADER_END_MAX, image.length);
  const preferred = since(0x20a, () => [view.getUint32(0x258, true), view.getUint32(0x25c, true)] as const);
  if (preferred && preferred[1] !== 0) throw new BootImageError(`${what} wants to run above 4 GiB: it is not a 32-bit kernel`);
  return {
    header: image.subarray(HEADER_AT, headerEnd),
    protocol,
    kernel,
    relocatable: since(0x205, () => view.getUint8(0x234) !== 0) ?? false,
    alignment: since(0x205, () => view.getUint32(0x230, true)) ?? 0,
    preferredAddress: preferred?.[0],
    initSize: since(0x20a, () => view.getUint32(0x260, true)),
    initrdAddressMax: view.getUint32(0x22c, true) || DEFAULT_INITRD_MAX,
    commandLineMax: since(0x206, () => view.getUint32(0x238, true)),
  };
}

function protectedModePart(image: Uint8Array, view: DataView, what: string): Uint8Array {
  // 0 stands for 4, for old kernels.
  const setupSectors = view.getUint8(HEADER_AT) || 4;
  const start = (setupSectors + 1) * SECTOR_BYTES;
  const length = view.getUint32(0x1f4, true) * 16;
  const available = image.length - start;
  // syssize counts 16-byte paragraphs; the file may end within the last one.
  if (available <= 0 || available <= length - 16) {
    throw new BootImageError(`${what} is truncated: it has ${image.length} bytes, its header promises ${start + length}`);
  }
  return image.subarray(start);
}
