/** One VM's vCPU: the translation cache, exits, faults, windows. Fed by what its VMM last pushed. */
import { agentCounter, agentGauge, by, VM } from './row';
import { EXIT_KINDS } from './values';

const exits = Object.fromEntries(EXIT_KINDS.map((kind) => [kind, `exits_${kind}`]));

/** Callouts that have a counter of their own; what remains is `other`. */
const CALLOUTS = {
  miss: 'native_misses',
  link: 'native_chains',
  iret: 'native_irets',
  segment_load: 'native_segment_loads',
  write_cr3: 'native_cr3_writes',
  invlpg: 'native_invlpgs',
};
const FAULTS = { guest: 'native_fault_guest', interpret: 'native_fault_interpret' };

export const ENGINE = {
  godwit_vm_guest_time_seconds: agentGauge({
    unit: 'seconds',
    labels: VM,
    help: 'Time that has passed for the guest since power-on; stands still while the VM is paused, and goes along when it moves.',
    sources: [{ name: 'run_seconds' }],
  }),
  godwit_vm_start_seconds: agentGauge({
    unit: 'seconds',
    labels: VM,
    help: "Time from the start of the VM's process to its first guest instruction.",
    sources: [{ name: 'start_to_first_instruction_ms', scale: 1e-3 }],
  }),
  godwit_vm_vcpu_seconds_total: agentCounter({
    unit: 'seconds',
    labels: { ...VM, mode: ['translated', 'interpreted', 'translating', 'warming', 'halted', 'throttled'] },
    help: "What the vCPU's thread spent its time on: translated guest code with devices' work for it (what remains of the time), the interpreter (single steps by sample), translating on demand or ahead, the guest's halts, the rests of a throttled migration.",
    sources: by('mode', {
      translated: 'vcpu_translated_seconds',
      interpreted: 'vcpu_interpreted_seconds',
      translating: 'translation_seconds',
      warming: 'warm_seconds',
      halted: 'vcpu_halted_seconds',
      throttled: 'vcpu_throttled_seconds',
    }),
  }),

  godwit_vm_code_cache_bytes: agentGauge({
    unit: 'bytes',
    labels: VM,
    help: 'Host code that the code cache holds.',
    sources: [{ name: 'code_cache_bytes' }],
  }),
  godwit_vm_code_cache_limit_bytes: agentGauge({
    unit: 'bytes',
    labels: VM,
    help: 'Size of the code cache; a full one is dropped as a whole.',
    sources: [{ name: 'code_cache_limit_bytes' }],
  }),
  godwit_vm_code_cache_blocks: agentGauge({
    labels: VM,
    help: 'Blocks that the code cache holds.',
    sources: [{ name: 'code_cache_blocks' }],
  }),
  godwit_vm_code_cache_flushes_total: agentCounter({
    labels: VM,
    help: 'Times that the code cache was dropped as a whole because it was full.',
    sources: [{ name: 'translation_flushes' }],
  }),
  godwit_vm_code_cache_dropped_blocks_total: agentCounter({
    labels: { ...VM, reason: ['evicted', 'self_modified'] },
    help: 'Blocks dropped: with a full cache, or because the guest wrote to their page.',
    sources: by('reason', { evicted: 'code_cache_evicted_blocks', self_modified: 'code_cache_self_modified_blocks' }),
  }),
  godwit_vm_code_invalidations_total: agentCounter({
    labels: VM,
    help: 'Writes to pages that blocks had been translated from.',
    sources: [{ name: 'native_self_modified' }],
  }),
  godwit_vm_code_lookup_misses_total: agentCounter({
    labels: VM,
    help: 'Jumps whose target the block table of the window did not name: looked up by page, and translated if need be.',
    sources: [{ name: 'native_misses' }],
  }),
  godwit_vm_translated_blocks_total: agentCounter({
    labels: VM,
    help: 'Blocks translated on demand.',
    sources: [{ name: 'translation_blocks' }],
  }),
  godwit_vm_translated_instructions_total: agentCounter({
    labels: VM,
    help: 'Guest instructions translated on demand.',
    sources: [{ name: 'translation_instructions' }],
  }),
  godwit_vm_translated_bytes_total: agentCounter({
    unit: 'bytes',
    labels: { ...VM, code: ['guest', 'host'] },
    help: 'Bytes of guest code translated on demand, and of host code made from it.',
    sources: by('code', { guest: 'translation_guest_bytes', host: 'translation_host_bytes' }),
  }),
  godwit_vm_warm_blocks_total: agentCounter({
    labels: { ...VM, event: ['listed', 'refused', 'translated', 'dropped', 'used', 'stale'] },
    help: 'Blocks translated ahead for a VM that arrives or resumes: named in lists, refused, translated, dropped as their page changed, used, found stale at their first use.',
    sources: by('event', {
      listed: 'warm_listed',
      refused: 'warm_refused',
      translated: 'warm_translated',
      dropped: 'warm_dropped',
      used: 'native_warm_used',
      stale: 'native_warm_stale',
    }),
  }),
  godwit_vm_interpreted_instructions_total: agentCounter({
    labels: VM,
    help: 'Guest instructions that the interpreter executed.',
    sources: [{ name: 'interpreted' }],
  }),

  godwit_vm_exits_total: agentCounter({
    labels: { ...VM, kind: EXIT_KINDS },
    help: "Exits from translated code to the engine's loop.",
    sources: by('kind', exits),
  }),
  godwit_vm_entries_total: agentCounter({
    labels: VM,
    help: "Entries into translated code from the engine's loop.",
    sources: [{ name: 'native_runs' }],
  }),
  godwit_vm_kicks_total: agentCounter({
    labels: VM,
    help: 'Times that running guest code was stopped from outside: timers, devices, orders.',
    sources: [{ name: 'native_kicks' }],
  }),
  godwit_vm_callouts_total: agentCounter({
    labels: { ...VM, kind: [...(Object.keys(CALLOUTS) as (keyof typeof CALLOUTS)[]), 'other'] },
    help: 'Calls of the native layer by translated code, which then goes on.',
    sources: [...by('kind', CALLOUTS), { name: 'native_callouts', labels: { kind: 'other' }, less: Object.values(CALLOUTS) }],
  }),
  godwit_vm_interrupts_total: agentCounter({
    labels: { ...VM, kind: ['device', 'software', 'fault'] },
    help: "Deliveries through the guest's IDT: of devices, by the INT instruction, of faults without leaving the native layer.",
    sources: by('kind', { device: 'interrupts_delivered', software: 'native_interrupts', fault: 'native_native_fault_deliveries' }),
  }),
  godwit_vm_faults_total: agentCounter({
    labels: { ...VM, kind: ['guest', 'interpret', 'window'] },
    help: "Host faults in translated code: a fault of the guest's own, an access left to the interpreter (devices, code that patches itself), or a page that the window did not show.",
    sources: [...by('kind', FAULTS), { name: 'native_faults', labels: { kind: 'window' }, less: Object.values(FAULTS) }],
  }),

  godwit_vm_window_maps_total: agentCounter({
    labels: { ...VM, kind: ['on_demand', 'ahead'] },
    help: 'Pages shown in a window or given other rights there, after a fault or before one.',
    sources: [
      ...by('kind', { ahead: 'native_eager_maps' }),
      { name: 'native_fault_maps', labels: { kind: 'on_demand' }, less: ['native_eager_maps'] },
    ],
  }),
  godwit_vm_window_large_maps_total: agentCounter({
    labels: VM,
    help: 'Large pages of the guest shown in a window with one mapping.',
    sources: [{ name: 'native_large_maps' }],
  }),
  godwit_vm_window_unmapped_pages_total: agentCounter({
    labels: VM,
    help: 'Pages taken out of windows.',
    sources: [{ name: 'native_pages_unmapped' }],
  }),
  godwit_vm_window_protections_total: agentCounter({
    labels: VM,
    help: 'Calls of mprotect for windows.',
    sources: [{ name: 'native_protect_calls' }],
  }),
  godwit_vm_window_evictions_total: agentCounter({
    labels: VM,
    help: "Windows emptied to stay below the host's limit of mappings.",
    sources: [{ name: 'native_window_evictions' }],
  }),
  godwit_vm_window_flushes_total: agentCounter({
    labels: VM,
    help: 'Times that everything was taken out of all windows: a change of paging mode, a full cache.',
    sources: [{ name: 'native_flushes' }],
  }),
  godwit_vm_soft_tlb_misses_total: agentCounter({
    labels: VM,
    help: "Misses of the software TLB, filled by a walk of the guest's page tables.",
    sources: [{ name: 'native_soft_misses' }],
  }),
  godwit_vm_soft_tlb_sites_total: agentCounter({
    labels: { ...VM, event: ['adopted', 'dropped'] },
    help: 'Instructions moved to the software TLB, and back to the window.',
    sources: by('event', { adopted: 'first_touch_adopted', dropped: 'first_touch_dropped' }),
  }),
} as const;
