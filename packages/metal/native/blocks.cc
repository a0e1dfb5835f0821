// The code cache's bookkeeping: blocks, the sparse block table, direct links.
//
// A block is keyed by guest-physical page, eip and mode, so that processes that
// share a library at one address share its translation. The block table has an
// entry for every eip (4 bytes, sparse): the block's offset in the code cache,
// 0 where there is none, and offset 0 holds the jump to the miss routine. An
// indirect jump is therefore one load and one jump, with no compare and no
// flags touched. Each window has its own table, which is what makes a user
// block unreachable from another address space.
//
// A direct jump is patched to go straight to its target (a link); links over a
// page border exist only in the supervisor window. All are undone when their
// target goes.
#include "vm.h"

namespace godwit {

// Mailbox: hostStart, hostBytes, eip, gpaPage, gpaPage2 or ~0, mode, mapOffset, mapCount.
u32 installBlock(Vm *vm) {
  if (vm->blockCount + 2 >= kMaxBlocks) return 0;
  const u32 n = ++vm->blockCount;
  Block &b = vm->blocks[n];
  const u32 *m = vm->mailbox;
  b.hostStart = m[0];
  b.hostEnd = m[0] + m[1];
  b.eip = m[2];
  b.gpaPage = m[3];
  b.gpaPage2 = m[4];
  b.mode = m[5];
  b.mapOffset = m[6];
  b.mapCount = m[7];
  b.links = 0;
  b.valid = 1;
  b.found = vm->heat;
  const u32 h = hashOf(b.eip, b.mode);
  b.hashNext = vm->blockHash[h];
  vm->blockHash[h] = n;
  b.pageNext = vm->pageBlocks[b.gpaPage];
  vm->pageBlocks[b.gpaPage] = n;
  protectCodePage(vm, b.gpaPage);
  if (b.gpaPage2 != ~0u) protectCodePage(vm, b.gpaPage2);
  vm->codeCursor = (b.hostEnd + 15) & ~15u;
  vm->state->counters[cBlocksHeld]++;
  return n;
}

static u32 resolve(Vm *vm, u32 window, u32 eip, bool user) {
  const u32 info = vm->windows[window].info[eip >> 12];
  if (info & kExec) return info >> 8;
  const Walk w = walk(vm, eip, false, true, user, true);
  if (!w.ok || !isRam(vm, w.gpaPage)) return ~0u;
  noteExec(vm, window, eip, w);
  return w.gpaPage;
}

u32 findBlock(Vm *vm, u32 eip, u32 mode) {
  const bool user = mode & 1;
  const u32 window = user ? vm->userWindow : 0;
  const u32 gpaPage = resolve(vm, window, eip, user);
  if (gpaPage == ~0u) return 0;
  for (u32 n = vm->blockHash[hashOf(eip, mode)]; n; n = vm->blocks[n].hashNext) {
    Block &b = vm->blocks[n];
    if (b.eip != eip || b.gpaPage != gpaPage || b.mode != mode || !b.valid) continue;
    if (b.gpaPage2 != ~0u && resolve(vm, window, (eip | 0xFFF) + 1, user) != b.gpaPage2) continue;
    if (b.valid == kWarm && !adoptWarm(vm, n)) return 0;
    b.found = vm->heat;
    ((u32 *)tableOf(vm, window, mode))[eip] = b.hostStart;
    vm->tableFills++;
    return n;
  }
  return 0;
}

void unhash(Vm *vm, u32 n) {
  const Block &b = vm->blocks[n];
  for (u32 *at = &vm->blockHash[hashOf(b.eip, b.mode)]; *at; at = &vm->blocks[*at].hashNext)
    if (*at == n) {
      *at = b.hashNext;
      return;
    }
}

void unlinkBlock(Vm *vm, Block &b) {
  for (u32 l = b.links, next; l; l = next) {
    Link &link = vm->links[l];
    next = link.next;
    store32(vm->codeRw + link.site, link.original);
    link.next = vm->linkFree;
    vm->linkFree = l;
  }
  b.links = 0;
}

u32 takeLink(Vm *vm) {
  const u32 free = vm->linkFree;
  if (free) {
    vm->linkFree = vm->links[free].next;
    return free;
  }
  return vm->linkCount + 1 >= kMaxLinks ? 0 : ++vm->linkCount;
}

void unlinkPageBlocks(Vm *vm, u32 gpaPage, u32 linearPage) {
  for (u32 n = vm->pageBlocks[gpaPage]; n; n = vm->blocks[n].pageNext)
    if (vm->blocks[n].eip >> 12 == linearPage) unlinkBlock(vm, vm->blocks[n]);
}

void killBlock(Vm *vm, u32 n) {
  Block &b = vm->blocks[n];
  if (!b.valid) return;
  b.valid = 0;
  vm->state->counters[cBlocksHeld]--;
  unlinkBlock(vm, b);
  unhash(vm, n);
  const u32 first = b.mode & 1 ? 1 : 0, last = b.mode & 1 ? kWindows : 1;
  for (u32 w = first; w < last; w++)
    if (vm->windows[w].info[b.eip >> 12] & kExec) ((u32 *)tableOf(vm, w, b.mode))[b.eip] = 0;
}

void invalidatePage(Vm *vm, u32 gpaPage) {
  if (!(vm->watched[gpaPage] & kWatchCode)) return;
  u64 *counters = vm->state->counters;
  const u64 held = counters[cBlocksHeld];
  counters[cSelfModified]++;
  if (vm->selfModify[gpaPage] < 255) vm->selfModify[gpaPage]++;
  for (u32 n = vm->pageBlocks[gpaPage]; n; n = vm->blocks[n].pageNext) killBlock(vm, n);
  vm->pageBlocks[gpaPage] = 0;
  // Blocks that begin on another page and end on this one: rare, few; found through their own page.
  for (u32 n = vm->rmapHead[gpaPage]; n; n = vm->rmap[n].next) {
    const u32 window = vm->rmap[n].where >> 20, page = vm->rmap[n].where & 0xFFFFF;
    const u32 before = vm->windows[window].info[(page - 1) & 0xFFFFF];
    if (!(before & kExec)) continue;
    for (u32 k = vm->pageBlocks[before >> 8]; k; k = vm->blocks[k].pageNext)
      if (vm->blocks[k].gpaPage2 == gpaPage) killBlock(vm, k);
  }
  for (u32 i = 0; i < vm->runCount; i++) {
    const Run &run = vm->runs[i];
    if (gpaPage - run.gpaPage >= run.count) continue;
    const u32 page = run.linearPage + (gpaPage - run.gpaPage);
    const u32 before = vm->windows[run.window].info[(page - 1) & 0xFFFFF];
    if (!(before & kExec)) continue;
    for (u32 k = vm->pageBlocks[before >> 8]; k; k = vm->blocks[k].pageNext)
      if (vm->blocks[k].gpaPage2 == gpaPage) killBlock(vm, k);
  }
  counters[cBlocksSelfModified] += held - counters[cBlocksHeld];
  vm->watched[gpaPage] &= (u8)~kWatchCode;
}

void clearTablePage(Vm *vm, u32 window, u32 linearPage) {
  // A block of the page before may end on this page: its entry lies in the last 15 bytes there.
  for (u32 k = 0; k < kTablesPerWindow; k++) {
    u32 *table = (u32 *)tableOf(vm, window, k << 1);
    const u32 info = vm->windows[window].info[linearPage];
    // Only entries of known blocks can be non-zero: go through these instead of touching 16 KiB.
    for (u32 n = vm->pageBlocks[info >> 8]; n; n = vm->blocks[n].pageNext)
      if (vm->blocks[n].eip >> 12 == linearPage) table[vm->blocks[n].eip] = 0;
    const u32 before = (linearPage - 1) & 0xFFFFF;
    if (vm->windows[window].info[before] & kExec)
      for (u32 i = 0; i < 15; i++) table[(before << 12) + 0xFF1 + i] = 0;
  }
}

// The code cache is full, or everything is stale: start over. Table entries are dropped by the caller.
void invalidateAllBlocks(Vm *vm) {
  for (u32 n = 1; n <= vm->blockCount; n++) killBlock(vm, n);
  zeroBytes(vm->blockHash, kBlockHash * 4);
  zeroBytes(vm->pageBlocks, (u64)vm->ramPages * 4);
  vm->blockCount = 0;
  vm->linkCount = vm->linkFree = 0;
  vm->warmCount = 0;
}

const Block *blockAt(Vm *vm, u64 rip) {
  const u64 offset = rip - (u64)vm->codeRx;
  if (offset >= vm->codeBytes) return nullptr;
  u32 lo = 1, hi = vm->blockCount;
  while (lo < hi) {
    const u32 mid = (lo + hi + 1) / 2;
    if (vm->blocks[mid].hostStart <= offset) lo = mid;
    else hi = mid - 1;
  }
  if (!vm->blockCount || vm->blocks[lo].hostStart > offset || offset >= vm->blocks[lo].hostEnd) return nullptr;
  return &vm->blocks[lo];
}

bool placeAt(Vm *vm, u64 rip, Place *place) {
  const Block *b = blockAt(vm, rip);
  if (!b) return false;
  const u32 offset = (u32)(rip - (u64)vm->codeRx) - b->hostStart;
  const MapEntry *map = (const MapEntry *)(vm->meta + b->mapOffset);
  u32 lo = 0, hi = b->mapCount - 1;
  while (lo < hi) {
    const u32 mid = (lo + hi + 1) / 2;
    if (map[mid].host <= offset) lo = mid;
    else hi = mid - 1;
  }
  *place = {b, b->eip + map[lo].offset(), map[lo].stackOffset(), (u64)vm->codeRx + b->hostStart + map[lo].host};
  return true;
}

}  // namespace godwit
