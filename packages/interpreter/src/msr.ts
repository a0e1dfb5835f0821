/**
 * Model-specific registers (SDM 4). What is not listed does not exist: #GP(0).
 * Platform id and microcode revision read as zero and swallow writes: kernels
 * touch them before they can take a fault. On AMD's CPUs kernels do the same
 * with the hardware and north bridge configuration.
 */
import { stateOffset } from '@godwit/cpu';
import type { Core } from './core';
import { generalProtection } from './fault';

interface Msr {
  read(core: Core): bigint;
  write(core: Core, value: bigint): void;
}

const EFER_NX = 0x800n;

export function timeStamp(core: Core): bigint {
  return BigInt.asUintN(64, core.ports.hostTsc() + core.state.u64[stateOffset.tscOffset >> 3]);
}

/** One dword of the state block, with the bits that may be written. */
function field(name: string, writable = 0xffffffffn): Msr {
  return {
    read: core => BigInt(core.state.get(name)),
    write: (core, value) => {
      if ((value & ~writable) !== 0n) throw generalProtection();
      core.state.set(name, Number(value));
    },
  };
}

const timeStampCounter: Msr = {
  read: timeStamp,
  write: (core, value) => {
    core.state.u64[stateOffset.tscOffset >> 3] = BigInt.asUintN(64, value - core.ports.hostTsc());
    core.ports.apic?.tscMoved();
  },
};

/** The state block holds a copy for whoever cannot ask the APIC: CPUID shows one only while it is enabled. */
const apicBase: Msr = {
  read: core => present(core.ports.apic).readBase(),
  write: (core, value) => {
    const apic = present(core.ports.apic);
    if (!apic.writeBase(value)) throw generalProtection();
    core.state.set('apicBase', Number(apic.readBase()));
  },
};

const tscDeadline: Msr = {
  read: core => present(core.ports.apic?.readDeadline()),
  write: (core, value) => {
    if (!core.ports.apic?.writeDeadline(value)) throw generalProtection();
  },
};

/** What a CPU without it does not know of. */
function present<T>(part: T | undefined): T {
  if (part === undefined) throw generalProtection();
  return part;
}

/** Memory types 0, 1, 4–7 in each of eight fields (SDM 3A, 12.12.2). Stored only: memory is all write-back. */
const pageAttributes: Msr = {
  read: core => (BigInt(core.state.get('patHigh')) << 32n) | BigInt(core.state.get('patLow')),
  write: (core, value) => {
    for (let n = 0n; n < 64n; n += 8n) {
      const type = (value >> n) & 0xffn;
      if (type > 7n || type === 2n || type === 3n) throw generalProtection();
    }
    core.state.set('patLow', Number(value & 0xffffffffn));
    core.state.set('patHigh', Number(value >> 32n));
  },
};

const hasNoExecute = (core: Core): boolean => (core.ports.cpuid.query(0x80000001, 0)[3] & (1 << 20)) !== 0;

const extendedFeatures: Msr = {
  read: core => {
    if (!hasNoExecute(core)) throw generalProtection();
    return BigInt(core.state.efer);
  },
  write: (core, value) => {
    if (!hasNoExecute(core) || (value & ~EFER_NX) !== 0n) throw generalProtection();
    const changed = core.state.efer !== Number(value);
    core.state.efer = Number(value);
    if (changed) core.flushTlb(false);
  },
};

const zero: Msr = { read: () => 0n, write: () => undefined };

const registers = new Map<number, Msr>([
  [0x10, timeStampCounter],
  [0x17, zero],
  [0x1b, apicBase],
  [0x8b, zero],
  [0x174, field('sysenterCs')],
  [0x175, field('sysenterEsp')],
  [0x176, field('sysenterEip')],
  [0x1a0, field('miscEnable')],
  [0x277, pageAttributes],
  [0x6e0, tscDeadline],
  [0xc0000080, extendedFeatures],
]);

/** HWCR with TscFreqSel set: the TSC's rate is constant (AMD APM 2, appendix A). */
const hardwareConfiguration: Msr = { read: () => 0x1000000n, write: () => undefined };

const amdRegisters = new Map<number, Msr>([
  [0xc0010015, hardwareConfiguration],
  [0xc001001f, zero],
]);

/** "Auth", of AuthenticAMD, in ebx. */
const AMD = 0x68747541;

function find(core: Core, index: number): Msr {
  const msr = registers.get(index) ?? amdRegisters.get(index);
  if (msr === undefined) throw generalProtection();
  if (amdRegisters.has(index) && core.ports.cpuid.query(0, 0)[1] !== AMD) throw generalProtection();
  return msr;
}

export function readMsr(core: Core, index: number): bigint { return find(core, index).read(core); }
export function writeMsr(core: Core, index: number, value: bigint): void { find(core, index).write(core, value); }
