/** Writes of CR0, CR3 and CR4 (SDM 3A, 2.5): what is refused, and what becomes stale. */
import { Cr0, Cr4, type Core } from './core';
import { generalProtection } from './fault';

const CR0_ALL = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
/** Bits whose change makes translations stale. */
const CR0_PAGING = Cr0.PE | Cr0.WP | Cr0.PG;
const CR4_PAGING = Cr4.PSE | Cr4.PAE | Cr4.PGE;
const CR4_ALWAYS = Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.PCE;

export function writeCr0(core: Core, value: number): void {
  const { state } = core;
  const next = (value & CR0_ALL) | Cr0.ET;
  if ((next & Cr0.PG) !== 0 && (next & Cr0.PE) === 0) throw generalProtection();
  if ((next & Cr0.NW) !== 0 && (next & Cr0.CD) === 0) throw generalProtection();
  const changed = state.cr0 ^ next;
  if ((changed & next & Cr0.PG) !== 0 && (state.cr4 & Cr4.PAE) !== 0) checkPointers(core, state.cr3);
  state.cr0 = next;
  if ((changed & CR0_PAGING) !== 0) core.flushTlb(false);
  core.refresh();
}

export function writeCr3(core: Core, value: number): void {
  if ((core.state.cr4 & Cr4.PAE) !== 0 && (core.state.cr0 & Cr0.PG) !== 0) checkPointers(core, value);
  core.state.cr3 = value;
  core.flushTlb(true);
}

export function writeCr4(core: Core, value: number): void {
  const { state, ports } = core;
  let allowed: number = CR4_ALWAYS;
  if (ports.featureAllowed('fxsr')) allowed |= Cr4.OSFXSR;
  if (ports.featureAllowed('sse')) allowed |= Cr4.OSXMMEXCPT;
  if (ports.featureAllowed('xsave')) allowed |= Cr4.OSXSAVE;
  if ((value & ~allowed) !== 0) throw generalProtection();
  const changed = state.cr4 ^ value;
  if ((changed & value & Cr4.PAE) !== 0 && (state.cr0 & Cr0.PG) !== 0) checkPointers(core, state.cr3);
  state.cr4 = value;
  if ((changed & CR4_PAGING) !== 0) core.flushTlb(false);
}

/** Page-directory pointers are checked when they are loaded (SDM 3A, 4.4.1): a present one with a reserved bit is #GP. */
function checkPointers({ ports, mem }: Core, cr3: number): void {
  for (let n = 0; n < 4; n++) {
    const at = ((cr3 & ~0x1f) >>> 0) + n * 8;
    const low = ports.memory.read32(at), high = ports.memory.read32(at + 4);
    if ((low & 1) !== 0 && ((low & 0x1e6) !== 0 || high >>> (mem.physicalBits - 32) !== 0)) throw generalProtection();
  }
}
