/**
 * Loads a Linux kernel by the 32-bit boot protocol: no firmware runs; memory is
 * filled as a boot loader would leave it and the CPU starts in protected mode
 * at the kernel's entry. Source: Documentation/arch/x86/boot.rst, "32-bit Boot
 * Protocol", and zero-page.rst.
 *
 *   00006000  GDT                        00100000  kernel, or at its preferred
 *   00007000  zero page (boot_params)              address
 *   00020000  command line               top       initrd, as high as allowed
 *   000E0000  ACPI tables
 *   000F0000  MP tables
 *
 * The 640 KiB to 1 MiB hole follows PC convention; the area of the ACPI tables
 * is plain RAM that the memory map reserves.
 */
import { buildMpTables } from '../acpi/mp-table';
import { buildAcpiTables } from '../acpi/tables';
import { DEFAULT_COMMAND_LINE_BYTES, MAX_MEMORY_BYTES, MIN_MEMORY_BYTES, PAGE_BYTES } from '../limits';
import { BootImageError, type BzImage, parseBzImage } from './bz-image';

/** Where the loader writes guest memory. */
export interface GuestRam {
  write(gpa: number, bytes: Uint8Array): void;
}

export interface LinuxBootConfig {
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly commandLine: string;
  readonly memoryBytes: number;
  /** The machine has APICs; the default is true, as Machine's. */
  readonly apic?: boolean;
  /** Text screen the kernel may write to; leave out when the machine has no VGA. */
  readonly textMode?: { readonly columns: number; readonly rows: number };
}

/** A flat segment as the CPU's descriptor cache holds it; `access` as in the vCPU state block (second descriptor dword & 0x00F0FF00). */
export interface BootSegment {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  readonly access: number;
}

/** Registers at the kernel's entry; those not named are zero, interrupts are off, paging is off. */
export interface BootState {
  readonly eip: number;
  readonly esi: number;
  readonly esp: number;
  readonly eflags: number;
  readonly cr0: number;
  readonly cs: BootSegment;
  /** ds, es, fs, gs and ss alike. */
  readonly ds: BootSegment;
  readonly gdtBase: number;
  readonly gdtLimit: number;
}

const GDT_AT = 0x6000;
const ZERO_PAGE_AT = 0x7000;
const STACK_TOP = 0x6000;
const COMMAND_LINE_AT = 0x20000;
export const ACPI_TABLES_AT = 0xe0000;
const MP_TABLES_AT = 0xf0000;
const CPU_COUNT = 1;
const HIGH_LOAD_AT = 0x100000;
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;
/** Flat 4 GiB segments, 32-bit, ring 0: code is execute/read, data read/write; both accessed. */
const CODE_DESCRIPTOR = [0x0000ffff, 0x00cf9b00];
const DATA_DESCRIPTOR = [0x0000ffff, 0x00cf9300];
const ACCESS_MASK = 0x00f0ff00;
/** PE and ET. */
const CR0_AT_ENTRY = 0x11;
const EFLAGS_AT_ENTRY = 2;

const LOADER_UNDEFINED = 0xff;
const CAN_USE_HEAP = 0x80;
const KEEP_SEGMENTS = 0x40;
const E820_RAM = 1;
const E820_RESERVED = 2;
const BASE_MEMORY_END = 0x9fc00;

/** Fills guest memory and says with which registers to start. @throws BootImageError */
export function loadLinux(ram: GuestRam, config: LinuxBootConfig): BootState {
  checkMemorySize(config.memoryBytes);
  const image = parseBzImage(config.kernel);
  const plan = placeKernel(image, config.memoryBytes);
  const initrdAt = placeInitrd(image, plan.end, config);
  const commandLine = encodeCommandLine(image, config.commandLine);

  ram.write(GDT_AT, gdt());
  const apicCpus = (config.apic ?? true) ? CPU_COUNT : 0;
  ram.write(ACPI_TABLES_AT, buildAcpiTables(ACPI_TABLES_AT, apicCpus));
  if (apicCpus > 0) ram.write(MP_TABLES_AT, buildMpTables(MP_TABLES_AT, apicCpus));
  ram.write(COMMAND_LINE_AT, commandLine);
  ram.write(plan.loadAt, image.kernel);
  if (config.initrd && initrdAt !== undefined) ram.write(initrdAt, config.initrd);
  ram.write(ZERO_PAGE_AT, zeroPage(image, plan.loadAt, initrdAt, config));
  return {
    eip: plan.loadAt,
    esi: ZERO_PAGE_AT,
    esp: STACK_TOP,
    eflags: EFLAGS_AT_ENTRY,
    cr0: CR0_AT_ENTRY,
    cs: flatSegment(BOOT_CS, CODE_DESCRIPTOR),
    ds: flatSegment(BOOT_DS, DATA_DESCRIPTOR),
    gdtBase: GDT_AT,
    gdtLimit: gdt().length - 1,
  };
}

const mebibytes = (bytes: number): number => Math.ceil(bytes / (1024 * 1024));

