/** Proves what CPUID says of the machine's own parts: local APIC, its timer, and one CPU in the topology leaves. */
import { type CpuidQuery, GuestCpuid, hostFeatures } from './cpuid';
import { parseCpuOption } from './features';
import { VcpuState } from './state';

const APIC_ON = 0xfee00900;

/** A host with eight cores of two threads, an APIC id of its own, and no APIC features listed. */
const host: CpuidQuery = (leaf, subleaf) => {
  if (leaf === 0) return [0x16, 1, 2, 3];
  if (leaf === 1) return [0x306c3, 0x07100800, 0, (1 << 0) | (1 << 4) | (1 << 5)];
  if (leaf === 4 && subleaf < 3) return [0x1c004121, 0x1c0003f, 0x3f, 0];
  if (leaf === 0xb) return [4, 16, 0x201, 7];
  return [0, 0, 0, 0];
};

function guest(option = 'host', apicBase = APIC_ON): GuestCpuid {
  const state = new VcpuState();
  state.set('apicBase', apicBase);
  return new GuestCpuid(host, parseCpuOption(option, hostFeatures(host)), state);
}

const APIC = 1 << 9;
const DEADLINE = 1 << 24;

test('the APIC and its timer are offered on any host', () => {
  const [, ebx, ecx, edx] = guest().query(1, 0);
  expect([edx & APIC, ecx & DEADLINE, guest().query(6, 7)[0]]).toEqual([APIC, DEADLINE, 4]);
  expect(ebx >>> 24).toBe(0); // the guest's APIC id, not the host's
});

test('--cpu can mask them; the timer goes with the APIC', () => {
  expect(guest('host,-tsc_deadline_timer').query(1, 0)[2] & DEADLINE).toBe(0);
  const without = guest('host,-apic');
  expect([without.query(1, 0)[3] & APIC, without.query(1, 0)[2] & DEADLINE, without.query(6, 0)[0], without.query(0xb, 0)]).toEqual([
    0,
    0,
    0,
    [0, 0, 0, 0],
  ]);
});

test('switched off by IA32_APIC_BASE it is gone from leaf 1', () => {
  expect(guest('host', 0xfee00100).query(1, 0)[3] & APIC).toBe(0);
});

test('caches and topology are those of one CPU', () => {
  expect(guest().query(4, 0)).toEqual([0x121, 0x1c0003f, 0x3f, 0]);
  expect(guest().query(0xb, 0)).toEqual([0, 1, 0x100, 0]);
  expect(guest().query(0xb, 1)).toEqual([0, 1, 0x201, 0]);
  expect(guest().query(0xb, 2)).toEqual([0, 0, 2, 0]);
});
