/** Proves which MSRs reach the local APIC, and what becomes of values that are not allowed. */
import type { ApicMsrs } from '@godwit/cpu';
import { TestMachine } from './testing';

const GP = 13;
const READ = '0f32 f4';
const WRITE = '0f30 f4';

/** An APIC that keeps what it is told; bit 10 of the base is not allowed. */
class Apic implements ApicMsrs {
  base = 0xfee00900n;
  deadline: bigint | undefined = 0n;
  moved = 0;
  readBase(): bigint {
    return this.base;
  }
  writeBase(value: bigint): boolean {
    if (value & 0x400n) return false;
    this.base = value;
    return true;
  }
  readDeadline(): bigint | undefined {
    return this.deadline;
  }
  writeDeadline(value: bigint): boolean {
    if (this.deadline === undefined) return false;
    this.deadline = value;
    return true;
  }
  tscMoved(): void {
    this.moved++;
  }
}

function run(code: string, apic: Apic | undefined, msr: number, low = 0, high = 0): TestMachine {
  const machine = new TestMachine({ apic });
  machine.state.gpr.set([low, msr, high]);
  machine.run(code);
  return machine;
}

test("the base is the APIC's, with a copy in the state block", () => {
  const apic = new Apic();
  expect(run(READ, apic, 0x1b).state.gpr[0]).toBe(0xfee00900);
  const { state } = run(WRITE, apic, 0x1b, 0xfee00100);
  expect([apic.base, state.apicBase]).toEqual([0xfee00100n, 0xfee00100]);
  expect(run(WRITE, apic, 0x1b, 0xfee00d00).taken()).toBe(GP);
  expect(apic.base).toBe(0xfee00100n);
});

test('the deadline has 64 bits', () => {
  const apic = new Apic();
  run(WRITE, apic, 0x6e0, 0x89abcdef, 0x01234567);
  expect(apic.deadline).toBe(0x0123456789abcdefn);
  const { gpr } = run(READ, apic, 0x6e0).state;
  expect([gpr[0], gpr[2]]).toEqual([0x89abcdef, 0x01234567]);
});

test('a CPU without APIC or without TSC-deadline has no such registers', () => {
  for (const msr of [0x1b, 0x6e0]) for (const code of [READ, WRITE]) expect(run(code, undefined, msr).taken()).toBe(GP);
  const apic = new Apic();
  apic.deadline = undefined;
  for (const code of [READ, WRITE]) expect(run(code, apic, 0x6e0).taken()).toBe(GP);
});

test("AMD's configuration registers are there on AMD's CPUs alone, and take no writes", () => {
  const amd = new TestMachine({ cpuid: { query: () => [0, 0x68747541, 0, 0] } });
  amd.state.gpr.set([0xffffffff, 0xc0010015]);
  amd.run('0f30 0f32 f4');
  expect([amd.state.gpr[0], amd.taken()]).toEqual([0x1000000, -1]);
  expect(run(READ, undefined, 0xc0010015).taken()).toBe(GP);
});

test('the APIC hears when the TSC is set', () => {
  const apic = new Apic();
  run(WRITE, apic, 0x10, 5, 0);
  expect(apic.moved).toBe(1);
});
