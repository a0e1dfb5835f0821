import type { FeatureName } from '@godwit/isa';

/**
 * CPUID features: where each one's bit lies and what it needs. A VM's feature
 * set is a set of these names; the same set builds the guest's CPUID, decides
 * which instructions are #UD, and is compared before a migration.
 * Source: SDM 2A, CPUID; AMD APM 3, appendix E. Names as in /proc/cpuinfo.
 */

export type Register = 'eax' | 'ebx' | 'ecx' | 'edx';

export interface Feature {
  name: string;
  leaf: number;
  subleaf: number;
  register: Register;
  bit: number;
  /** Features without which this one is useless or forbidden: masking them masks it. */
  needs: readonly string[];
}

const table: [name: string, leaf: number, subleaf: number, register: Register, bit: number, needs?: string][] = [
  ['fpu', 1, 0, 'edx', 0],
  ['de', 1, 0, 'edx', 2],
  ['pse', 1, 0, 'edx', 3],
  ['tsc', 1, 0, 'edx', 4],
  ['msr', 1, 0, 'edx', 5],
  ['pae', 1, 0, 'edx', 6],
  ['cx8', 1, 0, 'edx', 8],
  ['apic', 1, 0, 'edx', 9],
  ['sep', 1, 0, 'edx', 11],
  ['pge', 1, 0, 'edx', 13],
  ['cmov', 1, 0, 'edx', 15, 'fpu'],
  ['pat', 1, 0, 'edx', 16],
  ['clflush', 1, 0, 'edx', 19],
  ['mmx', 1, 0, 'edx', 23, 'fpu'],
  ['fxsr', 1, 0, 'edx', 24, 'fpu'],
  ['sse', 1, 0, 'edx', 25, 'fxsr'],
  ['sse2', 1, 0, 'edx', 26, 'sse'],
  ['pni', 1, 0, 'ecx', 0, 'sse2'],
  ['pclmulqdq', 1, 0, 'ecx', 1, 'sse2'],
  ['ssse3', 1, 0, 'ecx', 9, 'pni'],
  ['fma', 1, 0, 'ecx', 12, 'avx'],
  ['sse4_1', 1, 0, 'ecx', 19, 'ssse3'],
  ['sse4_2', 1, 0, 'ecx', 20, 'sse4_1'],
  ['movbe', 1, 0, 'ecx', 22],
  ['popcnt', 1, 0, 'ecx', 23],
  ['tsc_deadline_timer', 1, 0, 'ecx', 24, 'apic tsc msr'],
  ['aes', 1, 0, 'ecx', 25, 'sse2'],
  ['xsave', 1, 0, 'ecx', 26, 'fxsr'],
  ['avx', 1, 0, 'ecx', 28, 'xsave sse4_2'],
  ['f16c', 1, 0, 'ecx', 29, 'avx'],
  ['rdrand', 1, 0, 'ecx', 30],
  ['arat', 6, 0, 'eax', 2, 'apic'],
  ['bmi1', 7, 0, 'ebx', 3],
  ['avx2', 7, 0, 'ebx', 5, 'avx'],
  ['bmi2', 7, 0, 'ebx', 8],
  ['erms', 7, 0, 'ebx', 9],
  ['rdseed', 7, 0, 'ebx', 18],
  ['adx', 7, 0, 'ebx', 19],
  ['clflushopt', 7, 0, 'ebx', 23],
  ['sha_ni', 7, 0, 'ebx', 29, 'sse4_1'],
  ['fsrm', 7, 0, 'edx', 4],
  ['xsaveopt', 13, 1, 'eax', 0, 'xsave'],
  ['nx', 0x80000001, 0, 'edx', 20, 'pae'],
  ['lahf_lm', 0x80000001, 0, 'ecx', 0],
  ['abm', 0x80000001, 0, 'ecx', 5],
];

/** Those that are the machine's own: offered whatever the host's CPU has. The APIC is a device here, and so is its timer. */
export const machineFeatures: readonly string[] = ['apic', 'arat', 'tsc_deadline_timer'];

export const features: readonly Feature[] = table.map(([name, leaf, subleaf, register, bit, needs]) => ({
  name, leaf, subleaf, register, bit, needs: needs ? needs.split(' ') : [],
}));

const byName = new Map(features.map((f) => [f.name, f]));

/** Named baselines for --cpu: what every processor of that generation has. */
const i686 = ['fpu', 'de', 'pse', 'tsc', 'msr', 'pae', 'cx8', 'apic', 'sep', 'pge', 'cmov', 'pat'];
const pentium3 = [...i686, 'mmx', 'fxsr', 'sse'];
const core2 = [...pentium3, 'clflush', 'sse2', 'pni', 'ssse3', 'nx', 'lahf_lm'];
const nehalem = [...core2, 'sse4_1', 'sse4_2', 'popcnt', 'arat', 'tsc_deadline_timer'];
const haswell = [...nehalem, 'pclmulqdq', 'aes', 'xsave', 'xsaveopt', 'avx', 'f16c', 'rdrand', 'fma', 'movbe', 'bmi1', 'bmi2', 'avx2', 'erms', 'abm'];
export const cpuModels: Readonly<Record<string, readonly string[]>> = { i686, pentium3, core2, nehalem, haswell };

export class UnknownCpuError extends Error {}

/**
 * The feature set that a `--cpu` value names, out of what the host has:
 * `host`, a model name, then `-feature` or `+feature` items, comma separated.
 * Throws UnknownCpuError naming the word that was not understood, or the
 * features that this host lacks.
 */
export function parseCpuOption(option: string, host: ReadonlySet<string>): Set<string> {
  const words = option.split(',').map((w) => w.trim()).filter(Boolean);
  let chosen = new Set(host);
  words.forEach((word, i) => {
    const sign = word[0];
    if (sign === '-' || sign === '+') {
      const name = word.slice(1);
      if (!byName.has(name)) throw new UnknownCpuError(`unknown CPU feature '${name}': known are ${[...byName.keys()].join(', ')}`);
      if (sign === '-') chosen.delete(name);
      else if (!host.has(name)) throw new UnknownCpuError(`this host's CPU lacks the feature '${name}'`);
      else chosen.add(name);
      return;
    }
    if (i > 0) throw new UnknownCpuError(`'${word}' in --cpu: only the first item may be a model; features are written -name or +name`);
    if (word === 'host') return;
    const model = cpuModels[word];
    if (!model) throw new UnknownCpuError(`unknown CPU model '${word}': known are host, ${Object.keys(cpuModels).join(', ')}`);
    const missing = model.filter((f) => !host.has(f));
    if (missing.length > 0) throw new UnknownCpuError(`this host cannot offer the CPU model '${word}': it lacks ${missing.join(', ')}`);
    chosen = new Set(model);
  });
  return closeOver(chosen);
}

/** Drops features whose prerequisites are masked. */
function closeOver(set: Set<string>): Set<string> {
  for (let changed = true; changed; ) {
    changed = false;
    for (const name of set) {
      if (byName.get(name)?.needs.some((n) => !set.has(n))) {
        set.delete(name);
        changed = true;
      }
    }
  }
  return set;
}

/** Whether an instruction of this feature may be executed by a VM with this set. */
export function featureAllowed(set: ReadonlySet<string>, feature: FeatureName): boolean {
  if (feature === 'base' || feature === 'nopl') return true;
  return set.has(feature);
}
