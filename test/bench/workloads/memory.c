/* What the memory system decides: bandwidth, latency in the cache and beyond it. */
#include "bench.h"
#include <string.h>

enum { COPY_BYTES = 16 << 20, TRIAD_COUNT = 1 << 19, CHASE_COUNT = 3 << 20 >> 2, RANDOM_COUNT = 32 << 20 >> 2 };

static uint8_t *copy_from, *copy_to;
static double *a, *b, *c;
static uint32_t *chain, *field;

static void make_copy(void) {
  copy_from = allocate(COPY_BYTES);
  copy_to = allocate(COPY_BYTES);
  for (int i = 0; i < COPY_BYTES; i += 64) copy_from[i] = (uint8_t)(i >> 6);
}

static uint32_t copy(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    copy_from[n * 64] ^= (uint8_t)n;
    memcpy(copy_to, copy_from, COPY_BYTES);
    sum = mix(sum, copy_to[n * 64] + copy_to[COPY_BYTES - 64]);
  }
  return sum;
}

static void make_triad(void) {
  a = allocate(TRIAD_COUNT * 8);
  b = allocate(TRIAD_COUNT * 8);
  c = allocate(TRIAD_COUNT * 8);
  for (int i = 0; i < TRIAD_COUNT; i++) b[i] = i, c[i] = i & 255;
}

static uint32_t triad(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    double factor = n & 7;
    for (int i = 0; i < TRIAD_COUNT; i++) a[i] = b[i] + factor * c[i];
    sum = mix(sum, (uint32_t)a[n * 31 % TRIAD_COUNT]);
  }
  return sum;
}

/* One cycle through all cells in random order (Sattolo), so that no load can be foreseen. */
static void make_chain(void) {
  uint32_t seed = 29;
  chain = allocate(CHASE_COUNT * 4);
  for (uint32_t i = 0; i < CHASE_COUNT; i++) chain[i] = i;
  for (uint32_t i = CHASE_COUNT - 1; i > 0; i--) {
    uint32_t j = next_random(&seed) % i, swap = chain[i];
    chain[i] = chain[j];
    chain[j] = swap;
  }
}

static uint32_t chase(unsigned iterations) {
  uint32_t at = 0;
  for (unsigned n = 0; n < iterations * 1024; n++) at = chain[at];
  return at;
}

static void make_field(void) { field = allocate(RANDOM_COUNT * 4); }

static uint32_t scatter(unsigned iterations) {
  uint32_t sum = 0, seed = 31;
  for (unsigned n = 0; n < iterations * 1024; n++) {
    uint32_t r = next_random(&seed);
    sum += field[r % RANDOM_COUNT] += r;
  }
  return sum;
}

const workload memory_workloads[] = {
  { "copy", "memory", 250, make_copy, copy },
  { "triad", "memory", 600, make_triad, triad },
  { "chase", "memory", 20000, make_chain, chase },
  { "random", "memory", 15000, make_field, scatter },
  { 0 },
};
