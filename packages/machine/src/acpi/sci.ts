/** The ISA interrupt of ACPI's own events. */
export const SCI_IRQ = 9;
