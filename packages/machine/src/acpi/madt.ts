/**
 * Multiple APIC description table: the CPUs' local APICs, the I/O APIC, and
 * where ISA interrupts are not wired one to one. Source: ACPI 2.0, 5.2.10.4.
 */
import { IO_APIC_AT } from '../devices/io-apic';
import { LOCAL_APIC_AT } from '../devices/local-apic';
import { TIMER_GSI } from '../interrupts';
import { dword, word } from './aml';
import { SCI_IRQ } from './sci';

/** There is also a pair of 8259s. */
const PCAT_COMPATIBLE = 1;
const ENABLED = 1;
const LEVEL_ACTIVE_HIGH = 0x0d;
const AS_THE_BUS_HAS_IT = 0;
const ALL_PROCESSORS = 0xff;
const LINT1 = 1;

/** All behind the common header. The I/O APIC's id follows those of the CPUs. */
export function madtBody(cpuCount: number): number[] {
  const entry = (type: number, ...body: number[]): number[] => [type, body.length + 2, ...body];
  const isaOverride = (irq: number, gsi: number, flags: number): number[] => entry(2, 0, irq, ...dword(gsi), ...word(flags));
  return [
    ...dword(LOCAL_APIC_AT),
    ...dword(PCAT_COMPATIBLE),
    ...Array.from({ length: cpuCount }, (_, id) => entry(0, id, id, ...dword(ENABLED))).flat(),
    ...entry(1, cpuCount, 0, ...dword(IO_APIC_AT), ...dword(0)),
    ...isaOverride(0, TIMER_GSI, AS_THE_BUS_HAS_IT),
    ...isaOverride(SCI_IRQ, SCI_IRQ, LEVEL_ACTIVE_HIGH),
    ...entry(4, ALL_PROCESSORS, ...word(AS_THE_BUS_HAS_IT), LINT1),
  ];
}
