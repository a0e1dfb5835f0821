// Work on whole pages for migrations: plain memory, no VM.
#pragma once
#include "state.h"

namespace godwit {

struct Sum64 {
  u32 low, high;
};

// As PAGE_KIND of packages/migration/src/stream/page-layout.ts.
enum PageKind : u32 { kPageZero = 0, kPageRaw = 1, kPageFill = 2 };
// A page found: kind, sum (2), the word it is filled with (2).
constexpr u32 kFoundWords = 5;

Sum64 sumWords(const u8 *at, u64 words, u32 seed);
// Looks at pages by number; those of no other kind are copied to `area`, one behind the other. How many those are.
u32 gatherPages(const u8 *ram, const u32 *pages, u32 count, u8 *area, u32 *found);
// Copies pages in; their sums. `fresh`: most have no memory behind them yet.
void scatterPages(const u8 *area, u8 *ram, u32 first, u32 count, bool fresh, u32 *sums);

}  // namespace godwit
