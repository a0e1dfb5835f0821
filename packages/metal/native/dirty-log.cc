// Which guest pages were written, by rounds: what live migration sends again.
// A round begins with every page clean and unwritable. The first write of
// whatever kind (guest code by a fault, the page walk's A and D bits, a frame
// that an interrupt pushes, a device) marks the page and lets further ones pass.
#include "vm.h"

namespace godwit {

void beginDirtyRound(Vm *vm, u8 *dirtyOut) {
  softFlushWrites(vm);
  vm->dirtyLogging = true;
  copyBytes(dirtyOut, vm->dirty, vm->ramPages);
  zeroBytes(vm->dirty, vm->ramPages);
  u64 *const watched = (u64 *)vm->watched;  // the table is a whole number of words, and longer than RAM's pages
  for (u32 i = 0; i < (vm->ramPages + 7) / 8; i++) watched[i] |= 0x0101010101010101ull * kWatchClean;
  protectAllForLog(vm);
}

void endDirtyLog(Vm *vm) {
  vm->dirtyLogging = false;
  u64 *const watched = (u64 *)vm->watched;
  for (u32 i = 0; i < (vm->ramPages + 7) / 8; i++) watched[i] &= ~(0x0101010101010101ull * kWatchClean);
}

}  // namespace godwit
