import type { BootState } from '@godwit/machine';
import type { RawImage } from './config';
import type { GuestMemory } from './guest-memory';

/**
 * Starts a bare program: what the engine's tests and fuzzers run. The CPU is
 * as a multiboot loader leaves it; the program brings its own tables.
 */
export function loadRaw(memory: GuestMemory, { gpa, bytes, eip }: RawImage): BootState {
  memory.write(gpa, bytes);
  return {
    eip, esp: 0, esi: 0, eflags: 2, cr0: 0x11, gdtBase: 0, gdtLimit: 0,
    cs: { selector: 0x08, base: 0, limit: 0xffffffff, access: 0xc09b00 },
    ds: { selector: 0x10, base: 0, limit: 0xffffffff, access: 0xc09300 },
  };
}
