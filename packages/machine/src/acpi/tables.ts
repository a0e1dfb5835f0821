/**
 * The ACPI tables a machine shows, laid out for a given address in the BIOS
 * area. Source: ACPI 2.0, chapter 5.
 *
 *   RSDP ─► RSDT ─┬► FADT ─► FACS
 *                 │     └──► DSDT
 *                 └► MADT, in a machine with APICs
 *
 * Without a MADT operating systems use the 8259 pair. The FADT is revision 3,
 * so that it can name the reset register.
 */
import { PM_BASE_PORT, PM_CONTROL_PORT, PM_TIMER_PORT, RESET_PORT, RESET_VALUE } from '../devices/acpi-pm';
import { CENTURY_REGISTER } from '../devices/rtc-mc146818';
import { dsdtBody } from './dsdt';
import { madtBody } from './madt';
import { SCI_IRQ } from './sci';

export { SCI_IRQ };

const OEM_ID = 'GODWIT';
const OEM_TABLE_ID = 'GODWITPC';
const HEADER_BYTES = 36;
const FADT_BYTES = 244;
const FACS_BYTES = 64;
const RSDP_BYTES = 20;

/** The RSDP is found by scanning for it at 16-byte borders; FACS must lie at a 64-byte border. */
const ALIGNMENT = 64;

/** All tables as one block to be written at `base` (a multiple of 64 within E0000-FFFFF); the RSDP comes first. `apicCpus`: CPUs with a local APIC, 0 for a machine without. */
export function buildAcpiTables(base: number, apicCpus: number): Uint8Array {
  if (base % ALIGNMENT !== 0) throw new Error(`ACPI tables must lie at a multiple of ${ALIGNMENT}: ${base.toString(16)}`);
  const place = placer(base);
  const rsdp = place(RSDP_BYTES);
  const rsdt = place(HEADER_BYTES + (apicCpus > 0 ? 8 : 4));
  const facs = place(FACS_BYTES);
  const fadt = place(FADT_BYTES);
  const dsdtContent = dsdtBody();
  const dsdt = place(HEADER_BYTES + dsdtContent.length);

  const madtContent = apicCpus > 0 ? madtBody(apicCpus) : [];
  const madt = place(apicCpus > 0 ? HEADER_BYTES + madtContent.length : 0);

  const block = new Uint8Array(madt.at + madt.bytes.length - base);
  writeRsdp(rsdp.bytes, rsdt.at);
  writeTable(rsdt.bytes, 'RSDT', 1, (view) => {
    view.setUint32(HEADER_BYTES, fadt.at, true);
    if (apicCpus > 0) view.setUint32(HEADER_BYTES + 4, madt.at, true);
  });
  writeFacs(facs.bytes);
  writeTable(fadt.bytes, 'FACP', 3, (view) => fillFadt(view, facs.at, dsdt.at));
  writeTable(dsdt.bytes, 'DSDT', 1, () => dsdt.bytes.set(dsdtContent, HEADER_BYTES));
  if (apicCpus > 0) writeTable(madt.bytes, 'APIC', 1, () => madt.bytes.set(madtContent, HEADER_BYTES));
  for (const part of [rsdp, rsdt, facs, fadt, dsdt, madt]) block.set(part.bytes, part.at - base);
  return block;
}

function placer(base: number): (length: number) => { at: number; bytes: Uint8Array } {
  let next = base;
  return (length) => {
    const at = next;
    next = Math.ceil((at + length) / ALIGNMENT) * ALIGNMENT;
    return { at, bytes: new Uint8Array(length) };
  };
}

function putText(bytes: Uint8Array, at: number, text: string): void {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index);
}

/** The byte that makes all of them add up to zero. */
function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

function writeRsdp(bytes: Uint8Array, rsdtAt: number): void {
  putText(bytes, 0, 'RSD PTR ');
  putText(bytes, 9, OEM_ID);
  new DataView(bytes.buffer).setUint32(16, rsdtAt, true);
  bytes[8] = checksum(bytes);
}

function writeTable(bytes: Uint8Array, signature: string, revision: number, fill: (view: DataView) => void): void {
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, signature);
  view.setUint32(4, bytes.length, true);
  bytes[8] = revision;
  putText(bytes, 10, OEM_ID);
  putText(bytes, 16, OEM_TABLE_ID);
  view.setUint32(24, 1, true);
  putText(bytes, 28, 'GDWT');
  view.setUint32(32, 1, true);
  fill(view);
  bytes[9] = checksum(bytes);
}

/** FACS has neither the common header nor a checksum. */
function writeFacs(bytes: Uint8Array): void {
  putText(bytes, 0, 'FACS');
  new DataView(bytes.buffer).setUint32(4, FACS_BYTES, true);
  bytes[32] = 1;
}

const FADT_WBINVD = 1 << 0;
const FADT_C1_ON_ALL = 1 << 2;
const FADT_NO_FIXED_SLEEP_BUTTON = 1 << 5;
const FADT_RTC_NOT_FIXED = 1 << 6;
const FADT_RESET_REGISTER = 1 << 10;
const BOOT_LEGACY_DEVICES = 1;
const BOOT_8042 = 2;
/** Latencies that say: no C2, no C3. */
const NO_C2 = 0xfff;
const NO_C3 = 0xfff;

function fillFadt(view: DataView, facsAt: number, dsdtAt: number): void {
  const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  /** Generic address in I/O space. */
  const ioRegister = (at: number, port: number, bits: number, accessSize: number): void => {
    view.setUint8(at, 1);
    view.setUint8(at + 1, bits);
    view.setUint8(at + 3, accessSize);
    u32(at + 4, port);
  };
  u32(36, facsAt);
  u32(40, dsdtAt);
  view.setUint8(45, 4); // profile: server
  u16(46, SCI_IRQ);
  u32(56, PM_BASE_PORT);
  u32(64, PM_CONTROL_PORT);
  u32(76, PM_TIMER_PORT);
  view.setUint8(88, 4); // PM1 event block length
  view.setUint8(89, 2); // PM1 control block length
  view.setUint8(91, 4); // timer length
  u16(96, NO_C2);
  u16(98, NO_C3);
  view.setUint8(108, CENTURY_REGISTER);
  u16(109, BOOT_LEGACY_DEVICES | BOOT_8042);
  u32(112, FADT_WBINVD | FADT_C1_ON_ALL | FADT_NO_FIXED_SLEEP_BUTTON | FADT_RTC_NOT_FIXED | FADT_RESET_REGISTER);
  ioRegister(116, RESET_PORT, 8, 1);
  view.setUint8(128, RESET_VALUE);
  u32(132, facsAt);
  u32(140, dsdtAt);
  ioRegister(148, PM_BASE_PORT, 32, 2);
  ioRegister(172, PM_CONTROL_PORT, 16, 2);
  ioRegister(208, PM_TIMER_PORT, 32, 3);
}
