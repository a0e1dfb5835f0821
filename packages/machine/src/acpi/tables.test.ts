/** Proves that a scan finds the ACPI tables and that each is whole and where the others say. */
import { ARG0, eisaId, ifTrue, integer, method, packageOf, returnValue, store, valueOf } from './aml';
import { buildMpTables } from './mp-table';
import { buildAcpiTables } from './tables';

const BASE = 0xe0000;
const block = buildAcpiTables(BASE, 1);
const view = new DataView(block.buffer);
const signature = (gpa: number): string => String.fromCharCode(...block.subarray(gpa - BASE, gpa - BASE + 4));
const sum = (gpa: number, length: number): number =>
  block.subarray(gpa - BASE, gpa - BASE + length).reduce((total, byte) => (total + byte) & 0xff, 0);
const dword = (gpa: number): number => view.getUint32(gpa - BASE, true);

test('RSDP to RSDT to FADT to FACS and DSDT, checksums and all', () => {
  expect(String.fromCharCode(...block.subarray(0, 8))).toBe('RSD PTR ');
  expect(sum(BASE, 20)).toBe(0);
  const rsdt = dword(BASE + 16);
  const fadt = dword(rsdt + 36);
  const facs = dword(fadt + 36);
  const dsdt = dword(fadt + 40);
  expect([rsdt, fadt, facs, dsdt].map(signature)).toEqual(['RSDT', 'FACP', 'FACS', 'DSDT']);
  for (const table of [rsdt, fadt, dsdt]) expect(sum(table, dword(table + 4))).toBe(0);
  expect(facs % 64).toBe(0);
  expect(dword(fadt + 140)).toBe(dsdt);
  expect(BASE + block.length).toBeLessThanOrEqual(0x100000);
});

test('the MADT: one local APIC, one I/O APIC, the timer on pin 2, the SCI as a level, NMI on LINT1', () => {
  const rsdt = dword(BASE + 16);
  expect(dword(rsdt + 4)).toBe(36 + 8);
  const madt = dword(rsdt + 40);
  expect(signature(madt)).toBe('APIC');
  expect(sum(madt, dword(madt + 4))).toBe(0);
  expect([dword(madt + 36), dword(madt + 40)]).toEqual([0xfee00000, 1]);
  const entries: number[][] = [];
  for (let at = madt + 44; at < madt + dword(madt + 4); at += block[at - BASE + 1]) {
    entries.push([...block.subarray(at - BASE, at - BASE + block[at - BASE + 1])]);
  }
  expect(entries).toEqual([
    [0, 8, 0, 0, 1, 0, 0, 0],
    [1, 12, 1, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0],
    [2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
    [2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0],
    [4, 6, 0xff, 0, 0, 1],
  ]);
});

test('a machine without APICs has no MADT', () => {
  const plain = buildAcpiTables(BASE, 0);
  const at = new DataView(plain.buffer).getUint32(16, true) - BASE;
  expect(plain[at + 4]).toBe(36 + 4);
  expect(String.fromCharCode(...plain)).not.toContain('APIC');
});

test('MP tables: both checksums, entries as many as the header says, every interrupt on a pin there is', () => {
  const at = 0xf0000;
  const bytes = buildMpTables(at, 2);
  const table = new DataView(bytes.buffer, 16);
  const total = (part: Uint8Array): number => part.reduce((a, b) => (a + b) & 0xff, 0);
  expect(String.fromCharCode(...bytes.subarray(0, 4))).toBe('_MP_');
  expect([total(bytes.subarray(0, 16)), total(bytes.subarray(16))]).toEqual([0, 0]);
  expect(new DataView(bytes.buffer).getUint32(4, true)).toBe(at + 16);
  expect(table.getUint16(4, true)).toBe(bytes.length - 16);
  const counts = [0, 0, 0, 0, 0];
  let entries = 0;
  for (let offset = 44; offset < table.byteLength; offset += table.getUint8(offset) === 0 ? 20 : 8) {
    const type = table.getUint8(offset);
    counts[type]++;
    entries++;
    if (type === 3) expect([table.getUint8(offset + 6), table.getUint8(offset + 7) < 24]).toEqual([2, true]);
  }
  expect(counts).toEqual([2, 2, 1, 13 + 31 * 4, 2]);
  expect(table.getUint16(34, true)).toBe(entries);
});

test('AML of methods', () => {
  expect(method('\\_PIC', 1, store(ARG0, '\\PICM'))).toEqual([
    0x14, 0x0e, 0x5c, 0x5f, 0x50, 0x49, 0x43, 1, 0x70, 0x68, 0x5c, 0x50, 0x49, 0x43, 0x4d,
  ]);
  expect(ifTrue(integer(1), returnValue(valueOf('PRTA')))).toEqual([0xa0, 7, 1, 0xa4, 0x50, 0x52, 0x54, 0x41]);
});

test('AML encodings: numbers, identifiers, package lengths', () => {
  expect(integer(0x1ffff)).toEqual([0x0c, 0xff, 0xff, 1, 0]);
  expect(eisaId('PNP0A03')).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
  expect(packageOf(integer(0), integer(1))).toEqual([0x12, 4, 2, 0, 1]);
  const long = packageOf(...Array.from({ length: 62 }, () => integer(0)));
  expect(long.slice(0, 4)).toEqual([0x12, 0x41, 0x04, 62]); // 65 = two length bytes, count, 62 items
});
