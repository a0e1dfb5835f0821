/**
 * Which events ask for an interrupt (data sheet, CSR0 INTR). Events of CSR0
 * have their masks in CSR3; those of CSR4 stand one above their masks; those
 * of CSR5 and CSR7 one above their enable bits. CSR4's UINT has no mask.
 */
import { Csr, Csr0, CSR0_ERRORS, CSR0_INTERRUPTS, Csr4, CSR4_MASKS, Csr5, CSR5_ENABLES, CSR7_ENABLES } from './bits';
import type { PcnetState } from './state';

export function interruptCause({ csr }: PcnetState): boolean {
  const [status, masks, features, control, control2] = [
    csr[Csr.status],
    csr[Csr.masks],
    csr[Csr.features],
    csr[Csr.control],
    csr[Csr.control2],
  ];
  const causes =
    (status & ~masks & CSR0_INTERRUPTS) |
    (((features >> 1) & ~features & CSR4_MASKS) | (features & Csr4.uint)) |
    ((control >> 1) & control & CSR5_ENABLES) |
    ((control2 >> 1) & control2 & CSR7_ENABLES);
  return causes !== 0;
}

/** The interrupt pin. A system error needs no IENA: the error itself has cleared it (CSR5, SINT). */
export function interruptAsserted(state: PcnetState): boolean {
  const { csr } = state;
  const systemError = csr[Csr.control] & Csr5.sint && csr[Csr.control] & Csr5.sinte;
  return Boolean(systemError) || ((csr[Csr.status] & Csr0.iena) !== 0 && interruptCause(state));
}

/** CSR0 with the bits that follow from others. */
export function shownStatus(state: PcnetState): number {
  const status = state.csr[Csr.status];
  return status | (status & CSR0_ERRORS ? Csr0.err : 0) | (interruptCause(state) ? Csr0.intr : 0);
}
