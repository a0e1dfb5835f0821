// Blocks translated ahead, and which blocks are hot: what lets a VM run at full
// speed right after it has moved. Translations do not travel; the list does.
//
// A *warm* block was translated before the VM ran here, from what was said to
// be its address and from bytes that may have changed since. It lies in the code
// cache and in the hash, is reached by nothing and watches no page. When findBlock
// meets it for the first time, its bytes are compared with those it was made
// from: if they are the same, it is from then on a block like any other, as if it
// had been translated at that moment; if not, it is gone.
//
// Heat is measured by forgetting: once links and table entries are dropped, every
// block that runs is found anew, and being found leaves a mark.
#include "vm.h"

namespace godwit {

// Blocks of one hash bucket beyond which no warm one is added: a hostile list must not make lookups slow.
constexpr u32 kMaxBucket = 64;
constexpr u32 kMaxWarm = 1u << 17;
// Of links and blocks that one slice of cooling goes through: some 0.1 ms.
constexpr u32 kCoolSlice = 2048;

// Mailbox as for installBlock, then: where in `meta` its bytes lie, how many they are.
u32 installWarm(Vm *vm) {
  const u32 *m = vm->mailbox;
  if (vm->blockCount + 2 >= kMaxBlocks || vm->warmCount >= kMaxWarm) return 0;
  const u32 head = hashOf(m[2], m[5]);
  u32 length = 0;
  for (u32 n = vm->blockHash[head]; n; n = vm->blocks[n].hashNext) {
    const Block &other = vm->blocks[n];
    if (++length >= kMaxBucket) return 0;
    if (other.eip == m[2] && other.gpaPage == m[3] && other.mode == m[5] && other.gpaPage2 == m[4] && other.valid) return 0;
  }
  const u32 n = ++vm->blockCount;
  Block &b = vm->blocks[n];
  b = {m[0], m[0] + m[1], m[2], m[3], m[4], m[5], m[6], m[7], vm->blockHash[head], 0, 0, kWarm, m[8], m[9], 0};
  vm->blockHash[head] = n;
  vm->codeCursor = (b.hostEnd + 15) & ~15u;
  vm->warmCount++;
  vm->state->counters[cBlocksHeld]++;
  return n;
}

static u8 byteAt(const Vm *vm, const Block &b, u32 offset) {
  const u32 at = (b.eip & 0xFFF) + offset;
  const u32 page = at < 4096 ? b.gpaPage : b.gpaPage2;
  return vm->ram[((u64)page << 12) + (at & 0xFFF)];
}

static bool unchanged(const Vm *vm, const Block &b) {
  for (u32 i = 0; i < b.sourceBytes; i++)
    if (byteAt(vm, b, i) != vm->meta[b.source + i]) return false;
  return true;
}

// First use: a block like any other from now on, or gone.
bool adoptWarm(Vm *vm, u32 n) {
  Block &b = vm->blocks[n];
  vm->warmCount--;
  if (!unchanged(vm, b)) {
    vm->state->counters[cWarmStale]++;
    vm->state->counters[cBlocksHeld]--;
    unhash(vm, n);
    b.valid = 0;
    return false;
  }
  vm->state->counters[cWarmUsed]++;
  b.valid = 1;
  b.pageNext = vm->pageBlocks[b.gpaPage];
  vm->pageBlocks[b.gpaPage] = n;
  protectCodePage(vm, b.gpaPage);
  if (b.gpaPage2 != ~0u) protectCodePage(vm, b.gpaPage2);
  return true;
}

// What became of a warm block: 0 gone (its bytes had changed, or had to be dropped), 1 still good, 2 in use.
u32 reviewWarm(Vm *vm, u32 n) {
  if (n == 0 || n > vm->blockCount) return 0;
  Block &b = vm->blocks[n];
  if (b.valid != kWarm) return b.valid ? 2 : 0;
  if (unchanged(vm, b)) return 1;
  vm->warmCount--;
  vm->state->counters[cBlocksHeld]--;
  unhash(vm, n);
  b.valid = 0;
  return 0;
}

// Drops a window's tables or some blocks' links; false: all are dropped. The first call begins.
bool coolSlice(Vm *vm, bool begin) {
  constexpr u32 tables = kWindows * kTablesPerWindow;
  if (begin) {
    vm->coolAt = 0;
    __atomic_store_n(&vm->heat, vm->heat + 1, __ATOMIC_RELAXED);
  }
  while (vm->coolAt < tables) {
    const u32 at = vm->coolAt++, window = at / kTablesPerWindow;
    if (!vm->windows[window].valid && !vm->windows[window].usedCount) continue;
    dropTable(vm, window, at % kTablesPerWindow);
    return true;
  }
  if (vm->coolAt == tables) vm->tableFills = 0;
  u32 n = vm->coolAt - tables + 1;
  const u32 end = n + kCoolSlice;
  for (; n <= vm->blockCount && n < end; n++) unlinkBlock(vm, vm->blocks[n]);
  vm->coolAt = tables + n - 1;
  return n <= vm->blockCount;
}

static bool put(u32 *out, u32 words, u32 *used, const Block &b) {
  const bool crossing = b.gpaPage2 != ~0u;
  if (*used + 2 + crossing > words) return false;
  out[(*used)++] = b.eip;
  out[(*used)++] = b.gpaPage | b.mode << 24 | (crossing ? 0x80000000u : 0);
  if (crossing) out[(*used)++] = b.gpaPage2;
  return true;
}

// Any thread, while the vCPU runs: it looks on and changes nothing. What it reads half-written is
// a wrong entry in a list that nobody trusts. Found in this period first, then, with `all`, the rest,
// newest first. A new period begins. `words`: eip, then page | mode << 24 | crossing << 31, then the second page of one that crosses.
u32 listHot(Vm *vm, u32 *out, u32 words, bool all) {
  const u32 heat = __atomic_load_n(&vm->heat, __ATOMIC_RELAXED);
  u32 used = 0;
  const u32 count = __atomic_load_n(&vm->blockCount, __ATOMIC_RELAXED);
  for (u32 pass = 0; pass < (all ? 2u : 1u); pass++) {
    if (pass) vm->listedHot = used;
    for (u32 n = count; n; n--) {
      const Block &b = vm->blocks[n];
      if (__atomic_load_n(&b.valid, __ATOMIC_RELAXED) != 1) continue;
      if ((__atomic_load_n(&b.found, __ATOMIC_RELAXED) == heat) != (pass == 0) || put(out, words, &used, b)) continue;
      if (!pass) vm->listedHot = used;
      pass = 2;
      break;
    }
  }
  if (!all) vm->listedHot = used;
  __atomic_store_n(&vm->heat, heat + 1, __ATOMIC_RELAXED);
  return used;
}

}  // namespace godwit
