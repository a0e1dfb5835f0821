/**
 * The two chips of the family that systems had drivers for out of the box.
 * They differ in what they say they are, and in the PHY: the Am79C970A has a
 * 10 Mbit/s transceiver of its own, the Am79C973 a 10/100 one behind MII
 * registers. Drivers older than 1998 know only the first; all others take both.
 */
export interface PcnetModel {
  /** Part number and manufacturer, CSR88 and CSR89. */
  readonly chipId: number;
  readonly pciRevision: number;
  /** MII, software timer and CSR7 are there; subsystem numbers, too. */
  readonly fast: boolean;
}

export const PCNET_MODELS = {
  am79c970a: { chipId: 0x02621003, pciRevision: 0x10, fast: false },
  am79c973: { chipId: 0x02625003, pciRevision: 0x40, fast: true },
} as const satisfies Record<string, PcnetModel>;
export type PcnetModelName = keyof typeof PCNET_MODELS;
