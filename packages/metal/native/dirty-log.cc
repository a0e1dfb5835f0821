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
  for (u32 p = 0; p < vm->ramPages; p++) vm->watched[p] |= kWatchClean;
  protectAllForLog(vm);
}

void endDirtyLog(Vm *vm) {
  vm->dirtyLogging = false;
  for (u32 p = 0; p < vm->ramPages; p++) vm->watched[p] &= (u8)~kWatchClean;
}

}  // namespace godwit
