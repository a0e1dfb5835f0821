import { features as table } from './features';
import type { CpuidQuery } from './cpuid';

/**
 * A CPU as hosts compare it before a VM moves; plain JSON. `features` and
 * `vendor` as in /proc/cpuinfo; `xsaveBytes`: the standard-format XSAVE area of
 * what those features let a guest save (SDM 1, 13.4; CPUID leaf 0xD), 512 without XSAVE.
 */
export interface CpuFacts {
  readonly vendor: string;
  readonly features: readonly string[];
  readonly xsaveBytes: number;
}

const FXSAVE_BYTES = 512;
const XSAVE_HEADER_BYTES = 64;
const AVX_COMPONENT = 2;

/** @param query CPUID of the host's processor; @param given what a VM has, or may have, of it */
export function cpuFacts(query: CpuidQuery, given: Iterable<string>): CpuFacts {
  const set = new Set(given);
  const [, ebx, ecx, edx] = query(0, 0);
  const vendor = new TextDecoder('latin1').decode(Uint32Array.of(ebx, edx, ecx));
  return { vendor, features: table.map(({ name }) => name).filter((name) => set.has(name)).sort(), xsaveBytes: xsaveBytes(query, set) };
}

function xsaveBytes(query: CpuidQuery, set: ReadonlySet<string>): number {
  if (!set.has('xsave')) return FXSAVE_BYTES;
  if (!set.has('avx')) return FXSAVE_BYTES + XSAVE_HEADER_BYTES;
  const [size, offset] = query(0xd, AVX_COMPONENT);
  return offset + size;
}
