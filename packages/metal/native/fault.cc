// Signals: what happens when translated code touches what is not there.
//
// SIGSEGV in translated code is the machine's page-fault path. In order:
// a poisoned table (somebody kicked the vCPU), a poisoned segment base, a page
// that the window lacks (walk the guest's tables, map, go on), a guest #PF, or
// something that is not RAM (leave, the interpreter runs that instruction).
//
// The handler runs on its own stack, calls nothing but async-signal-safe code
// of this library, and passes every fault that is not the guest's to the
// handler that was there before (V8 uses SIGSEGV itself).
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "vm.h"

namespace godwit {

extern "C" char godwit_callout_fault_deliver[], godwit_asm_resume_end[];

static struct sigaction g_previous[65];

static void passOn(int signal, siginfo_t *info, void *context) {
  struct sigaction &old = g_previous[signal];
  if (old.sa_flags & SA_SIGINFO && old.sa_sigaction) return old.sa_sigaction(signal, info, context);
  if (old.sa_handler == SIG_IGN) return;
  if (old.sa_handler != SIG_DFL && old.sa_handler) return old.sa_handler(signal);
  struct sigaction def = {};
  def.sa_handler = SIG_DFL;
  sigaction(signal, &def, nullptr);  // the instruction is executed again and ends the process
}

static inline bool inCode(const Vm *vm, u64 rip) { return rip - (u64)vm->codeRx < vm->codeBytes; }

// A block is left in its midst: eip and esp as they are at the instruction.
static void settle(State *s, const Place &place, greg_t *regs) {
  s->eip = place.eip;
  regs[REG_R12] = (greg_t)(u32)(regs[REG_R12] + place.stackOffset);
}

static bool handleFault(Vm *vm, int signal, siginfo_t *info, greg_t *regs) {
  State *s = vm->state;
  const u64 rip = (u64)regs[REG_RIP];
  const u64 trap = (u64)regs[REG_TRAPNO], address = (u64)info->si_addr;
  const bool code = inCode(vm, rip);
  const bool resuming = rip >= (u64)godwit_resume_window && rip < (u64)godwit_asm_resume_end;
  if (!code && !resuming) return false;

  const u64 poisonOffset = address - (u64)vm->poison;
  const bool poisoned = signal == SIGSEGV && trap == 14 && poisonOffset < kTableStride + 65536;
  if (resuming && !poisoned) return false;
  if (poisoned) {
    // An indirect jump's lookup (mov r9d, [r14 + r8*4]) has its target in r8d; a poll is a plain load.
    static const u8 lookup[4] = {0x47, 0x8B, 0x0C, 0x86};
    bool jump = true;
    for (int i = 0; i < 4; i++) jump = jump && ((const u8 *)rip)[i] == lookup[i];
    Place place;
    if (jump) s->eip = (u32)regs[REG_R8];
    else if (!placeAt(vm, rip, &place)) return false;
    else settle(s, place, regs);
    s->counters[cKicks]++;
    s->exitReason = kKick;
    s->exitHostRip = rip;
    regs[REG_RIP] = (greg_t)godwit_fault_exit;
    return true;
  }

  if (vm->hostExecuting) {  // one instruction run for the interpreter: any trap is its result
    s->exitVector = signal == SIGILL ? 6 : (u32)trap;
    s->exitReason = kException;
    regs[REG_RIP] = (greg_t)godwit_fault_exit;
    return true;
  }
  Place place;
  if (!placeAt(vm, rip, &place)) return false;
  const Block *const block = place.block;
  s->eip = place.eip;
  s->counters[cFaults]++;
  // xsave and its kin run with eax and edx cut down (translator/src/system.ts): the guest's are in r10 and r11.
  const auto undoXsave = [&]() {
    const u8 *at = (const u8 *)rip;
    if (at[0] == 0x65 && at[1] == 0x67) at += 2;
    if ((*at & 0xF0) == 0x40) at++;
    if (at[0] != 0x0F || at[1] != 0xAE || at[2] >= 0xC0) return;
    const u32 digit = at[2] >> 3 & 7;
    if (digit < 4 || digit > 6) return;
    regs[REG_RAX] = regs[REG_R10];
    regs[REG_RDX] = regs[REG_R11];
  };
  auto exitWith = [&](u32 reason) {
    undoXsave();
    settle(s, place, regs);
    s->exitReason = reason;
    s->exitArg0 = 0;
    s->exitHostRip = rip;
    regs[REG_RIP] = (greg_t)godwit_fault_exit;
    return true;
  };
  if (signal == SIGFPE) {
    s->exitVector = trap == 0 ? 0 : trap;  // #DE 0, #MF 16, #XM 19
    if (trap == 19 && !(s->cr4 & 0x400)) s->exitVector = 6;  // no CR4.OSXMMEXCPT
    s->exitHasErrorCode = 0;
    return exitWith(kException);
  }
  if (signal == SIGILL) {
    s->exitVector = 6;
    s->exitHasErrorCode = 0;
    return exitWith(kException);
  }
  if (trap != 14) {  // #GP: misaligned vector access; the interpreter finds out
    s->counters[cFaultInterpret]++;
    return exitWith(kInterpret);
  }
  const u64 arenaOffset = address - (u64)vm->windowArena;
  if (arenaOffset - kWindows * kWindowStride < (1ull << 32) && !(s->modeKey & 1)) {
    // Unmapping was put off, and the supervisor goes for user memory: unmap now, and run the instruction again.
    finishDeferred(vm);
    undoXsave();
    for (u32 q = 0; q < 4; q++)
      if (s->quadrantBase[q] == (u64)deferredBase(vm)) s->quadrantBase[q] = (u64)vm->windows[vm->userWindow].base;
    regs[REG_RSI] &= 0xFFFFFFFF;
    regs[REG_RDI] &= 0xFFFFFFFF;
    regs[REG_RIP] = (greg_t)place.instructionStart;
    return true;
  }
  if (arenaOffset >= kWindows * kWindowStride) {  // poisoned segment base, or a wrapped access outside the arena
    s->counters[cFaultInterpret]++;
    return exitWith(kInterpret);
  }
  const u32 window = (u32)(arenaOffset / kWindowStride);
  const u64 offset = arenaOffset % kWindowStride;
  if (offset >> 32) {
    s->counters[cFaultInterpret]++;
    return exitWith(kInterpret);
  }
  const u32 linear = (u32)offset;
  const bool write = regs[REG_ERR] & 2, user = s->modeKey & 1;
  const Walk w = walk(vm, linear, write, false, user, true);
  if (user && window == vm->userWindow && softCandidate(vm, s->eip, linear >> 12, w.ok)) {
    killBlock(vm, (u32)(block - vm->blocks));
    return exitWith(kUserAccess);
  }
  if (!w.ok) {
    s->counters[cFaultGuest]++;
    s->cr2 = linear;
    s->exitAddress = linear;
    s->exitVector = 14;
    s->exitErrorCode = w.error;
    s->exitHasErrorCode = 1;
    undoXsave();
    settle(s, place, regs);
    vm->pendingFault = linear;
    vm->pendingFaultValid = true;
    s->exitReason = kException;
    s->exitHostRip = rip;
    regs[REG_RIP] = (greg_t)godwit_callout_fault_deliver;
    return true;
  }
  if (window && !user && (!w.user || (write && !w.rawWritable))) {
    // A supervisor page where user pages were expected. Linux patches its text through such a mapping now and
    // then; a kernel that lives in this quadrant (a 2 GiB split) does it all the time, and then the quadrant is its own.
    if (!w.user && ++vm->quadrantMisses[linear >> 30] > kQuadrantMissLimit) vm->kernelQuadrants |= 1u << (linear >> 30);
    s->counters[cFaultInterpret]++;
    return exitWith(kInterpret);
  }
  if (window == 0 && !user && w.user && (s->cr0 & kCr0PG) && vm->userWindow && !(vm->kernelQuadrants >> (linear >> 30) & 1) &&
      isRam(vm, w.gpaPage)) {
    // A supervisor access to the user's memory: TypeScript translates this instruction anew, to go through the user's window.
    killBlock(vm, (u32)(block - vm->blocks));
    return exitWith(kUserAccess);
  }
  if (write && isRam(vm, w.gpaPage) && (vm->watched[w.gpaPage] & kWatchCode) &&
      (block->gpaPage == w.gpaPage || block->gpaPage2 == w.gpaPage)) {
    s->counters[cFaultInterpret]++;
    return exitWith(kInterpret);  // code that patches its own page: one instruction at a time
  }
  if (!mapForAccess(vm, window, linear, w, write)) {
    s->counters[cFaultInterpret]++;
    return exitWith(kInterpret);
  }
  return true;
}

static void onFault(int signal, siginfo_t *info, void *context) {
  Vm *vm = g_vm;
  greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (vm && vm->state && handleFault(vm, signal, info, regs)) return;
  passOn(signal, info, context);
}

// [66] F2/F3 and a string opcode (translator/src/strings.ts).
static bool repeatedString(const u8 *at) {
  if (*at == 0x66) at++;
  if (*at != 0xF2 && *at != 0xF3) return false;
  return (at[1] >= 0xA4 && at[1] <= 0xA7) || (at[1] >= 0xAA && at[1] <= 0xAF);
}

// Timer and cross-thread kicks: poison the block table of the running vCPU.
static void onKick(int, siginfo_t *, void *context) {
  Vm *vm = g_vm;
  if (!vm || !vm->state) return;
  State *s = vm->state;
  greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
  const u64 rip = (u64)regs[REG_RIP];
  s->kicked = 1;
  if (vm->hostExecuting) return;  // one instruction for the interpreter: it must run, and ends by itself
  s->tableBase = (u64)vm->poison + 65536;
  const bool resuming = rip >= (u64)godwit_resume_window && rip < (u64)godwit_asm_resume_end;
  if (inCode(vm, rip) || resuming) regs[REG_R14] = (greg_t)(vm->poison + 65536);
  // A repeated string instruction may take seconds: leave in its midst, where the registers are exact. The
  // pointers' low halves are the guest's own, and the exit path saves just these.
  Place place;
  if (inCode(vm, rip) && !vm->hostExecuting && repeatedString((const u8 *)rip) && placeAt(vm, rip, &place)) {
    settle(s, place, regs);
    s->counters[cKicks]++;
    s->exitReason = kKick;
    s->exitHostRip = rip;
    regs[REG_RIP] = (greg_t)godwit_fault_exit;
  }
}

bool installSignalHandlers(const char **error) {
  static bool installed = false;
  if (installed) return true;
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGRTMIN + 8);
  action.sa_sigaction = onFault;
  const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  for (int signal : faults) {
    if (sigaction(signal, &action, &g_previous[signal]) != 0) {
      *error = "cannot install a signal handler";
      return false;
    }
  }
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  action.sa_sigaction = onKick;
  if (sigaction(SIGRTMIN + 8, &action, nullptr) != 0) {
    *error = "cannot install the kick signal";
    return false;
  }
  installed = true;
  return true;
}

}  // namespace godwit
