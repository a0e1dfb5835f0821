// What a migration does to every byte that moves: looked at, copied and summed in one pass.
// The same sums as packages/migration/src/stream/page-sum.ts; test/engine/pages.test.ts compares.
// Other threads write to RAM meanwhile: what is summed is what was copied, never read twice.
#include <smmintrin.h>
#include <stdint.h>
#include <sys/mman.h>

#include "pages.h"

namespace godwit {

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace {

constexpr u32 A = 0x9e3779b1u, B = 0x85ebca77u, C = 0xc2b2ae3du, D = 0x27d4eb2fu;
constexpr u32 kPageBytes = 4096;

inline u32 rotl(u32 v, u32 by) { return v << by | v >> (32 - by); }

inline u32 mix(u32 v) {
  v ^= v >> 16;
  v *= 0x85ebca6bu;
  v ^= v >> 13;
  v *= 0xc2b2ae35u;
  return v ^ v >> 16;
}

// Four lanes, each of which turns by its own count: a shift left by the count is a multiplication, of which pmulld does four.
struct Lanes {
  __m128i value;

  __attribute__((target("sse4.1"))) explicit Lanes(u32 seed)
      : value(_mm_setr_epi32((int)(A ^ seed), (int)(B + seed), (int)(C ^ (seed * A)), (int)(D - seed))) {}
};

__attribute__((target("sse4.1"))) inline __m128i step(__m128i lanes, __m128i words) {
  const __m128i factors = _mm_setr_epi32((int)A, (int)B, (int)C, (int)D);
  const __m128i v = _mm_xor_si128(lanes, words);
  const __m128i left = _mm_mullo_epi32(v, _mm_setr_epi32(1 << 13, 1 << 15, 1 << 11, 1 << 17));
  // Right by 19, 17, 21, 15: in the two halves of 64-bit lanes there is no such shift; the parts are blended.
  const __m128i r19 = _mm_srli_epi32(v, 19), r17 = _mm_srli_epi32(v, 17), r21 = _mm_srli_epi32(v, 21), r15 = _mm_srli_epi32(v, 15);
  const __m128i low = _mm_blend_epi16(r19, r17, 0x0c);
  const __m128i high = _mm_blend_epi16(r21, r15, 0xc0);
  return _mm_mullo_epi32(_mm_or_si128(left, _mm_blend_epi16(low, high, 0xf0)), factors);
}

struct Scalars {
  u32 a, b, c, d;
};

inline Sum64 finish(const Scalars &s) {
  return {mix(mix(s.a + s.b * C) ^ s.c ^ (s.d * A)), mix(mix(s.c + s.d * B) + s.a + s.b * D)};
}

__attribute__((target("sse4.1"))) inline Scalars unpack(__m128i v) {
  return {(u32)_mm_extract_epi32(v, 0), (u32)_mm_extract_epi32(v, 1), (u32)_mm_extract_epi32(v, 2), (u32)_mm_extract_epi32(v, 3)};
}

}  // namespace

__attribute__((target("sse4.1"))) Sum64 sumWords(const u8 *at, u64 words, u32 seed) {
  __m128i lanes = Lanes(seed).value;
  u64 left = words;
  for (; left >= 4; left -= 4, at += 16) lanes = step(lanes, _mm_loadu_si128((const __m128i *)at));
  Scalars s = unpack(lanes);
  for (; left > 0; left--, at += 4) {
    u32 word;
    __builtin_memcpy(&word, at, 4);
    s.a = rotl(s.a ^ word, 13) * A;
  }
  return finish(s);
}

__attribute__((target("sse4.1"))) Sum64 copyPage(u8 *to, const u8 *from, u32 page) {
  __m128i lanes = Lanes(mix(page + 1)).value;
  for (u32 at = 0; at < kPageBytes; at += 16) {
    const __m128i words = _mm_loadu_si128((const __m128i *)(from + at));
    _mm_storeu_si128((__m128i *)(to + at), words);
    lanes = step(lanes, words);
  }
  return finish(unpack(lanes));
}

// The sum of a page that is `word` again and again.
__attribute__((target("sse4.1"))) Sum64 sumFilled(u64 word, u32 page) {
  __m128i lanes = Lanes(mix(page + 1)).value;
  const __m128i words = _mm_set1_epi64x((long long)word);
  for (u32 at = 0; at < kPageBytes; at += 16) lanes = step(lanes, words);
  return finish(unpack(lanes));
}

// True for one 8-byte word again and again; `word` is it.
__attribute__((target("sse4.1"))) bool isFilled(const u8 *page, u64 *word) {
  __builtin_memcpy(word, page, 8);
  const __m128i first = _mm_set1_epi64x((long long)*word);
  for (u32 at = 0; at < kPageBytes; at += 64) {
    __m128i differ = _mm_setzero_si128();
    for (u32 part = 0; part < 64; part += 16)
      differ = _mm_or_si128(differ, _mm_xor_si128(first, _mm_loadu_si128((const __m128i *)(page + at + part))));
    if (!_mm_testz_si128(differ, differ)) return false;
  }
  return true;
}

u32 gatherPages(const u8 *ram, const u32 *pages, u32 count, u8 *area, u32 *found) {
  u32 copied = 0;
  for (u32 i = 0; i < count; i++, found += kFoundWords) {
    const u8 *page = ram + (u64)pages[i] * kPageBytes;
    // The next page's first lines come while this one is worked on.
    if (i + 1 < count) __builtin_prefetch(ram + (u64)pages[i + 1] * kPageBytes);
    u64 word;
    Sum64 sum = {0, 0};
    if (isFilled(page, &word)) {
      found[0] = word == 0 ? kPageZero : kPageFill;
      if (word != 0) sum = sumFilled(word, pages[i]);
      __builtin_memcpy(found + 3, &word, 8);
    } else {
      found[0] = kPageRaw;
      sum = copyPage(area + (u64)copied++ * kPageBytes, page, pages[i]);
    }
    found[1] = sum.low;
    found[2] = sum.high;
  }
  return copied;
}

void scatterPages(const u8 *area, u8 *ram, u32 first, u32 count, bool fresh, u32 *sums) {
  u8 *to = ram + (u64)first * kPageBytes;
  // Memory for all of them at once: a fault for each costs as much as the copy. Where the kernel knows no better they are faulted in.
  if (fresh && count > 1) madvise(to, (u64)count * kPageBytes, MADV_POPULATE_WRITE);
  for (u32 i = 0; i < count; i++) {
    const Sum64 sum = copyPage(to + (u64)i * kPageBytes, area + (u64)i * kPageBytes, first + i);
    sums[2 * i] = sum.low;
    sums[2 * i + 1] = sum.high;
  }
}

}  // namespace godwit
