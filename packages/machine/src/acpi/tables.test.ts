/** Proves that a scan finds the ACPI tables and that each is whole and where the others say. */
import { eisaId, integer, packageOf } from './aml';
import { buildAcpiTables } from './tables';

const BASE = 0xe0000;
const block = buildAcpiTables(BASE);
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

test('AML encodings: numbers, identifiers, package lengths', () => {
  expect(integer(0x1ffff)).toEqual([0x0c, 0xff, 0xff, 1, 0]);
  expect(eisaId('PNP0A03')).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
  expect(packageOf(integer(0), integer(1))).toEqual([0x12, 4, 2, 0, 1]);
  const long = packageOf(...Array.from({ length: 62 }, () => integer(0)));
  expect(long.slice(0, 4)).toEqual([0x12, 0x41, 0x04, 62]); // 65 = two length bytes, count, 62 items
});
