import { features, machineFeatures, type Register } from './features';
import type { CpuidSource } from './ports';
import type { VcpuState } from './state';

/**
 * CPUID as the guest sees it: identification, caches and brand from the host,
 * feature bits from the VM's feature set alone. What is not listed reads zero.
 */

export type CpuidQuery = (leaf: number, subleaf: number) => readonly [number, number, number, number];

const registerIndex: Record<Register, number> = { eax: 0, ebx: 1, ecx: 2, edx: 3 };
const MAX_BASIC = 0xd;
const MAX_EXTENDED = 0x80000008;
const APIC_BIT = 1 << 9;
const APIC_ENABLED = 0x800;
/** Leaf 0xB, ecx bits 15-8: what its subleaves 0 and 1 count. */
const TOPOLOGY_LEVELS = [1, 2];
const HYPERVISOR_BIT = 1 << 31;
/** XCR0 components offered: x87, SSE, AVX; offsets and sizes of the standard format (SDM 1, 13.4). */
const AVX_OFFSET = 576, AVX_SIZE = 256, LEGACY_SIZE = 576;

/** Features that can be offered on this host, out of those Godwit knows. */
export function hostFeatures(host: CpuidQuery): Set<string> {
  const found = new Set<string>();
  const maxBasic = host(0, 0)[0] >>> 0, maxExtended = host(0x80000000, 0)[0] >>> 0;
  for (const f of features) {
    if (machineFeatures.includes(f.name)) continue;
    if (f.leaf > (f.leaf >= 0x80000000 ? maxExtended : maxBasic)) continue;
    if ((host(f.leaf, f.subleaf)[registerIndex[f.register]] >>> f.bit) & 1) found.add(f.name);
  }
  // Every x86-64 processor has these for 32-bit code; AMD's lists are not always complete under hypervisors.
  for (const f of ['sep', 'pse', 'pae', 'de', 'pge', ...machineFeatures]) found.add(f);
  return found;
}

export class GuestCpuid implements CpuidSource {
  constructor(private readonly host: CpuidQuery, private readonly set: ReadonlySet<string>, private readonly state: VcpuState) {}

  query(leaf: number, subleaf: number): readonly [number, number, number, number] {
    leaf >>>= 0;
    const out: [number, number, number, number] = [0, 0, 0, 0];
    const maxBasic = this.set.has('xsave') ? MAX_BASIC : 7;
    switch (leaf) {
      case 0: {
        const h = this.host(0, 0);
        return [maxBasic, h[1] >>> 0, h[2] >>> 0, h[3] >>> 0];
      }
      case 1: {
        const h = this.host(1, 0);
        out[0] = h[0];
        out[1] = (8 << 8) | (1 << 16); // clflush line 64 bytes, one logical processor, initial APIC id 0
        out[2] = HYPERVISOR_BIT;
        if (this.set.has('xsave') && this.state.cr4 & 0x40000) out[2] |= 1 << 27; // OSXSAVE
        break;
      }
      case 4: {
        const h = this.host(4, subleaf);
        // Bits 31-14 of eax: how many logical processors share the cache, and how many cores there are; one.
        return [(h[0] & 0x3fff) >>> 0, h[1] >>> 0, h[2] >>> 0, h[3] >>> 0];
      }
      case 0xb:
        this.topologyLeaf(subleaf >>> 0, out);
        break;
      case 0xd:
        this.xsaveLeaf(subleaf, out);
        break;
      case 0x80000000: {
        const h = this.host(0, 0);
        return [MAX_EXTENDED, h[1] >>> 0, h[2] >>> 0, h[3] >>> 0];
      }
      case 0x80000001: {
        out[0] = this.host(leaf, 0)[0];
        break;
      }
      case 0x80000002:
      case 0x80000003:
      case 0x80000004:
      case 0x80000005:
      case 0x80000006: {
        const h = this.host(leaf, 0);
        return [h[0] >>> 0, h[1] >>> 0, h[2] >>> 0, h[3] >>> 0];
      }
      case 0x80000007:
        out[3] = 1 << 8; // the TSC runs at a constant rate
        break;
      case 0x80000008:
        out[0] = 32 | (32 << 8); // 32 physical, 32 linear address bits
        if (this.set.has('pae')) out[0] = 36 | (32 << 8);
        break;
    }
    for (const f of features) {
      if (f.leaf === leaf && f.subleaf === (leaf === 1 || leaf === 6 || leaf >= 0x80000000 ? 0 : subleaf) && this.set.has(f.name)) {
        out[registerIndex[f.register]] |= 1 << f.bit;
      }
    }
    // An APIC that is switched off is not there.
    if (leaf === 1 && !(this.state.apicBase & APIC_ENABLED)) out[3] &= ~APIC_BIT;
    return [out[0] >>> 0, out[1] >>> 0, out[2] >>> 0, out[3] >>> 0];
  }

  /** One thread of one core, with APIC id 0 (edx). */
  private topologyLeaf(subleaf: number, out: [number, number, number, number]): void {
    if (!this.set.has('apic')) return;
    const level = TOPOLOGY_LEVELS[subleaf];
    out[1] = level ? 1 : 0;
    out[2] = (subleaf & 0xff) | ((level ?? 0) << 8);
  }

  private xsaveLeaf(subleaf: number, out: [number, number, number, number]): void {
    if (!this.set.has('xsave')) return;
    const avx = this.set.has('avx');
    const full = avx ? AVX_OFFSET + AVX_SIZE : LEGACY_SIZE;
    if (subleaf === 0) {
      out[0] = avx ? 7 : 3;
      out[1] = this.state.get('xcr0') & 4 ? AVX_OFFSET + AVX_SIZE : LEGACY_SIZE;
      out[2] = full;
    } else if (subleaf === 2 && avx) {
      out[0] = AVX_SIZE;
      out[1] = AVX_OFFSET;
    }
  }
}