function checkMemorySize(memoryBytes: number): void {
  if (memoryBytes < MIN_MEMORY_BYTES || memoryBytes > MAX_MEMORY_BYTES || memoryBytes % PAGE_BYTES !== 0) {
    throw new BootImageError(
      `memory must be ${mebibytes(MIN_MEMORY_BYTES)} to ${mebibytes(MAX_MEMORY_BYTES)} MiB in whole pages, it is ${memoryBytes} bytes`,
    );
  }
}

/** Where the kernel is loaded and where the memory it needs before it knows the memory map ends. */
function placeKernel(image: BzImage, memoryBytes: number): { loadAt: number; end: number } {
  const preferred = image.preferredAddress;
  const alignUp = (at: number): number => (image.alignment > 0 ? Math.ceil(at / image.alignment) * image.alignment : at);
  // boot.rst, init_size: where the kernel will move itself if it is loaded at 1 MiB.
  const runsAt = preferred === undefined ? HIGH_LOAD_AT
    : image.relocatable ? alignUp(Math.max(HIGH_LOAD_AT, preferred)) : preferred;
  const end = runsAt + Math.max(image.initSize ?? 0, image.kernel.length);
  if (end > memoryBytes) {
    throw new BootImageError(`kernel needs ${mebibytes(end)} MiB of memory, the machine has ${mebibytes(memoryBytes)}`);
  }
  return { loadAt: image.relocatable ? runsAt : HIGH_LOAD_AT, end: Math.max(end, HIGH_LOAD_AT + image.kernel.length) };
}

function placeInitrd(image: BzImage, kernelEnd: number, config: LinuxBootConfig): number | undefined {
  const { initrd, memoryBytes } = config;
  if (!initrd || initrd.length === 0) return undefined;
  const top = Math.min(memoryBytes, image.initrdAddressMax + 1);
  const at = Math.floor((top - initrd.length) / PAGE_BYTES) * PAGE_BYTES;
  if (at < kernelEnd) {
    const needed = mebibytes(kernelEnd + initrd.length + PAGE_BYTES);
    throw new BootImageError(`kernel and initrd need ${needed} MiB of memory, ${mebibytes(top)} can be used`);
  }
  return at;
}

function encodeCommandLine(image: BzImage, commandLine: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${commandLine}\0`);
  const most = image.commandLineMax || DEFAULT_COMMAND_LINE_BYTES;
  if (bytes.length - 1 > most) {
    throw new BootImageError(`command line has ${bytes.length - 1} bytes, this kernel takes ${most}`);
  }
  return bytes;
}

/** Entries 0 and 1 are null, then BOOT_CS and BOOT_DS. */
function gdt(): Uint8Array {
  const words = Uint32Array.from([0, 0, 0, 0, ...CODE_DESCRIPTOR, ...DATA_DESCRIPTOR]);
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((value, index) => view.setUint32(index * 4, value, true));
  return bytes;
}

function flatSegment(selector: number, descriptor: readonly number[]): BootSegment {
  return { selector, base: 0, limit: 0xffffffff, access: descriptor[1] & ACCESS_MASK };
}

function zeroPage(image: BzImage, loadAt: number, initrdAt: number | undefined, config: LinuxBootConfig): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  page.set(image.header, 0x1f1);
  page[0x210] = LOADER_UNDEFINED;
  page[0x211] &= ~(CAN_USE_HEAP | KEEP_SEGMENTS);
  view.setUint16(0x1fa, 0xffff, true); // vid_mode: normal
  view.setUint32(0x214, loadAt, true); // code32_start
  view.setUint32(0x228, COMMAND_LINE_AT, true);
  if (initrdAt !== undefined && config.initrd) {
    view.setUint32(0x218, initrdAt, true);
    view.setUint32(0x21c, config.initrd.length, true);
  }
  if (config.textMode) writeScreenInfo(view, config.textMode);
  const extendedKib = (config.memoryBytes - HIGH_LOAD_AT) / 1024;
  view.setUint16(0x02, Math.min(0xffff, extendedKib), true); // ext_mem_k
  view.setUint32(0x1e0, extendedKib, true); // alt_mem_k
  writeMemoryMap(view, config.memoryBytes);
  return page;
}

/** screen_info at the start of the zero page: VGA text. */
function writeScreenInfo(view: DataView, { columns, rows }: { columns: number; rows: number }): void {
  view.setUint8(0x06, 3); // orig_video_mode: 80x25 colour text
  view.setUint8(0x07, columns);
  view.setUint8(0x0e, rows);
  view.setUint8(0x0f, 1); // orig_video_isVGA
  view.setUint16(0x10, 16, true); // points: lines of a character
}

function writeMemoryMap(view: DataView, memoryBytes: number): void {
  const map: [start: number, end: number, type: number][] = [
    [0, BASE_MEMORY_END, E820_RAM],
    [BASE_MEMORY_END, 0xa0000, E820_RESERVED],
    [ACPI_TABLES_AT, HIGH_LOAD_AT, E820_RESERVED],
    [HIGH_LOAD_AT, memoryBytes, E820_RAM],
  ];
  view.setUint8(0x1e8, map.length);
  for (const [index, [start, end, type]] of map.entries()) {
    const at = 0x2d0 + index * 20;
    view.setUint32(at, start, true);
    view.setUint32(at + 8, end - start, true);
    view.setUint32(at + 16, type, true);
  }
}
