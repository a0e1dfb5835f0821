import type { Native } from '@godwit/metal';

/** CPUID of the host's processor: [eax, ebx, ecx, edx]. */
export function hostCpuidQuery(native: Native): (leaf: number, subleaf: number) => readonly [number, number, number, number] {
  const out = new Uint32Array(4);
  return (leaf, subleaf) => {
    native.hostCpuid(leaf >>> 0, subleaf >>> 0, out);
    return [out[0], out[1], out[2], out[3]];
  };
}
