/**
 * What cannot be compared, each with its reason. `host`: translator and
 * interpreter are still compared with each other; `all`: not run at all.
 */
import type { Instruction } from '@godwit/isa';

export type Scope = 'none' | 'host' | 'all';

const list: [scope: Scope, reason: string, mnemonics: string][] = [
  ['all', 'never the same twice', 'rdtsc rdtscp rdrand rdseed rdpmc'],
  ['all', 'enters the host kernel instead of the instruction under test', 'int sysenter syscall sysret sysexit'],
  ['host', 'shows the virtual machine, by design not the host', 'cpuid sgdt sidt sldt str smsw lar lsl verr verw xgetbv rdpid'],
  ['host', 'the host answers user mode by its own hypervisor or model', 'monitor mwait'],
  ['host', 'KVM on AMD reports it at its own address instead of behind it', 'int1'],
];

const wIgnored = new Set(['vpinsrd', 'vpextrd']);
const scopes = new Map(list.flatMap(([scope, , names]) => names.split(' ').map((name) => [name, scope] as const)));

export const skipped: readonly { scope: Scope; reason: string; mnemonics: string[] }[] = list.map(([scope, reason, names]) => ({ scope, reason, mnemonics: names.split(' ') }));

export function scopeOf(ins: Instruction): Scope {
  // The register form of the prefetch opcode is a no-op on Intel's CPUs and #UD on AMD's; the VM has the former.
  if (ins.row.map === 1 && ins.row.opcode === 0x0d && !ins.hasMemory) return 'host';
  // VEX.W = 1 outside 64-bit mode: ignored by the manual, #UD on AMD's CPUs.
  if (ins.row.vex && ins.vexW === 1 && wIgnored.has(ins.row.mnemonic)) return 'host';
  return scopes.get(ins.row.mnemonic) ?? 'none';
}
