// One virtual machine's native half: guest RAM, address-space windows, code
// cache, block table. Everything here is reached from translated code and from
// the SIGSEGV handler, so it allocates nothing, throws nothing, takes no lock,
// and is compiled to general registers only (the guest's vector and x87 state
// stays in the CPU while it runs).
#pragma once
#include <csignal>
#include <ctime>
#include <sys/types.h>

#include "state.h"

namespace godwit {

// ---- limits -----------------------------------------------------------------
constexpr u32 kWindows = 40;                        // 0: supervisor; others: one per recent CR3
constexpr u64 kWindowStride = 8ull << 30;           // 4 GiB window + 4 GiB guard
constexpr u64 kTableStride = (16ull << 30) + 65536;  // 4 bytes per eip + a readable page below
constexpr u32 kTablesPerWindow = 2;  // CR0.TS|EM clear, set; other mode changes drop the tables
constexpr u32 kMaxBlocks = 1u << 20;
constexpr u32 kBlockHash = 1u << 18;
constexpr u32 kMaxRmap = 1u << 22;
constexpr u32 kMaxRuns = 4096;
constexpr u32 kMaxLinks = 1u << 20;
constexpr u32 kMaxTableFills = 200000;  // block table entries made before all tables are dropped: each may cost a page of host memory
constexpr u32 kMappingReserve = 6000;  // host mappings left to the rest of the process (V8 ends it when it gets none)
constexpr u32 kQuadrantMissLimit = 100000;  // supervisor pages met in a user quadrant before it counts as the kernel's
constexpr u32 kSelfModifyLimit = 64;    // writes into translated code of one page before it is interpreted

// ---- why a guest page is watched ----------------------------------------------
constexpr u8 kWatchCode = 1;   // translated code was taken from it
constexpr u8 kWatchClean = 2;  // dirty logging is on, and it was not written in this round

// ---- Block.valid ----------------------------------------------------------------
constexpr u32 kWarm = 2;  // translated ahead; its bytes are looked at when it is first found (native/warm.cc)

// ---- what a window knows of a linear page ------------------------------------
// info = gpaPage << 8 | flags
constexpr u32 kMapped = 1, kWritable = 2, kExec = 4, kGlobal = 8, kInRun = 16;

struct Region {  // one page-directory entry's worth: 4 MiB, or 2 MiB with PAE
  u64 pde;
  u8 *shadow;  // copy of the page table as it was when pages were mapped; null for large pages
  u16 lo, hi;
  u8 used, nonGlobal, large;
};

struct Window {
  u8 *base;
  u32 *info;        // 1 Mi entries, lazily touched
  Region *regions;  // 2048
  u16 *usedRegions;
  u32 usedCount;
  u32 cr3;
  u32 mappedPages;
  u64 lastUse;
  bool valid;
};

struct Block {
  u32 hostStart, hostEnd;
  u32 eip, gpaPage, gpaPage2, mode;
  u32 mapOffset, mapCount;
  u32 hashNext, pageNext, links;
  u32 valid;                // 0, 1, kWarm
  u32 source, sourceBytes;  // of a warm block: the guest's bytes it was made from, in `meta`
  u32 found;                // period of the heat measurement in which it was last found
};

struct RmapNode {
  u32 where;  // window << 20 | linear page
  u32 next;
};
struct Run {  // a large mapping: `count` pages
  u32 window, linearPage, gpaPage, count;
};
struct Link {
  u32 site, original, next;
};
// Host offset within the block → guest offset from eip (low 10 bits) and, in words and signed, what is to be added
// to r12 for the guest's esp (translator/src/stack-pointer.ts). Written by TypeScript.
struct MapEntry {
  u16 host, guest;
  u32 offset() const { return guest & 1023; }
  i32 stackOffset() const { return ((i32)(int16_t)guest >> 10) * 4; }
};

struct Walk {
  bool ok;
  u32 error;
  u32 gpaPage;
  bool writable, user, dirty, global, large, rawWritable;
  u64 pde, pte;
  u32 ptIndex;
};

struct Vm {
  State *state;
  u8 *ram;
  u64 ramBytes;
  u32 ramPages;
  int memfd;
  u8 *watched;      // one byte a gpa page: kWatchCode, kWatchClean; a page with any is not writable in any window
  u8 *dirty;        // one byte a gpa page: written since the last round began
  u8 *selfModify;   // saturating count of invalidations
  u8 *codeRw, *codeRx;
  u32 codeBytes, codeCursor;
  u8 *meta;         // MapEntry arena, shared with TypeScript
  u32 metaBytes;
  u32 *mailbox;     // arguments of installBlock, shared with TypeScript
  u8 *windowArena, *tableArena, *poison;
  Window windows[kWindows];
  u32 userWindow;
  u32 kernelQuadrants;
  u32 quadrantMisses[4];
  Block *blocks;
  u32 blockCount;
  u32 *blockHash, *pageBlocks;
  RmapNode *rmap;
  u32 rmapCount, rmapFree, *rmapHead;
  u32 tableFills;
  u32 warmCount;     // warm blocks not used yet
  u32 listedHot;     // words of the last list that are of hot blocks
  u32 heat, coolAt;  // period of the heat measurement; what has been forgotten for it
  Run runs[kMaxRuns];
  u32 runCount;
  Link *links;
  u32 linkCount, linkFree;
  u8 *shadowPool;
  u32 shadowCount, shadowFree;
  u64 useClock;
  u32 mappedTotal;
  i32 mappings, maxMappings;  // host mappings that windows take: each a stretch of pages alike and contiguous
  u32 pendingFault;      // linear address of the last #PF delivered, mapped eagerly on iret
  bool pendingFaultValid;
  // First-touch bookkeeping, by a hash of eip; shared with TypeScript (see native/soft-tlb.cc).
  u16 *siteFaults, *siteFirst, *siteAgain, *siteFlushed;
  u32 *seenPages, *windowPages;  // pages known to the software TLB's users, and to the window's
  bool softLarge;
  struct ReadEntry {
    u32 page, generation;
    const u8 *at;
  } reads[16];
  // User pages that the guest has flushed but whose host mapping still stands (see mmu.cc, deferUnmap).
  u32 deferredWindow, deferredStart, deferredCount;
  bool dirtyLogging;
  bool identity;
  volatile bool hostExecuting;
  u8 *segmentPoison;
  pid_t tid;
  pid_t pid;
  timer_t timer;
  u8 *signalStack;
  u64 currentGs;
  bool fsgsbase;
  volatile int sleepWord;
};

extern Vm *g_vm;

// RAM of this page is being written by other means than through a window that lets it.
inline void markDirty(Vm *vm, u32 gpaPage) {
  vm->dirty[gpaPage] = 1;
  vm->watched[gpaPage] &= (u8)~kWatchClean;
}
inline bool isRam(const Vm *vm, u32 gpaPage) { return gpaPage < vm->ramPages && (gpaPage < 0xA0 || gpaPage >= 0xC0); }
inline u8 *tableOf(const Vm *vm, u32 window, u32 mode) {
  return vm->tableArena + (u64)(window * kTablesPerWindow + ((mode >> 1) & 1)) * kTableStride + 65536;
}

inline void copyBytes(void *to, const void *from, size_t n) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}
inline void zeroBytes(void *to, size_t n) {
  asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

// Unaligned accesses to guest memory and to code.
inline u32 load32(const void *p) {
  u32 v;
  __builtin_memcpy(&v, p, 4);
  return v;
}
inline void store32(void *p, u32 v) { __builtin_memcpy(p, &v, 4); }

// mmu.cc
Walk walk(Vm *vm, u32 linear, bool write, bool execute, bool user, bool setBits);
bool mapForAccess(Vm *vm, u32 window, u32 linear, const Walk &w, bool write);
void noteExec(Vm *vm, u32 window, u32 linear, const Walk &w);
void dropEverything(Vm *vm);
void dropTable(Vm *vm, u32 window, u32 which);
void revalidate(Vm *vm, u32 window, bool includeGlobal);
void activateCr3(Vm *vm);
void flushPage(Vm *vm, u32 linear);
void finishDeferred(Vm *vm);
u8 *deferredBase(const Vm *vm);
void protectCodePage(Vm *vm, u32 gpaPage);
void protectAllForLog(Vm *vm);
bool readGuest32(Vm *vm, u32 linear, u32 *value);
u8 *guestPointer(Vm *vm, u32 linear, bool write, bool user);

// blocks.cc
inline u32 hashOf(u32 eip, u32 mode) { return ((eip * 0x9E3779B1u) ^ (mode * 0x85EBCA6Bu)) >> 14; }
static_assert((1u << 18) == kBlockHash, "hashOf gives 18 bits");
u32 installBlock(Vm *vm);
u32 findBlock(Vm *vm, u32 eip, u32 mode);  // index + 1, or 0
void invalidatePage(Vm *vm, u32 gpaPage);
void killBlock(Vm *vm, u32 n);
void unhash(Vm *vm, u32 n);
void unlinkBlock(Vm *vm, Block &b);
u32 takeLink(Vm *vm);  // 0: none left
void invalidateAllBlocks(Vm *vm);
void clearTablePage(Vm *vm, u32 window, u32 linearPage);
void unlinkPageBlocks(Vm *vm, u32 gpaPage, u32 linearPage);
const Block *blockAt(Vm *vm, u64 rip);
struct Place {  // a host instruction in translated code, as the guest sees it
  const Block *block;
  u32 eip;
  i32 stackOffset;       // to be added to r12 for the guest's esp
  u64 instructionStart;  // host address where the guest's instruction begins
};
bool placeAt(Vm *vm, u64 rip, Place *place);

// warm.cc
u32 installWarm(Vm *vm);
bool adoptWarm(Vm *vm, u32 n);
u32 reviewWarm(Vm *vm, u32 n);
bool coolSlice(Vm *vm, bool begin);
u32 listHot(Vm *vm, u32 *out, u32 words, bool all);

// dirty-log.cc
void beginDirtyRound(Vm *vm, u8 *dirtyOut);
void endDirtyLog(Vm *vm);

// soft-tlb.cc
constexpr u32 kSites = 4096, kSeenPages = 65536;
constexpr u16 kSoftThreshold = 48;  // faults at one instruction before it goes through the software TLB
constexpr u16 kSoftAgain = 512;     // misses on pages pushed out, with few new ones, before it goes back at once
void softFlush(Vm *vm);
void softFlushPage(Vm *vm, u32 linear);
void softFlushWrites(Vm *vm);
void softForget(Vm *vm, u32 linear);
bool softCandidate(Vm *vm, u32 eip, u32 page, bool present);
inline u32 siteOf(u32 eip) { return (eip ^ eip >> 12) & (kSites - 1); }

// entry.cc / helpers.cc / fault.cc
bool prepareResume(Vm *vm);
void composeFlags(State *s);
bool deliver(Vm *vm, u32 vector, bool hasError, u32 error, u32 returnEip, bool software);
extern "C" void godwit_enter(State *s);
extern "C" char godwit_exit[], godwit_asm_begin[], godwit_asm_end[], godwit_resume_window[], godwit_fault_exit[],
    godwit_fault_deliver[];
void fillCallouts(State *s);
bool installSignalHandlers(const char **error);
void setGsBase(Vm *vm, u64 base);

}  // namespace godwit
