// Guest page tables and address-space windows.
//
// A window is 4 GiB of reserved host address space in which guest-linear
// address L lies at base + L. It is a cache of the guest's page tables in the
// way a TLB is: pages enter it on first use and leave it when the guest
// flushes. Window 0 is the supervisor's and survives context switches; the
// others are the user halves, one per recently used CR3.
//
// A CR3 load does not throw a window away. It is revalidated: each page table
// that the window's pages came from was copied when they were mapped, the copy
// is compared with what stands there now, and only what differs is unmapped.
//
// Invariants: a page is host-writable in a window only if its guest entry has
// D set, the guest may write it, no translated code was taken from it, and
// (while logging) it has been marked dirty in this round.
#include "vm.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace godwit {

static inline long sys(long n, long a, long b, long c, long d = 0, long e = 0, long f = 0) {
  long r;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return r;
}

// Host mappings are a limited good (vm.max_map_count, 65,530 by default) and
// scattered guest pages take one each. Whoever finds none left makes room.
static bool failed(long result) { return (u64)result > (u64)-4096; }

static bool rawMap(Vm *vm, u8 *at, u64 bytes, u64 offset, bool writable, bool populate) {
  return !failed(sys(SYS_mmap, (long)at, (long)bytes, PROT_READ | (writable ? PROT_WRITE : 0),
      MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0), vm->memfd, (long)offset));
}
static bool rawUnmap(u8 *at, u64 bytes) {
  return !failed(sys(SYS_mmap, (long)at, (long)bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
}
static bool rawProtect(Vm *vm, u8 *at, u64 bytes, bool writable) {
  vm->state->counters[cProtectCalls]++;
  return !failed(sys(SYS_mprotect, (long)at, (long)bytes, PROT_READ | (writable ? PROT_WRITE : 0)));
}

// ---- page walk (SDM 3A, 4.3 and 4.4) -------------------------------------------

static inline void setBits32(Vm *vm, u64 gpa, u32 bits) {
  markDirty(vm, (u32)(gpa >> 12));
  asm volatile("lock orl %1, %0" : "+m"(*(u32 *)(vm->ram + gpa)) : "r"(bits) : "memory", "cc");
}

static Walk pageFault(Walk w, bool present, bool write, bool user, bool execute, bool reserved = false) {
  w.ok = false;
  w.error = (present ? 1 : 0) | (write ? 2 : 0) | (user ? 4 : 0) | (reserved ? 8 : 0) | (execute ? 16 : 0);
  return w;
}

Walk walk(Vm *vm, u32 linear, bool write, bool execute, bool user, bool setBits) {
  const State *s = vm->state;
  Walk w;
  zeroBytes(&w, sizeof w);
  if (!(s->cr0 & kCr0PG)) {
    w.ok = w.writable = w.user = w.dirty = w.rawWritable = true;
    w.gpaPage = linear >> 12;
    return w;
  }
  const bool wp = s->cr0 & kCr0WP, pge = s->cr4 & kCr4PGE;
  if (s->cr4 & kCr4PAE) {
    const bool nx = s->efer & 0x800, ifetch = execute && nx;
    const u64 ramLimit = vm->ramBytes;
    u64 at = (s->cr3 & ~0x1Full) + (linear >> 30) * 8;
    if (at + 8 > ramLimit) return pageFault(w, false, write, user, ifetch);
    u64 pdpte = *(u64 *)(vm->ram + at);
    if (!(pdpte & 1)) return pageFault(w, false, write, user, ifetch);
    u64 pdeAt = (pdpte & 0x000FFFFFFFFFF000ull) + ((linear >> 21) & 511) * 8;
    if (pdeAt + 8 > ramLimit) return pageFault(w, false, write, user, ifetch);
    u64 pde = *(u64 *)(vm->ram + pdeAt);
    if (!(pde & 1)) return pageFault(w, false, write, user, ifetch);
    u64 pte = pde, pteAt = pdeAt;
    const u64 reservedHigh = 0x7FFFFF0000000000ull | (nx ? 0 : 1ull << 63);
    if (pde & reservedHigh) return pageFault(w, true, write, user, ifetch, true);
    bool rw = pde & 2, us = pde & 4, xd = nx && (pde >> 63);
    if (pde & 0x80) {
      if (pde & 0x1FE000) return pageFault(w, true, write, user, ifetch, true);
      w.large = true;
      w.gpaPage = (u32)((pde & 0xFFFFE00000ull) >> 12) | ((linear >> 12) & 511);
    } else {
      pteAt = (pde & 0xFFFFFFF000ull) + ((linear >> 12) & 511) * 8;
      if (pteAt + 8 > ramLimit) return pageFault(w, false, write, user, ifetch);
      pte = *(u64 *)(vm->ram + pteAt);
      if (!(pte & 1)) return pageFault(w, false, write, user, ifetch);
      if (pte & reservedHigh) return pageFault(w, true, write, user, ifetch, true);
      rw = rw && (pte & 2), us = us && (pte & 4), xd = xd || (nx && (pte >> 63));
      w.gpaPage = (u32)((pte & 0xFFFFFFF000ull) >> 12);
      w.ptIndex = (linear >> 12) & 511;
    }
    w.rawWritable = rw;
    w.user = us;
    w.writable = rw || (!user && !wp);
    if ((user && !us) || (write && !w.writable) || (execute && xd)) return pageFault(w, true, write, user, ifetch);
    if (setBits) {
      if (!w.large && !(pde & 0x20)) setBits32(vm, pdeAt, 0x20), pde |= 0x20;
      u32 need = 0x20 | (write ? 0x40 : 0);
      if ((pte & need) != need) setBits32(vm, pteAt, need), pte |= need;
    }
    w.pde = w.large ? pte : pde;
    w.pte = pte;
    w.dirty = pte & 0x40;
    w.global = pge && (pte & 0x100);
    w.ok = true;
    return w;
  }
  u64 pdeAt = (u64)(s->cr3 & ~0xFFFu) + (linear >> 22) * 4;
  if (pdeAt + 4 > vm->ramBytes) return pageFault(w, false, write, user, false);
  u32 pde = *(u32 *)(vm->ram + pdeAt);
  if (!(pde & 1)) return pageFault(w, false, write, user, false);
  u32 pte = pde;
  u64 pteAt = pdeAt;
  bool rw = pde & 2, us = pde & 4;
  if ((pde & 0x80) && (s->cr4 & kCr4PSE)) {
    if (pde & 0x200000) return pageFault(w, true, write, user, false, true);
    w.large = true;
    w.gpaPage = (pde >> 13 & 0xFF) << 20 | (pde >> 22 << 10) | ((linear >> 12) & 1023);  // PSE-36: bits 32 to 39
  } else {
    pteAt = (u64)(pde & ~0xFFFu) + ((linear >> 12) & 1023) * 4;
    if (pteAt + 4 > vm->ramBytes) return pageFault(w, false, write, user, false);
    pte = *(u32 *)(vm->ram + pteAt);
    if (!(pte & 1)) return pageFault(w, false, write, user, false);
    rw = rw && (pte & 2), us = us && (pte & 4);
    w.gpaPage = pte >> 12;
    w.ptIndex = (linear >> 12) & 1023;
  }
  w.rawWritable = rw;
  w.user = us;
  w.writable = rw || (!user && !wp);
  if ((user && !us) || (write && !w.writable)) return pageFault(w, true, write, user, false);
  if (setBits) {
    if (!w.large && !(pde & 0x20)) setBits32(vm, pdeAt, 0x20), pde |= 0x20;
    u32 need = 0x20 | (write ? 0x40 : 0);
    if ((pte & need) != need) setBits32(vm, pteAt, need), pte |= need;
  }
  w.pde = w.large ? pte : pde;
  w.pte = pte;
  w.dirty = pte & 0x40;
  w.global = pge && (pte & 0x100);
  w.ok = true;
  return w;
}

// ---- reverse map: which windows show a guest page --------------------------------

static void rmapAdd(Vm *vm, u32 gpaPage, u32 window, u32 linearPage) {
  u32 n = vm->rmapFree;
  if (n) vm->rmapFree = vm->rmap[n].next;
  else n = ++vm->rmapCount;
  vm->rmap[n] = {window << 20 | linearPage, vm->rmapHead[gpaPage]};
  vm->rmapHead[gpaPage] = n;
}

static void rmapRemove(Vm *vm, u32 gpaPage, u32 window, u32 linearPage) {
  const u32 where = window << 20 | linearPage;
  for (u32 *at = &vm->rmapHead[gpaPage]; *at; at = &vm->rmap[*at].next) {
    u32 n = *at;
    if (vm->rmap[n].where != where) continue;
    *at = vm->rmap[n].next;
    vm->rmap[n].next = vm->rmapFree;
    vm->rmapFree = n;
    return;
  }
}

// ---- regions -------------------------------------------------------------------

static inline bool pae(const Vm *vm) { return vm->state->cr4 & kCr4PAE; }
static inline u32 regionShift(const Vm *vm) { return pae(vm) ? 21 : 22; }

static Region *useRegion(Vm *vm, Window &win, u32 linear, const Walk &w) {
  const u32 index = linear >> regionShift(vm);
  Region &r = win.regions[index];
  if (!r.used) {
    r.used = 1;
    r.nonGlobal = 0;
    r.large = w.large;
    r.pde = w.pde;
    r.shadow = nullptr;
    win.usedRegions[win.usedCount++] = (u16)index;
  }
  if (!w.global) r.nonGlobal = 1;
  if (!w.large) {
    if (!r.shadow) {
      u32 n = vm->shadowFree;
      if (n) {
        vm->shadowFree = *(u32 *)(vm->shadowPool + (u64)n * 4096);
        zeroBytes(vm->shadowPool + (u64)n * 4096, 4096);
      } else {
        n = ++vm->shadowCount;
      }
      r.shadow = vm->shadowPool + (u64)n * 4096;
      r.lo = r.hi = (u16)w.ptIndex;
    }
    if (w.ptIndex < r.lo) r.lo = (u16)w.ptIndex;
    if (w.ptIndex > r.hi) r.hi = (u16)w.ptIndex;
  }
  return &r;
}

static void recordPte(Vm *vm, Region *r, u32 index, u64 pte) {
  if (!r->shadow) return;
  if (pae(vm)) ((u64 *)r->shadow)[index] = pte;
  else ((u32 *)r->shadow)[index] = (u32)pte;
}

static void freeRegion(Vm *vm, Region &r) {
  if (r.shadow) {
    *(u32 *)r.shadow = vm->shadowFree;
    vm->shadowFree = (u32)((r.shadow - vm->shadowPool) / 4096);
  }
  zeroBytes(&r, sizeof r);
}

// ---- unmapping -------------------------------------------------------------------

// A page begins a host mapping unless it continues the page before it.
static inline bool beginsMapping(const u32 *info, u32 p) {
  const u32 a = info[p];
  if (!(a & kMapped)) return false;
  const u32 b = p ? info[p - 1] : 0;
  return !((b & kMapped) && (a >> 8) == (b >> 8) + 1 && !((a ^ b) & kWritable));
}

// The only writer of `info`: keeps count of the host mappings that its windows take.
static inline void setInfo(Vm *vm, Window &win, u32 p, u32 value) {
  u32 *info = win.info;
  if ((info[p] ^ value) & ~(kExec | kGlobal | kInRun)) {
    const u32 next = p < 0xFFFFF ? p + 1 : p;
    vm->mappings -= beginsMapping(info, p) + (next != p && beginsMapping(info, next));
    info[p] = value;
    vm->mappings += beginsMapping(info, p) + (next != p && beginsMapping(info, next));
  } else {
    info[p] = value;
  }
}

static void forgetPage(Vm *vm, u32 window, u32 linearPage) {
  Window &win = vm->windows[window];
  const u32 info = win.info[linearPage];
  if (!info) return;
  const u32 gpaPage = info >> 8;
  if (info & kExec) {
    clearTablePage(vm, window, linearPage);
    if (window == 0) unlinkPageBlocks(vm, gpaPage, linearPage);
  }
  if (!(info & kInRun)) rmapRemove(vm, gpaPage, window, linearPage);
  if (info & kMapped) win.mappedPages--, vm->mappedTotal--;
  setInfo(vm, win, linearPage, 0);
}

static void purgeWindow(Vm *vm, u32 window);

static void unmapRange(Vm *vm, u32 window, u32 firstPage, u32 count) {
  Window &win = vm->windows[window];
  bool any = false;
  for (u32 p = firstPage; p < firstPage + count; p++) {
    if (win.info[p] & kMapped) any = true;
    forgetPage(vm, window, p);
  }
  vm->state->counters[cPagesUnmapped] += count;
  if (any && !rawUnmap(win.base + ((u64)firstPage << 12), (u64)count << 12)) purgeWindow(vm, window);
}

// invlpg page by page, as munmap does it, would cost a system call each. So the
// unmapping of adjacent user pages is put off until the guest could notice: a
// return to user mode, another mapping or a CR3 load. Meanwhile the supervisor's
// way to user memory (quadrantBase) leads to an empty window, whose fault ends
// the wait and restarts the instruction.
u8 *deferredBase(const Vm *vm) { return vm->windowArena + kWindows * kWindowStride; }

void finishDeferred(Vm *vm) {
  const u32 count = vm->deferredCount;
  if (!count) return;
  vm->deferredCount = 0;
  const u32 window = vm->deferredWindow;
  if (!rawUnmap(vm->windows[window].base + ((u64)vm->deferredStart << 12), (u64)count << 12)) purgeWindow(vm, window);
}

static void deferUnmap(Vm *vm, u32 window, u32 page) {
  const bool mapped = vm->windows[window].info[page] & kMapped;
  forgetPage(vm, window, page);
  vm->state->counters[cPagesUnmapped]++;
  if (!mapped) return;
  if (vm->deferredCount && (vm->deferredWindow != window || vm->deferredStart + vm->deferredCount != page)) finishDeferred(vm);
  if (!vm->deferredCount) vm->deferredWindow = window, vm->deferredStart = page;
  vm->deferredCount++;
}

static void protectRange(Vm *vm, u32 window, u32 firstPage, u32 count) {
  Window &win = vm->windows[window];
  for (u32 p = firstPage; p < firstPage + count; p++) setInfo(vm, win, p, win.info[p] & ~kWritable);
  if (!rawProtect(vm, win.base + ((u64)firstPage << 12), (u64)count << 12, false)) purgeWindow(vm, window);
}

static void dropRegion(Vm *vm, u32 window, u32 slot) {
  Window &win = vm->windows[window];
  const u32 index = win.usedRegions[slot];
  Region &r = win.regions[index];
  const u32 shift = regionShift(vm) - 12;
  if (r.large) {
    for (u32 i = 0; i < vm->runCount; i++) {
      if (vm->runs[i].window == window && vm->runs[i].linearPage >> shift == index) {
        vm->runs[i] = vm->runs[--vm->runCount];
        i--;
      }
    }
    unmapRange(vm, window, index << shift, 1u << shift);
  } else if (r.shadow) {
    unmapRange(vm, window, (index << shift) + r.lo, r.hi - r.lo + 1);
  }
  freeRegion(vm, r);
  win.usedRegions[slot] = win.usedRegions[--win.usedCount];
}

// Takes all of a window's host mappings away with one call, which always has
// room, and keeps the rest of its bookkeeping: pages come back as they are used.
static void purgeWindow(Vm *vm, u32 window) {
  Window &win = vm->windows[window];
  vm->state->counters[cWindowEvictions]++;
  if (vm->deferredCount && vm->deferredWindow == window) vm->deferredCount = 0;
  rawUnmap(win.base, 4ull << 30);
  const u32 shift = regionShift(vm) - 12;
  for (u32 slot = 0; slot < win.usedCount; slot++) {
    const u32 first = (u32)win.usedRegions[slot] << shift;
    for (u32 p = first; p < first + (1u << shift); p++) {
      const u32 info = win.info[p];
      if (!(info & kMapped)) continue;
      win.mappedPages--, vm->mappedTotal--;
      if (info & kInRun || !(info & kExec)) {
        if (!(info & kInRun)) rmapRemove(vm, info >> 8, window, p);
        else if (info & kExec) rmapAdd(vm, info >> 8, window, p);
      }
      setInfo(vm, win, p, info & kExec ? info & ~(kMapped | kWritable | kInRun) : 0);
    }
  }
  for (u32 i = 0; i < vm->runCount; i++)
    if (vm->runs[i].window == window) vm->runs[i] = vm->runs[--vm->runCount], i--;
  if (window == 0 && vm->identity) {
    for (u32 p = 0; p < vm->ramPages; p++) {
      const u32 info = win.info[p];
      if ((info & kInRun) && (info & kExec)) rmapAdd(vm, info >> 8, 0, p);
      setInfo(vm, win, p, info & kExec ? info & ~(kMapped | kWritable | kInRun) : 0);
    }
    vm->identity = false;
  }
}

// Makes room for host mappings: first what other address spaces hold, then everything.
static void makeRoom(Vm *vm, bool everything) {
  for (u32 i = 0; i < kWindows; i++)
    if (vm->windows[i].mappedPages && (everything || (i && i != vm->userWindow))) purgeWindow(vm, i);
}

static void dropWindow(Vm *vm, u32 window) {
  Window &win = vm->windows[window];
  while (win.usedCount) dropRegion(vm, window, win.usedCount - 1);
  win.valid = false;
}

// Every entry of a block table leads to the miss routine again.
void dropTable(Vm *vm, u32 window, u32 which) {
  sys(SYS_madvise, (long)tableOf(vm, window, which << 1), 16l << 30, MADV_DONTNEED);
}

void dropEverything(Vm *vm) {
  softFlush(vm);
  finishDeferred(vm);
  vm->state->counters[cFlushes]++;
  vm->state->tlbGeneration++;
  for (u32 i = 0; i < kWindows; i++) {
    Window &win = vm->windows[i];
    if (!win.valid && !win.usedCount && i) continue;
    rawUnmap(win.base, 4ull << 30);
    sys(SYS_madvise, (long)win.info, 4l << 20, MADV_DONTNEED);
    sys(SYS_madvise, (long)win.regions, (2048 * sizeof(Region) + 4095) & ~4095, MADV_DONTNEED);
    win.usedCount = win.mappedPages = 0;
    win.valid = i == 0;
    for (u32 k = 0; k < kTablesPerWindow; k++) dropTable(vm, i, k);
  }
  zeroBytes(vm->rmapHead, (u64)vm->ramPages * 4);
  vm->rmapCount = vm->rmapFree = 0;
  vm->tableFills = 0;
  vm->runCount = 0;
  sys(SYS_madvise, (long)vm->shadowPool, (long)(vm->shadowCount + 1) * 4096, MADV_DONTNEED);
  vm->shadowCount = vm->shadowFree = 0;
  vm->mappedTotal = vm->mappings = 0;
  vm->identity = false;
  vm->pendingFaultValid = false;
  for (u32 b = 1; b <= vm->blockCount; b++)
    if (vm->blocks[b].links) unlinkPageBlocks(vm, vm->blocks[b].gpaPage, vm->blocks[b].eip >> 12);
  vm->userWindow = 0;
}

// ---- mapping ---------------------------------------------------------------------

static bool hostWritable(const Vm *vm, u32 gpaPage, const Walk &w) {
  return w.writable && w.dirty && !vm->watched[gpaPage];
}

static void mapLarge(Vm *vm, u32 window, u32 linear, const Walk &w) {
  Window &win = vm->windows[window];
  const u32 count = 1u << (regionShift(vm) - 12);
  const u32 firstLinear = (linear >> 12) & ~(count - 1), firstGpa = w.gpaPage & ~(count - 1);
  useRegion(vm, win, linear, w);
  const bool writable = w.writable && w.dirty && !vm->dirtyLogging;
  if (!rawMap(vm, win.base + ((u64)firstLinear << 12), (u64)count << 12, (u64)firstGpa << 12, writable, false)) {
    makeRoom(vm, true);
    return;  // the access faults again and finds room
  }
  for (u32 i = 0; i < count; i++) {
    const u32 old = win.info[firstLinear + i];
    if (old && !(old & kInRun)) rmapRemove(vm, old >> 8, window, firstLinear + i);
    if (!(old & kMapped)) win.mappedPages++, vm->mappedTotal++;
    setInfo(vm, win, firstLinear + i, (firstGpa + i) << 8 | kMapped | kInRun | (w.global ? kGlobal : 0) | (writable ? kWritable : 0) | (old & kExec));
    if (writable) vm->dirty[firstGpa + i] = 1;
  }
  vm->runs[vm->runCount++] = {window, firstLinear, firstGpa, count};
  if (writable) {
    for (u32 i = 0; i < count;) {
      u32 n = 0;
      while (i + n < count && vm->watched[firstGpa + i + n]) n++;
      if (n) protectRange(vm, window, firstLinear + i, n);
      i += n ? n : 1;
    }
  }
  vm->state->counters[cLargeMaps]++;
}

// Without paging the supervisor window shows RAM as it lies.
static void mapIdentity(Vm *vm) {
  Window &win = vm->windows[0];
  vm->identity = true;
  const u32 spans[2][2] = {{0, 0xA0}, {0xC0, vm->ramPages}};
  for (auto &span : spans) {
    if (span[1] <= span[0]) continue;
    const u32 count = span[1] - span[0];
    rawMap(vm, win.base + ((u64)span[0] << 12), (u64)count << 12, (u64)span[0] << 12, !vm->dirtyLogging, false);
    for (u32 p = span[0]; p < span[1]; p++) {
      setInfo(vm, win, p, p << 8 | kMapped | kInRun | (vm->dirtyLogging ? 0 : kWritable) | (win.info[p] & kExec));
      if (!vm->dirtyLogging) vm->dirty[p] = 1;
    }
    vm->runs[vm->runCount++] = {0, span[0], span[0], count};
    for (u32 p = span[0]; p < span[1]; p++)
      if (vm->watched[p]) protectRange(vm, 0, p, 1);
  }
}

static u64 pteAt(Vm *vm, u64 pde, u32 index) {
  if (pae(vm)) return *(u64 *)(vm->ram + (pde & 0xFFFFFFF000ull) + index * 8);
  return *(u32 *)(vm->ram + (pde & 0xFFFFF000u) + index * 4);
}

// Makes `linear` accessible in `window`. False: the page is not RAM.
bool mapForAccess(Vm *vm, u32 window, u32 linear, const Walk &w, bool write) {
  if (!isRam(vm, w.gpaPage)) return false;
  finishDeferred(vm);
  Window &win = vm->windows[window];
  State *s = vm->state;
  const u32 page = linear >> 12;
  if (write) {
    markDirty(vm, w.gpaPage);
    invalidatePage(vm, w.gpaPage);
  }
  u32 info = win.info[page];
  s->counters[cFaultMaps]++;
  if ((info & kMapped) && info >> 8 == w.gpaPage) {
    if (hostWritable(vm, w.gpaPage, w) && !(info & kWritable)) {
      if (!rawProtect(vm, win.base + ((u64)page << 12), 4096, true)) {
        makeRoom(vm, true);
        return true;
      }
      setInfo(vm, win, page, win.info[page] | kWritable);
      if (!(info & kInRun) && win.regions[linear >> regionShift(vm)].used)
        recordPte(vm, &win.regions[linear >> regionShift(vm)], w.ptIndex, w.pte);
    }
    return true;
  }
  if (!(s->cr0 & kCr0PG)) {
    if (!vm->identity) mapIdentity(vm);
    return true;
  }
  if (vm->mappings > vm->maxMappings && !(info & kMapped)) {
    makeRoom(vm, false);
    if (vm->mappings > vm->maxMappings / 2) makeRoom(vm, true);
    info = win.info[page];
  }
  Region &existing = win.regions[linear >> regionShift(vm)];
  if (existing.used && existing.large != w.large) {
    for (u32 slot = 0; slot < win.usedCount; slot++)
      if (win.usedRegions[slot] == linear >> regionShift(vm)) {
        dropRegion(vm, window, slot);
        break;
      }
    info = win.info[page];
  }
  if (w.large) {
    const u32 count = 1u << (regionShift(vm) - 12), firstGpa = w.gpaPage & ~(count - 1);
    bool whole = window == 0 && vm->runCount < kMaxRuns - 4 && !vm->dirtyLogging;
    if (whole) {
      const u32 lastGpa = firstGpa + count - 1;
      whole = isRam(vm, firstGpa) && isRam(vm, lastGpa) && !(firstGpa < 0xC0 && lastGpa >= 0xA0);
    }
    if (whole && !(info & kMapped)) {
      mapLarge(vm, window, linear, w);
      if (write && !(win.info[page] & kWritable) && hostWritable(vm, w.gpaPage, w)) {
        if (rawProtect(vm, win.base + ((u64)page << 12), 4096, true)) setInfo(vm, win, page, win.info[page] | kWritable);
        else makeRoom(vm, true);
      }
      return true;
    }
  }
  Region *r = useRegion(vm, win, linear, w);
  const bool writable = hostWritable(vm, w.gpaPage, w);
  // Neighbours whose entries are already accessed, alike and physically contiguous ride along for free.
  u32 count = 1;
  if (!w.large) {
    recordPte(vm, r, w.ptIndex, w.pte);
    const u32 last = pae(vm) ? 511 : 1023;
    const u64 mask = (pae(vm) ? 0x8000000000000000ull : 0) | 0x1E7;  // P RW US A D PS(PAT) G NX
    while (count < 16 && w.ptIndex + count <= last) {
      const u64 pte = pteAt(vm, w.pde, w.ptIndex + count);
      const u32 gpaPage = w.gpaPage + count;
      if ((pte & mask) != (w.pte & mask) || (u32)((pte & 0xFFFFFFF000ull) >> 12) != gpaPage) break;
      if (!isRam(vm, gpaPage) || win.info[page + count]) break;
      if (hostWritable(vm, gpaPage, w) != writable) break;
      recordPte(vm, r, w.ptIndex + count, pte);
      if (w.ptIndex + count > r->hi) r->hi = (u16)(w.ptIndex + count);
      count++;
    }
  }
  if (info && info >> 8 != w.gpaPage) forgetPage(vm, window, page), info = 0;
  if (!rawMap(vm, win.base + ((u64)page << 12), (u64)count << 12, (u64)w.gpaPage << 12, writable, true)) {
    makeRoom(vm, false);
    if (!rawMap(vm, win.base + ((u64)page << 12), (u64)count << 12, (u64)w.gpaPage << 12, writable, true)) {
      makeRoom(vm, true);
      return true;  // the access faults again and finds room
    }
  }
  for (u32 i = 0; i < count; i++) {
    const u32 old = win.info[page + i];
    if (!old) rmapAdd(vm, w.gpaPage + i, window, page + i);
    if (!(old & kMapped)) win.mappedPages++, vm->mappedTotal++;
    setInfo(vm, win, page + i, (w.gpaPage + i) << 8 | kMapped | (w.global ? kGlobal : 0) | (writable ? kWritable : 0) | (old & (kExec | kInRun)));
    if (writable) vm->dirty[w.gpaPage + i] = 1;
  }
  return true;
}

// The block table will hold entries for this page: they must go when its mapping goes.
void noteExec(Vm *vm, u32 window, u32 linear, const Walk &w) {
  finishDeferred(vm);
  Window &win = vm->windows[window];
  const u32 page = linear >> 12;
  u32 info = win.info[page];
  if (info && info >> 8 != w.gpaPage) {
    unmapRange(vm, window, page, 1);
    info = 0;
  }
  if (info & kExec) return;
  if (vm->state->cr0 & kCr0PG) {
    Region &existing = win.regions[linear >> regionShift(vm)];
    if (existing.used && existing.large != w.large) {
      for (u32 slot = 0; slot < win.usedCount; slot++)
        if (win.usedRegions[slot] == linear >> regionShift(vm)) {
          dropRegion(vm, window, slot);
          break;
        }
      info = win.info[page];
    }
    Region *r = useRegion(vm, win, linear, w);
    if (!w.large) recordPte(vm, r, w.ptIndex, w.pte);
  }
  if (!info) rmapAdd(vm, w.gpaPage, window, page);
  setInfo(vm, win, page, (info ? info : w.gpaPage << 8 | (w.global ? kGlobal : 0)) | kExec);
}

// ---- flushing --------------------------------------------------------------------

// Pending stretches of pages to unmap or write-protect, so that neighbours share one call.
struct Batch {
  Vm *vm;
  u32 window;
  u32 start, count;
  bool unmap;
  void flush() {
    if (!count) return;
    if (unmap) unmapRange(vm, window, start, count);
    else protectRange(vm, window, start, count);
    count = 0;
  }
  void add(u32 page, bool asUnmap) {
    if (count && (page != start + count || asUnmap != unmap)) flush();
    if (!count) start = page, unmap = asUnmap;
    count++;
  }
};

// A round of the dirty log begins: no page is writable until its first write has been noted.
void protectAllForLog(Vm *vm) {
  finishDeferred(vm);
  const u32 pages = 1u << (regionShift(vm) - 12);
  for (u32 window = 0; window < kWindows; window++) {
    Window &win = vm->windows[window];
    Batch batch = {vm, window, 0, 0, false};
    for (u32 slot = 0; slot < win.usedCount; slot++) {
      const u32 first = win.usedRegions[slot] * pages;
      for (u32 p = first; p < first + pages; p++)
        if (win.info[p] & kWritable) batch.add(p, false);
    }
    batch.flush();
  }
  if (!vm->identity) return;
  Batch batch = {vm, 0, 0, 0, false};
  for (u32 p = 0; p < vm->ramPages; p++)
    if (vm->windows[0].info[p] & kWritable) batch.add(p, false);
  batch.flush();
}

template <typename Entry>
static void compareTable(Vm *vm, u32 window, Region &r, u32 firstPage, const Entry *now) {
  Window &win = vm->windows[window];
  Entry *was = (Entry *)r.shadow;
  Batch batch = {vm, window, 0, 0, false};
  for (u32 i = r.lo; i <= r.hi; i++) {
    const Entry a = was[i], b = now ? now[i] : 0;
    if (a == b) continue;
    was[i] = b;
    const u32 info = win.info[firstPage + i];
    if (!info) continue;
    const Entry hard = (Entry)(~(Entry)0xE42);  // all but RW, D and the three available bits
    const Entry gone = a & ~b;
    if (((a ^ b) & hard & ~(Entry)0x20) || (gone & 0x20)) batch.add(firstPage + i, true);
    else if ((gone & 0x42) && (info & kWritable)) batch.add(firstPage + i, false);
  }
  batch.flush();
}

void revalidate(Vm *vm, u32 window, bool includeGlobal) {
  if (!(vm->state->cr0 & kCr0PG)) return;
  finishDeferred(vm);
  Window &win = vm->windows[window];
  const u32 shift = regionShift(vm) - 12;
  for (u32 slot = win.usedCount; slot-- > 0;) {
    const u32 index = win.usedRegions[slot];
    Region &r = win.regions[index];
    if (!includeGlobal && !r.nonGlobal) continue;
    u64 pde = 0;
    if (pae(vm)) {
      u64 at = (vm->state->cr3 & ~0x1Full) + (index >> 9) * 8;
      u64 pdpte = at + 8 <= vm->ramBytes ? *(u64 *)(vm->ram + at) : 0;
      u64 pd = (pdpte & 0x000FFFFFFFFFF000ull) + (index & 511) * 8;
      if ((pdpte & 1) && pd + 8 <= vm->ramBytes) pde = *(u64 *)(vm->ram + pd);
    } else {
      u64 pd = (u64)(vm->state->cr3 & ~0xFFFu) + index * 4;
      if (pd + 4 <= vm->ramBytes) pde = *(u32 *)(vm->ram + pd);
    }
    if (r.large) {
      if ((pde ^ r.pde) & ~0x60ull || (r.pde & ~pde & 0x60)) dropRegion(vm, window, slot);
      continue;
    }
    const u64 attributes = 0x8000000000000087ull;  // NX PS US RW P
    const u64 table = pde & 0xFFFFFFF000ull;
    if (!(pde & 1) || ((pde ^ r.pde) & attributes) || table + 4096 > vm->ramBytes) {
      dropRegion(vm, window, slot);
      continue;
    }
    r.pde = pde;
    if (pae(vm)) compareTable<u64>(vm, window, r, index << shift, (u64 *)(vm->ram + table));
    else compareTable<u32>(vm, window, r, index << shift, (u32 *)(vm->ram + table));
  }
}

void activateCr3(Vm *vm) {
  softFlush(vm);
  finishDeferred(vm);
  const u32 cr3 = vm->state->cr3;
  u32 found = 0, oldest = 0;
  for (u32 i = 1; i < kWindows; i++) {
    Window &win = vm->windows[i];
    if (win.valid && win.cr3 == cr3) {
      found = i;
      break;
    }
    if (!oldest || (!win.valid && vm->windows[oldest].valid) ||
        (win.valid == vm->windows[oldest].valid && win.lastUse < vm->windows[oldest].lastUse))
      oldest = i;
  }
  if (found) {
    vm->userWindow = found;
    revalidate(vm, found, false);
  } else {
    dropWindow(vm, oldest);
    vm->windows[oldest].cr3 = cr3;
    vm->windows[oldest].valid = true;
    vm->userWindow = oldest;
  }
  vm->windows[vm->userWindow].lastUse = ++vm->useClock;
  revalidate(vm, 0, false);
}

void flushPage(Vm *vm, u32 linear) {
  softFlushPage(vm, linear);
  State *s = vm->state;
  s->tlbGeneration++;
  if (!(s->cr0 & kCr0PG)) return;
  const u32 page = linear >> 12, both[2] = {0, vm->userWindow};
  softForget(vm, linear);
  for (u32 k = 0; k < 2; k++) {
    const u32 window = both[k];
    if (k && !window) continue;
    Window &win = vm->windows[window];
    const u32 info = win.info[page];
    if (!info) continue;
    const Walk w = walk(vm, linear, false, false, window != 0, false);
    Region &r = win.regions[linear >> regionShift(vm)];
    const bool sameKind = r.used && r.large == w.large;
    if (w.ok && (w.pte & 0x20) && sameKind && info >> 8 == w.gpaPage &&
        !((info & kWritable) && !hostWritable(vm, w.gpaPage, w))) {
      // Nothing that the guest could see has changed, or the page became writable: show that before the write comes.
      if (window && (info & kMapped) && !(info & (kWritable | kExec)) && !w.large && hostWritable(vm, w.gpaPage, w)) {
        mapForAccess(vm, window, linear, w, false);
        s->counters[cEagerMaps]++;
      }
      continue;
    }
    if (r.large) {
      for (u32 slot = 0; slot < win.usedCount; slot++)
        if (win.usedRegions[slot] == linear >> regionShift(vm)) {
          dropRegion(vm, window, slot);
          break;
        }
      continue;
    }
    if (info & kInRun) continue;
    // Copy-on-write ends here: the new page is known to be accessed and dirty, so show it at once.
    const bool eager = window && w.ok && !w.large && sameKind && (w.pte & 0x20) && isRam(vm, w.gpaPage);
    if (eager && !(info & kExec)) {
      forgetPage(vm, window, page);
      mapForAccess(vm, window, linear, w, false);
      s->counters[cEagerMaps]++;
    } else {
      if (window) deferUnmap(vm, window, page);
      else unmapRange(vm, window, page, 1);
      recordPte(vm, &r, (linear >> 12) & (pae(vm) ? 511 : 1023), 0);
    }
  }
}

// ---- write protection of translated code and of migration rounds ---------------------

static void protectPageEverywhere(Vm *vm, u32 gpaPage) {
  for (u32 n = vm->rmapHead[gpaPage]; n; n = vm->rmap[n].next) {
    const u32 window = vm->rmap[n].where >> 20, page = vm->rmap[n].where & 0xFFFFF;
    if (vm->windows[window].info[page] & kWritable) protectRange(vm, window, page, 1);
  }
  for (u32 i = 0; i < vm->runCount; i++) {
    const Run &run = vm->runs[i];
    if (gpaPage - run.gpaPage >= run.count) continue;
    const u32 page = run.linearPage + (gpaPage - run.gpaPage);
    if (vm->windows[run.window].info[page] & kWritable) protectRange(vm, run.window, page, 1);
  }
}

void protectCodePage(Vm *vm, u32 gpaPage) {
  if (vm->watched[gpaPage] & kWatchCode) return;
  vm->watched[gpaPage] |= kWatchCode;
  softFlushWrites(vm);
  protectPageEverywhere(vm, gpaPage);
}

// ---- physical access for native helpers ------------------------------------------------

u8 *guestPointer(Vm *vm, u32 linear, bool write, bool user) {
  const Walk w = walk(vm, linear, write, false, user, true);
  if (!w.ok || !isRam(vm, w.gpaPage)) return nullptr;
  if (write) {
    if (vm->watched[w.gpaPage] & kWatchCode) return nullptr;
    markDirty(vm, w.gpaPage);
  }
  return vm->ram + ((u64)w.gpaPage << 12) + (linear & 0xFFF);
}

// Supervisor reads of descriptor tables and stacks: a few pages, over and over.
// The entries are a TLB like any other: void once anything has been flushed.
bool readGuest32(Vm *vm, u32 linear, u32 *value) {
  if ((linear & 0xFFF) > 0xFFC) return false;
  const u32 page = linear >> 12;
  Vm::ReadEntry &e = vm->reads[page & 15];
  if (e.page != page || e.generation != vm->state->tlbGeneration || !e.at) {
    const u8 *p = guestPointer(vm, linear & ~0xFFFu, false, false);
    if (!p) return false;
    e = {page, vm->state->tlbGeneration, p};
  }
  *value = load32(e.at + (linear & 0xFFF));
  return true;
}

}  // namespace godwit
