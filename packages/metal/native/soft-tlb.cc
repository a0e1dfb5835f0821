// First touches without signals.
//
// A window makes an access to a known page free and one to a new page dear: a
// signal, a walk and an mmap, some ten microseconds. Code that does little but
// touch new pages (first use of fresh memory, mapped files) is translated anew
// to look its user pages up in a small software TLB and to use the linear view
// of RAM: a dozen instructions an access, and a miss costs a walk. Where the
// guest must be asked, its #PF is delivered straight from here.
//
// The entries are a TLB: dropped by every CR3 load and flush, by invlpg for the
// page, and for writes whenever a page becomes write-protected. They hold user
// pages only and are used by user code only.
//
// TypeScript looks at the counts now and then and turns an instruction back
// that touches few new pages, or the same ones again and again.
#include "vm.h"

namespace godwit {

static inline u32 *tags(State *s, bool write) { return (u32 *)((u8 *)s + (write ? kSoftWriteTags : kSoftReadTags)); }
static inline u64 *deltas(State *s, bool write) { return (u64 *)((u8 *)s + (write ? kSoftWriteDeltas : kSoftReadDeltas)); }
constexpr u32 kEmptyTag = 1;

static void clear(State *s, bool write) {
  u32 *at = tags(s, write);
  u64 count = 256;
  asm volatile("rep stosl" : "+D"(at), "+c"(count) : "a"(kEmptyTag) : "memory");
}

void softFlush(Vm *vm) {
  vm->softLarge = false;
  clear(vm->state, false);
  clear(vm->state, true);
}
void softFlushWrites(Vm *vm) { clear(vm->state, true); }
void softFlushPage(Vm *vm, u32 linear) {
  if (vm->softLarge) return softFlush(vm);  // invlpg drops a large page as a whole
  tags(vm->state, false)[linear >> 12 & 255] = kEmptyTag;
  tags(vm->state, true)[linear >> 12 & 255] = kEmptyTag;
}

// The guest flushes this page. If it is gone, its next touch is a first one again.
void softForget(Vm *vm, u32 linear) {
  const u32 page = linear >> 12, slot = page & (kSeenPages - 1);
  if (vm->seenPages[slot] != page && vm->windowPages[slot] != page) return;
  if (!walk(vm, linear, false, false, true, false).ok) vm->seenPages[slot] = vm->windowPages[slot] = 0;
}

// Counts a user instruction's first touches; true once, when it should change
// over. A page that was seen before is only coming back to the window.
bool softCandidate(Vm *vm, u32 eip, u32 page, bool present) {
  u32 &seen = vm->windowPages[page & (kSeenPages - 1)];
  if (present && seen == page) return false;
  if (present) seen = page;
  u16 &count = vm->siteFaults[siteOf(eip)];
  if (count == 0xFFFF) return false;
  if (++count < kSoftThreshold) return false;
  count = 0xFFFF;
  return true;
}

static u32 leaveFor(State *s, u32 reason) {
  composeFlags(s);
  s->exitArg0 = 0;
  s->exitReason = reason;
  return 1;
}

// 2: filled, run the instruction again; 0: #PF delivered, go on at eip; 1: leave.
extern "C" u32 godwit_handle_soft_miss(State *s) {
  Vm *const vm = g_vm;
  s->counters[cSoftMisses]++;
  const u32 linear = s->exitArg0, size = 1u << (s->exitArg1 >> 1 & 7), page = linear >> 12;
  const bool write = s->exitArg1 & 1;
  const u32 site = siteOf(s->eip);
  if (linear & (size - 1)) {  // may cross a page; where this is frequent, the window is the better way
    if (vm->siteAgain[site] < 0xFFFF) vm->siteAgain[site]++;
    return leaveFor(s, kInterpret);
  }
  const Walk w = walk(vm, linear, write, false, true, true);
  u32 &seen = vm->seenPages[page & (kSeenPages - 1)];
  // A known page that another one pushed out: the window would have kept it. One that the
  // guest flushed may have left the window, too (a file mapped and unmapped over and over).
  const bool known = w.ok && seen == page, flushed = tags(s, write)[page & 255] == kEmptyTag;
  u16 &count = !known ? vm->siteFirst[site] : flushed ? vm->siteFlushed[site] : vm->siteAgain[site];
  if (count < 0xFFFF) count++;
  // Plainly the wrong way: TypeScript turns the instruction back without waiting for its next look.
  if (known && !flushed && count == kSoftAgain && vm->siteFirst[site] + vm->siteFlushed[site] < kSoftAgain / 8)
    return leaveFor(s, kUserAccess);
  if (!w.ok) {
    s->cr2 = linear;
    s->exitAddress = linear;
    s->exitVector = 14;
    s->exitErrorCode = w.error;
    s->exitHasErrorCode = 1;
    vm->pendingFaultValid = false;
    composeFlags(s);
    if (!deliver(vm, 14, true, w.error, s->eip, false)) {
      s->exitReason = kException;
      return 1;
    }
    s->counters[cNativeFaultDeliveries]++;
    return prepareResume(vm) ? 0 : 1;
  }
  if (!isRam(vm, w.gpaPage) || (write && (vm->watched[w.gpaPage] & kWatchCode))) return leaveFor(s, kInterpret);
  seen = page;
  if (w.large) vm->softLarge = true;
  if (write) markDirty(vm, w.gpaPage);
  const u64 delta = (u64)vm->ram + ((u64)w.gpaPage << 12) - ((u64)page << 12);
  for (u32 k = 0; k <= (write ? 1u : 0u); k++) {
    tags(s, k)[page & 255] = 0u - page;
    deltas(s, k)[page & 255] = delta;
  }
  return 2;
}

}  // namespace godwit
