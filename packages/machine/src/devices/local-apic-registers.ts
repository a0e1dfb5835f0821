/**
 * The local APIC's registers, by offset (SDM 3A, table 11-1). Those that are
 * not here do not exist.
 */
import type { ApicTimer } from './apic-timer';
import type { LocalApicState } from './local-apic-state';
import { LOCAL_VECTORS, type LocalVectors } from './local-vectors';
import { VECTOR_WORDS } from './vector-set';

export interface ApicRegister {
  read(): number;
  write?(value: number): void;
}

/** What the registers need of their APIC. */
export interface RegisterActions {
  state(): LocalApicState;
  readonly timer: ApicTimer;
  readonly vectors: LocalVectors;
  priority(): number;
  setTaskPriority(value: number): void;
  endOfInterrupt(): void;
  /** Another id, logical id or destination format. */
  readdress(change: Partial<LocalApicState>): void;
  writeSpuriousVector(value: number): void;
  writeVector(index: number, value: number): void;
  writeCommand(value: number): void;
  changeTimer(change: () => void): void;
}

/** Integrated APIC, and the number of the last local vector. */
const VERSION = 0x14 | ((LOCAL_VECTORS - 1) << 16);
const REGISTERS = 256;

type Row = readonly [offset: number, read: () => number, write?: (value: number) => void];

/** By offset / 16. */
export function registerTable(apic: RegisterActions): readonly (ApicRegister | undefined)[] {
  const table = new Array<ApicRegister | undefined>(REGISTERS).fill(undefined);
  for (const [offset, read, write] of [...single(apic), ...repeated(apic)]) table[offset >> 4] = { read, write };
  return table;
}

function single(apic: RegisterActions): Row[] {
  const { state, timer } = apic;
  const nothing = (): number => 0;
  return [
    [0x020, () => state().id * 2 ** 24, (value) => apic.readdress({ id: value >>> 24 })],
    [0x030, () => VERSION],
    [0x080, () => state().tpr, apic.setTaskPriority],
    [0x090, nothing], // arbitration priority: there is no arbitration
    [0x0a0, apic.priority],
    [0x0b0, nothing, apic.endOfInterrupt],
    [0x0c0, nothing], // remote read: gone since the Pentium 4
    [0x0d0, () => state().ldr * 2 ** 24, (value) => apic.readdress({ ldr: value >>> 24 })],
    [0x0e0, () => state().dfr * 2 ** 28 + 0x0fffffff, (value) => apic.readdress({ dfr: value >>> 28 })],
    [0x0f0, () => state().svr, apic.writeSpuriousVector],
    [0x280, () => state().esr, () => latchErrors(state())],
    [0x300, () => state().icrLow, apic.writeCommand],
    [0x310, () => state().icrHigh * 2 ** 24, (value) => setDestination(state(), value)],
    [0x380, () => state().timer.initialCount, (value) => apic.changeTimer(() => timer.setInitialCount(value))],
    [0x390, () => timer.currentCount()],
    [0x3e0, () => state().timer.divide, (value) => apic.changeTimer(() => timer.setDivide(value))],
  ];
}

function repeated({ state, vectors, writeVector }: RegisterActions): Row[] {
  const rows: Row[] = [];
  for (let word = 0; word < VECTOR_WORDS; word++) {
    rows.push([0x100 + 16 * word, () => state().isr[word]]);
    rows.push([0x180 + 16 * word, () => state().tmr[word]]);
    rows.push([0x200 + 16 * word, () => state().irr[word]]);
  }
  for (let index = 0; index < LOCAL_VECTORS; index++) {
    rows.push([0x320 + 16 * index, () => vectors.read(index), (value) => writeVector(index, value)]);
  }
  return rows;
}

/** The register shows what went wrong up to the last write to it. */
function latchErrors(state: LocalApicState): void {
  state.esr = state.errors;
  state.errors = 0;
}

function setDestination(state: LocalApicState, value: number): void {
  state.icrHigh = value >>> 24;
}
