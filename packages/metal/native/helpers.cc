// Callout handlers: the few system operations frequent enough that leaving for
// TypeScript would be felt: interrupt delivery, iret, sysenter/sysexit, segment
// loads, CR3 loads, invlpg, popf. Each handles the common case of a flat
// 32-bit guest and changes nothing at all otherwise: it then answers
// "interpret", and the interpreter, which knows every case, runs that one
// instruction. Sources: SDM 3A 5.8, 6.12; SDM 2A/2B INT n, IRET, SYSENTER.
//
// Result of a handler: 0 resume at eip, 1 leave with exitReason set.
#include "vm.h"

namespace godwit {

void composeFlags(State *s) {
  s->eflags = (u32)(s->rawFlags & kHostFlags) | 2 | s->ifCell | s->sysFlags;
}

static bool flat(const Segment &g, u32 typeMask, u32 type) {
  return g.base == 0 && g.limit == 0xFFFFFFFF && (g.access & typeMask) == type;
}

static u32 leave(State *s, u32 reason) {
  s->exitReason = reason;
  return 1;
}

constexpr u32 kPresentCode32 = 0x409800, kPresentData = 0x9200, kCodeMask = 0x409800, kDataMask = 0x9A00;

// Where translated code finds the base of fs or gs: a page that faults while the segment is not plain flat-limit data.
static void setSegmentPointer(Vm *vm, u32 i) {
  State *s = vm->state;
  const Segment &g = s->segments[i];
  const bool usable = g.limit == 0xFFFFFFFF && (g.access & kDataMask) == kPresentData;
  s->segmentBasePointer[i] = usable ? (u64)&s->segments[i].base : (u64)vm->segmentPoison;
}

// Chooses window, table and mode for the state as it is; false (exitReason set): TypeScript must act first.
bool prepareResume(Vm *vm) {
  State *s = vm->state;
  const u32 f = s->eflags;
  s->rawFlags = (f & kHostFlags) | 0x202;
  s->ifCell = f & kFlagIF;
  s->sysFlags = f & ~(kHostFlags | kFlagIF | kFlagRF | 2);
  s->exitHostRip = 0;
  s->exitArg0 = 0;
  const bool translatable = (s->cr0 & kCr0PE) && !(f & (kFlagTF | kFlagVM)) && (s->cpl == 0 || s->cpl == 3) &&
                            !(s->cpl == 3 && (f & kFlagAC) && (s->cr0 & kCr0AM)) &&
                            flat(s->segments[CS], kCodeMask, kPresentCode32) &&
                            flat(s->segments[SS], kDataMask | 0x400000, kPresentData | 0x400000) &&
                            flat(s->segments[DS], kDataMask, kPresentData) &&
                            flat(s->segments[ES], kDataMask, kPresentData);
  if (!translatable) {
    s->exitArg0 = 1;
    s->exitReason = kInterpret;
    return false;
  }
  // What a guest can make grow without end is dropped as a whole before it can hurt the host.
  if (vm->rmapCount > kMaxRmap - 65536 || vm->tableFills > kMaxTableFills) dropEverything(vm);
  const bool user = s->cpl == 3;
  if ((s->cr0 & kCr0PG) && (!vm->userWindow || vm->windows[vm->userWindow].cr3 != s->cr3)) activateCr3(vm);
  if (user && !vm->userWindow) {  // user mode without paging: no user window; leave it to the interpreter
    s->exitArg0 = 1;
    s->exitReason = kInterpret;
    return false;
  }
  const bool noSse = !(s->cr4 & 0x200), noAvx = !(s->cr4 & 0x40000) || (s->xcr0 & 6) != 6;
  s->modeKey = (user ? 1 : 0) | (s->cr0 & (kCr0TS | kCr0EM) ? 2 : 0) | (noSse ? 4 : 0) | (noAvx ? 8 : 0);
  setSegmentPointer(vm, FS);
  setSegmentPointer(vm, GS);
  const u32 window = user ? vm->userWindow : 0;
  const u64 low = (u64)vm->windows[vm->userWindow].base, own = (u64)vm->windows[window].base;
  if (user) finishDeferred(vm);
  const u64 reached = vm->deferredCount ? (u64)deferredBase(vm) : low;
  for (u32 q = 0; q < 4; q++) s->quadrantBase[q] = user || (vm->kernelQuadrants >> q & 1) ? own : reached;
  s->windowBase = own;
  setGsBase(vm, own);
  s->codeBase = (u64)vm->codeRx;
  s->tableBase = (u64)tableOf(vm, window, s->modeKey);
  asm volatile("" ::: "memory");
  if (s->kicked) {
    s->exitReason = kKick;
    return false;
  }
  if (s->interruptPending && s->ifCell && !s->interruptShadow) {
    s->exitReason = kKick;
    return false;
  }
  return true;
}

static u32 resume(Vm *vm) { return prepareResume(vm) ? 0 : 1; }

struct Descriptor {
  u32 lo, hi;
};

static bool readDescriptor(Vm *vm, u32 selector, Descriptor *d, u32 *address = nullptr) {
  const State *s = vm->state;
  if (selector & 4 || (selector | 7) > s->gdtrLimit) return false;
  const u32 at = s->gdtrBase + (selector & ~7u);
  if (address) *address = at;
  return readGuest32(vm, at, &d->lo) && readGuest32(vm, at + 4, &d->hi);
}

static void loadSegment(Segment &g, u32 selector, const Descriptor &d) {
  g.selector = selector;
  g.base = (d.lo >> 16) | (d.hi & 0xFF) << 16 | (d.hi & 0xFF000000);
  const u32 limit = (d.lo & 0xFFFF) | (d.hi & 0xF0000);
  g.limit = d.hi & 0x800000 ? limit << 12 | 0xFFF : limit;
  g.access = d.hi & 0x00F0FF00;
}

static bool flatDescriptor(const Descriptor &d) {
  return (d.lo & 0xFFFF) == 0xFFFF && (d.hi & 0xFF8F00FF) == 0x008F0000 && d.lo >> 16 == 0;
}

// Interrupt or exception through a 32-bit gate into flat ring 0. False: nothing was changed.
bool deliver(Vm *vm, u32 vector, bool hasError, u32 error, u32 returnEip, bool software) {
  State *s = vm->state;
  if (s->eflags & kFlagVM || vector * 8 + 7 > s->idtrLimit) return false;
  u32 lo, hi;
  if (!readGuest32(vm, s->idtrBase + vector * 8, &lo) || !readGuest32(vm, s->idtrBase + vector * 8 + 4, &hi)) return false;
  const u32 type = hi >> 8 & 0x1F;
  if (!(hi & 0x8000) || (type != 0xE && type != 0xF)) return false;
  if (software && (hi >> 13 & 3) < s->cpl) return false;
  const u32 cs = lo >> 16;
  Descriptor code;
  if ((cs & ~3u) == 0 || !readDescriptor(vm, cs, &code)) return false;
  if (!flatDescriptor(code) || (code.hi & 0x0040FF00) != 0x00409B00) return false;  // present, DPL 0, code, readable, accessed, 32-bit
  u32 esp = s->gpr[ESP], ss = s->segments[SS].selector;
  Descriptor stack = {0, 0};
  const bool inner = s->cpl == 3;
  if (inner) {
    const Segment &tr = s->segments[TR];
    if ((tr.access & 0x0D00) != 0x0900 || tr.limit < 11) return false;  // 32-bit TSS
    if (!readGuest32(vm, tr.base + 4, &esp) || !readGuest32(vm, tr.base + 8, &ss)) return false;
    ss &= 0xFFFF;
    if ((ss & ~3u) == 0 || ss & 3 || !readDescriptor(vm, ss, &stack)) return false;
    if (!flatDescriptor(stack) || (stack.hi & 0x0040FF00) != 0x00409300) return false;
  } else if (s->cpl != 0) {
    return false;
  }
  const u32 count = 3 + (inner ? 2 : 0) + (hasError ? 1 : 0), top = esp - count * 4;
  u32 frame[6];
  u32 n = 0;
  if (hasError) frame[n++] = error;
  frame[n++] = returnEip;
  frame[n++] = s->segments[CS].selector;
  frame[n++] = s->eflags | (vector == 14 || vector == 13 ? kFlagRF : 0);
  if (inner) frame[n++] = s->gpr[ESP], frame[n++] = s->segments[SS].selector;
  if ((top & 3) || (top & 0xFFF) > 4096 - count * 4) {
    u8 *slots[6];
    for (u32 i = 0; i < count; i++) {
      if (((top + i * 4) & 0xFFF) > 0xFFC || !(slots[i] = guestPointer(vm, top + i * 4, true, false))) return false;
    }
    for (u32 i = 0; i < count; i++) store32(slots[i], frame[i]);
  } else {
    u8 *p = guestPointer(vm, top, true, false);
    if (!p) return false;
    for (u32 i = 0; i < count; i++) ((u32 *)p)[i] = frame[i];
  }
  if (inner) loadSegment(s->segments[SS], ss, stack);
  loadSegment(s->segments[CS], cs & ~3u, code);
  s->cpl = 0;
  s->gpr[ESP] = top;
  s->eip = (lo & 0xFFFF) | (hi & 0xFFFF0000);
  s->eflags &= ~(kFlagTF | kFlagNT | kFlagRF | kFlagVM | (type == 0xE ? kFlagIF : 0));
  s->interruptShadow = 0;
  s->halted = 0;
  return true;
}

#define HANDLER(name) extern "C" u32 godwit_handle_##name(State *s)
#define BEGIN             \
  Vm *const vm = g_vm;    \
  composeFlags(s);        \
  s->counters[cCallouts]++

HANDLER(miss) {
  BEGIN;
  s->counters[cMisses]++;
  if (!findBlock(vm, s->eip, s->modeKey)) return leave(s, kMiss);
  return resume(vm);
}

// From a stub's start to its second half, the jump through the table (translator/src/stubs.ts, LINK_BYTES).
constexpr u32 kStubTable = 19;

HANDLER(chain) {
  BEGIN;
  s->counters[cChains]++;
  const u32 site = s->exitArg0;
  const u32 n = findBlock(vm, s->eip, s->modeKey);
  if (!n) return leave(s, kMiss);
  const Block *from = blockAt(vm, (u64)vm->codeRx + site);
  Block &to = vm->blocks[n];
  u8 *const rel = vm->codeRw + site;
  if (from && from->valid && from->mode == to.mode) {
    const bool samePage = from->gpaPage == to.gpaPage && from->eip >> 12 == to.eip >> 12;
    if (to.gpaPage2 != ~0u || (!samePage && (to.mode & 1))) {
      store32(rel, load32(rel) + kStubTable);  // may not be linked: go through the block table from now on
      return resume(vm);
    }
    const u32 l = takeLink(vm);
    if (!l) return leave(s, kCacheFull);
    vm->links[l] = {site, load32(rel), to.links};
    to.links = l;
    store32(rel, to.hostStart - (site + 4));
  }
  return resume(vm);
}

HANDLER(interpret) {
  composeFlags(s);
  s->exitArg0 = 0;
  return leave(s, kInterpret);
}

HANDLER(attention) {
  composeFlags(s);
  return leave(s, kKick);
}

HANDLER(int) {
  BEGIN;
  const u32 vector = s->exitArg0, next = s->exitArg1;
  if (!deliver(vm, vector, false, 0, next, true)) return leave(s, kInterpret), s->exitArg0 = 0, 1;
  s->counters[cInterrupts]++;
  return resume(vm);
}

HANDLER(iret) {
  BEGIN;
  s->exitArg0 = 0;
  const u32 esp = s->gpr[ESP];
  if (s->cpl != 0 || s->eflags & (kFlagNT | kFlagVM)) return leave(s, kInterpret);
  u32 f[5];
  if ((esp & 0xFFF) <= 4096 - 20 && !(esp & 3)) {
    const u8 *p = guestPointer(vm, esp, false, false);
    if (!p) return leave(s, kInterpret);
    for (u32 i = 0; i < 5; i++) f[i] = ((const u32 *)p)[i];
  } else {
    for (u32 i = 0; i < 3; i++)
      if (!readGuest32(vm, esp + i * 4, &f[i])) return leave(s, kInterpret);
    if (f[1] & 3)
      for (u32 i = 3; i < 5; i++)
        if (!readGuest32(vm, esp + i * 4, &f[i])) return leave(s, kInterpret);
  }
  const u32 cs = f[1] & 0xFFFF, flags = f[2];
  if (flags & kFlagVM) return leave(s, kInterpret);
  Descriptor code, stack;
  if ((cs & ~3u) == 0 || !readDescriptor(vm, cs, &code) || !flatDescriptor(code)) return leave(s, kInterpret);
  if ((cs & 3) == 0) {
    if ((code.hi & 0x0040FF00) != 0x00409B00) return leave(s, kInterpret);
    s->gpr[ESP] = esp + 12;
  } else {
    const u32 ss = f[4] & 0xFFFF;
    if ((cs & 3) != 3 || (code.hi & 0x0040FF00) != 0x0040FB00) return leave(s, kInterpret);
    if ((ss & 3) != 3 || (ss & ~3u) == 0 || !readDescriptor(vm, ss, &stack)) return leave(s, kInterpret);
    if (!flatDescriptor(stack) || (stack.hi & 0x0040FF00) != 0x0040F300) return leave(s, kInterpret);
    s->gpr[ESP] = f[3];
    loadSegment(s->segments[SS], ss, stack);
    const u32 data[4] = {ES, DS, FS, GS};
    for (u32 i : data) {
      Segment &g = s->segments[i];
      const bool conforming = (g.access & 0x1C00) == 0x1C00;
      if (g.access && !conforming && (g.access >> 13 & 3) < 3) zeroBytes(&g, sizeof g);
    }
    s->cpl = 3;
  }
  loadSegment(s->segments[CS], cs, code);
  s->eip = f[0];
  constexpr u32 kLoadable = 0x277FD5;  // all but VM, VIF, VIP
  s->eflags = (flags & kLoadable) | (s->eflags & ~kLoadable) | 2;
  s->counters[cIrets]++;
  if (vm->pendingFaultValid && s->cpl == 3) {
    vm->pendingFaultValid = false;
    const u32 linear = vm->pendingFault;
    if (s->cr0 & kCr0PG && vm->userWindow && vm->windows[vm->userWindow].cr3 == s->cr3) {
      const Walk w = walk(vm, linear, false, false, true, false);
      if (w.ok && (w.pte & 0x20) && isRam(vm, w.gpaPage)) {
        const u32 info = vm->windows[vm->userWindow].info[linear >> 12];
        if (!(info & kMapped) || info >> 8 != w.gpaPage || (w.dirty && w.writable && !(info & kWritable))) {
          mapForAccess(vm, vm->userWindow, linear, w, false);
          s->counters[cEagerMaps]++;
        }
      }
    }
  }
  return resume(vm);
}

static void loadFlat(Segment &g, u32 selector, u32 access) { g = {selector, 0, 0xFFFFFFFF, access}; }

HANDLER(sysenter) {
  BEGIN;
  s->exitArg0 = 0;
  if ((s->sysenterCs & ~3u) == 0) return leave(s, kInterpret);
  s->eflags &= ~(kFlagVM | kFlagIF | kFlagRF);
  loadFlat(s->segments[CS], s->sysenterCs & 0xFFFC, 0xC09B00);
  loadFlat(s->segments[SS], (s->sysenterCs & 0xFFFC) + 8, 0xC09300);
  s->cpl = 0;
  s->gpr[ESP] = s->sysenterEsp;
  s->eip = s->sysenterEip;
  return resume(vm);
}

HANDLER(sysexit) {
  BEGIN;
  s->exitArg0 = 0;
  if ((s->sysenterCs & ~3u) == 0 || s->cpl != 0) return leave(s, kInterpret);
  loadFlat(s->segments[CS], ((s->sysenterCs & 0xFFFC) + 16) | 3, 0xC0FB00);
  loadFlat(s->segments[SS], ((s->sysenterCs & 0xFFFC) + 24) | 3, 0xC0F300);
  s->cpl = 3;
  s->gpr[ESP] = s->gpr[ECX];
  s->eip = s->gpr[EDX];
  return resume(vm);
}

// The handlers below that neither change mode, privilege nor window resume as
// they came: flags, window and table are still those in force (a kick shows in
// the table pointer), so the full prepareResume is spared.
static u32 refuse(State *s) {
  composeFlags(s);
  s->exitArg0 = 0;
  return leave(s, kInterpret);
}

HANDLER(load_segment) {
  Vm *const vm = g_vm;
  s->counters[cCallouts]++;
  s->counters[cSegmentLoads]++;
  const u32 selector = s->exitArg0 & 0xFFFF, seg = s->exitArg0 >> 16 & 7, pop = s->exitArg0 >> 24;
  if (seg == SS || seg == CS) return refuse(s);
  Segment loaded = {selector, 0, 0, 0};
  if ((selector & ~3u) != 0) {
    Descriptor d;
    if (!readDescriptor(vm, selector, &d)) return refuse(s);
    const u32 access = d.hi >> 8 & 0xFF, dpl = access >> 5 & 3, rpl = selector & 3;
    if ((access & 0x91) != 0x91) return refuse(s);  // present, code or data, accessed
    if ((access & 0x0A) == 0x08) return refuse(s);  // execute-only
    if ((access & 0x0C) != 0x0C && dpl < (s->cpl > rpl ? s->cpl : rpl)) return refuse(s);
    if ((access & 0x0C) == 0x04) return refuse(s);  // expand-down
    loadSegment(loaded, selector, d);
  }
  s->segments[seg] = loaded;
  s->eip = s->exitArg1;
  if (pop) s->gpr[ESP] += 4;
  if (seg >= FS) {
    setSegmentPointer(vm, seg);
    return 0;
  }
  if (flat(loaded, kDataMask, kPresentData)) return 0;
  composeFlags(s);
  return resume(vm);
}

// SDM 2B, VERR/VERW. Linux runs verw on every return to user mode.
HANDLER(verify) {
  Vm *const vm = g_vm;
  s->counters[cCallouts]++;
  const u32 selector = s->exitArg0 & 0xFFFF;
  const bool write = s->exitArg0 >> 16 & 1;
  bool ok = false;
  if (selector & 4) return refuse(s);
  if ((selector & ~3u) != 0 && (selector | 7) <= s->gdtrLimit) {
    Descriptor d;
    if (!readDescriptor(vm, selector, &d)) return refuse(s);
    const u32 access = d.hi >> 8 & 0xFF, dpl = access >> 5 & 3, rpl = selector & 3;
    const bool code = access & 8, conforming = (access & 0xC) == 0xC;
    ok = (access & 0x10) && (conforming || dpl >= (s->cpl > rpl ? s->cpl : rpl));
    ok = ok && (write ? !code && (access & 2) : !code || (access & 2));
  }
  s->rawFlags = ok ? s->rawFlags | 0x40 : s->rawFlags & ~0x40ull;
  s->eip = s->exitArg1;
  return 0;
}

HANDLER(write_cr3) {
  BEGIN;
  s->counters[cCr3Writes]++;
  const u32 value = s->exitArg0, next = s->exitArg1;
  s->exitArg0 = 0;
  if (s->cr4 & kCr4PAE) {
    if (!(s->cr0 & kCr0PG) || (value & ~0x1Full) + 32 > vm->ramBytes) return leave(s, kInterpret);
    const u64 *pdpt = (const u64 *)(vm->ram + (value & ~0x1Fu));
    for (u32 i = 0; i < 4; i++)
      if ((pdpt[i] & 1) && (pdpt[i] & 0xFFFFFFF0000001E6ull)) return leave(s, kInterpret);
  }
  s->cr3 = value;
  s->tlbGeneration++;
  if (s->cr0 & kCr0PG) activateCr3(vm);
  s->eip = next;
  return resume(vm);
}

HANDLER(invlpg) {
  BEGIN;
  s->counters[cInvlpgs]++;
  flushPage(vm, s->exitArg0);
  s->eip = s->exitArg1;
  return resume(vm);
}

HANDLER(rdtsc) {
  s->counters[cCallouts]++;
  if ((s->cr4 & 4) && s->cpl) return refuse(s);
  u32 lo, hi;
  asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
  const u64 tsc = scaleTsc(s, ((u64)hi << 32) | lo) + s->tscOffset;
  s->gpr[EAX] = (u32)tsc;
  s->gpr[EDX] = (u32)(tsc >> 32);
  s->eip = s->exitArg1;
  return 0;
}

HANDLER(popf) {
  Vm *const vm = g_vm;
  s->counters[cCallouts]++;
  const u32 image = s->exitArg0, next = s->exitArg1;
  composeFlags(s);
  const u32 old = s->eflags;
  u32 loadable = kHostFlags | kFlagTF | kFlagNT | kFlagAC | 0x200000;  // + ID
  if (s->cpl == 0) loadable |= 0x3000 | kFlagIF;
  else if (s->cpl <= (old >> 12 & 3)) loadable |= kFlagIF;
  s->eflags = ((image & loadable) | (old & ~loadable) | 2) & ~kFlagRF;
  s->gpr[ESP] += 4;
  s->eip = next;
  s->exitArg0 = 0;
  if ((s->eflags ^ old) & ~(kHostFlags | kFlagIF)) return resume(vm);
  if ((s->eflags & kFlagIF) && s->interruptPending) return resume(vm);
  s->rawFlags = (s->eflags & kHostFlags) | 0x202;
  s->ifCell = s->eflags & kFlagIF;
  return 0;
}

HANDLER(fault_deliver) {
  BEGIN;
  if (!deliver(vm, s->exitVector, s->exitHasErrorCode, s->exitErrorCode, s->eip, false)) return leave(s, kException);
  s->counters[cNativeFaultDeliveries]++;
  return resume(vm);
}

}  // namespace godwit
