/**
 * Control and status registers as the driver reaches them. Those without an
 * entry here are plain storage, which the chip lets be written only while it
 * is stopped or suspended.
 */
import {
  Bcr,
  Csr,
  Csr0,
  CSR0_EVENTS,
  CSR3_WRITABLE,
  Csr4,
  CSR4_EVENTS,
  Csr5,
  CSR5_EVENTS,
  CSR5_WRITABLE,
  CSR7_EVENTS,
  CSR7_WRITABLE,
} from './bits';
import { writeStyle } from './bcr';
import { csr32, ringLength, stopped, suspended } from './chip';
import { descriptorBytes } from './descriptor';
import { shownStatus } from './interrupts';
import type { PcnetState } from './state';

/** What the registers set going. */
export interface CsrActions {
  readonly registers: PcnetState;
  readonly fast: boolean;
  stop(): void;
  init(): void;
  start(): void;
  /** The driver is at work: both rings are looked at; with TDMD it says that there is something to send. */
  look(demanded: boolean): void;
  /** Brings the software timer's event up to date. */
  updateTimer(): void;
}

interface Register {
  read?(actions: CsrActions): number;
  /** Left out: nothing is written. */
  write?(actions: CsrActions, value: number): void;
}

const alias = (number: number): Register => ({
  read: (actions) => readCsr(actions, number),
  write: (actions, value) => writeCsr(actions, number, value),
});

/** The address of a descriptor of a ring, in two registers. */
function place(at: number, base: number, length: number, index: (state: PcnetState) => number): [number, Register][] {
  const address = ({ registers }: CsrActions): number =>
    (csr32(registers, base) + (index(registers) % ringLength(registers, length)) * descriptorBytes(registers)) >>> 0;
  return [
    [at, { read: (actions) => address(actions) & 0xffff }],
    [at + 1, { read: (actions) => address(actions) >>> 16 }],
  ];
}

/** Counts up from the length register's value, which is the first descriptor, to the last one. */
function counter(length: number, index: 'receiveIndex' | 'transmitIndex'): Register {
  return {
    read: ({ registers }) => (registers.csr[length] + registers[index]) & 0xffff,
    write: ({ registers }, value) => {
      if (!unlocked(registers)) return;
      const wanted = (value - registers.csr[length]) & 0xffff;
      registers[index] = wanted < ringLength(registers, length) ? wanted : 0;
    },
  };
}

const unlocked = (state: PcnetState): boolean => stopped(state) || suspended(state);
const masked = (number: number, mask: number): Register => ({
  write: ({ registers }, value) => {
    registers.csr[number] = value & mask;
  },
});

const REGISTERS = new Map<number, Register>([
  [Csr.status, { read: ({ registers }) => shownStatus(registers), write: writeStatus }],
  [Csr.masks, masked(Csr.masks, CSR3_WRITABLE)],
  [Csr.features, { write: writeFeatures }],
  [Csr.control, { write: writeControl }],
  [Csr.lengths, {}],
  [Csr.control2, { read: readControl2, write: writeControl2 }],
  [Csr.initAddressAlias, alias(Csr.initAddress)],
  [Csr.initAddressAlias + 1, alias(Csr.initAddress + 1)],
  ...place(Csr.currentReceive, Csr.receiveBase, Csr.receiveLength, ({ receiveIndex }) => receiveIndex),
  ...place(Csr.nextReceive, Csr.receiveBase, Csr.receiveLength, ({ receiveIndex }) => receiveIndex + 1),
  ...place(Csr.currentTransmit, Csr.transmitBase, Csr.transmitLength, ({ transmitIndex }) => transmitIndex),
  ...place(Csr.nextTransmit, Csr.transmitBase, Csr.transmitLength, ({ transmitIndex }) => transmitIndex + 1),
  [Csr.style, { read: ({ registers }) => registers.bcr[Bcr.style], write: ({ registers }, value) => writeStyle(registers, value) }],
  [Csr.receiveCounter, counter(Csr.receiveLength, 'receiveIndex')],
  [Csr.transmitCounter, counter(Csr.transmitLength, 'transmitIndex')],
  [Csr.chipId, {}],
  [Csr.chipId + 1, {}],
  [Csr.missedFrames, {}],
  [Csr.receiveCollisions, {}],
]);

export function readCsr(actions: CsrActions, number: number): number {
  return REGISTERS.get(number)?.read?.(actions) ?? actions.registers.csr[number] ?? 0;
}

export function writeCsr(actions: CsrActions, number: number, value: number): void {
  const register = REGISTERS.get(number);
  if (register) return register.write?.(actions, value);
  const { registers } = actions;
  if (number < registers.csr.length && unlocked(registers)) registers.csr[number] = value;
}

/** CSR0: events are cleared by ones; STOP goes before everything else. */
function writeStatus(actions: CsrActions, value: number): void {
  const { registers } = actions;
  const { csr } = registers;
  csr[Csr.status] &= ~(value & CSR0_EVENTS);
  if (value & Csr0.stop) return actions.stop();
  csr[Csr.status] = (csr[Csr.status] & ~Csr0.iena) | (value & Csr0.iena);
  if (value & Csr0.init && !(csr[Csr.status] & Csr0.init)) {
    actions.init();
    // A block that is no RAM has stopped the chip.
    if (stopped(registers)) return;
  }
  if (value & Csr0.strt && !(csr[Csr.status] & Csr0.strt)) actions.start();
  actions.look((value & Csr0.tdmd) !== 0);
}

function writeFeatures({ registers: { csr } }: CsrActions, value: number): void {
  const events = csr[Csr.features] & CSR4_EVENTS & ~value;
  const asked = value & Csr4.uintcmd ? Csr4.uint : 0;
  csr[Csr.features] = (value & ~CSR4_EVENTS & ~Csr4.uintcmd) | events | asked;
}

function writeControl(actions: CsrActions, value: number): void {
  const { registers } = actions;
  const { csr } = registers;
  const before = csr[Csr.control];
  csr[Csr.control] = (value & CSR5_WRITABLE) | (before & CSR5_EVENTS & ~value);
  // A stopped chip has nothing to suspend.
  if (stopped(registers)) csr[Csr.control] &= ~Csr5.spnd;
  if (before & Csr5.spnd && !suspended(registers)) actions.look(false);
}

function readControl2(actions: CsrActions): number {
  actions.updateTimer();
  return actions.registers.csr[Csr.control2];
}

function writeControl2(actions: CsrActions, value: number): void {
  const { csr } = actions.registers;
  if (!actions.fast) return;
  actions.updateTimer();
  csr[Csr.control2] = (value & CSR7_WRITABLE) | (csr[Csr.control2] & CSR7_EVENTS & ~value);
}

/** STOP: what it leaves of each register (data sheet, "STOP"). */
export function stopRegisters({ csr }: PcnetState): void {
  csr[Csr.status] = Csr0.stop;
  csr[Csr.features] &= ~CSR4_EVENTS;
  csr[Csr.control] &= ~(CSR5_EVENTS | Csr5.spnd);
  csr[Csr.control2] &= ~CSR7_EVENTS;
  csr[Csr.missedFrames] = csr[Csr.receiveCollisions] = 0;
}
