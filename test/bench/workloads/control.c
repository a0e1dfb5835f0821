/* Work that is mostly control flow: calls, returns, indirect jumps, branches, and division. */
#include "bench.h"

/* A register machine of eight operations; each jumps to the next by its own indirect jump. */
static uint32_t interpreter(unsigned iterations) {
  enum { ADD, XOR, SHIFT, LOAD, STORE, MULTIPLY, LOOP, HALT };
  static const uint8_t code[] = {
    /* operation, a, b */
    ADD, 0, 1, XOR, 2, 0, SHIFT, 3, 2, LOAD, 4, 3, ADD, 4, 0, STORE, 4, 3,
    MULTIPLY, 1, 5, XOR, 6, 4, ADD, 0, 6, SHIFT, 2, 1, XOR, 1, 2, LOOP, 7, 0, HALT,
  };
  static const void *const operations[] = { &&add, &&xor, &&shift, &&load, &&store, &&multiply, &&loop, &&halt };
  uint32_t r[8] = { 1, 2, 3, 4, 5, 0x01000193, 7, 0 }, memory[256] = { 0 };
  r[7] = iterations * 1024;
  const uint8_t *at = code;
#define NEXT goto *operations[*at]
  NEXT;
add: r[at[1]] += r[at[2]]; at += 3; NEXT;
xor: r[at[1]] ^= r[at[2]]; at += 3; NEXT;
shift: r[at[1]] = r[at[2]] >> 3 | r[at[2]] << 29; at += 3; NEXT;
load: r[at[1]] = memory[r[at[2]] & 255]; at += 3; NEXT;
store: memory[r[at[2]] & 255] = r[at[1]]; at += 3; NEXT;
multiply: r[at[1]] = r[at[1]] * r[at[2]] + 1; at += 3; NEXT;
loop: at = --r[at[1]] ? code : at + 3; NEXT;
halt: return mix(mix(r[0], r[4]), r[6]);
}

static uint32_t __attribute__((noinline)) fib(uint32_t n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint32_t calls(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) sum = mix(sum, fib(27 + n % 3));
  return sum;
}

/* Objects with a pointer to their methods, as a C++ compiler lays out virtual calls. */
typedef struct shape shape;
struct shape {
  uint32_t (*const *methods)(const shape *, uint32_t);
  uint32_t a, b;
};
static uint32_t square(const shape *s, uint32_t x) { return s->a * s->a + x; }
static uint32_t box(const shape *s, uint32_t x) { return s->a * s->b ^ x; }
static uint32_t wedge(const shape *s, uint32_t x) { return (s->a * s->b >> 1) - x; }
static uint32_t ring(const shape *s, uint32_t x) { return s->a + (s->b | x); }
static uint32_t grow(const shape *s, uint32_t x) { return x + s->a; }
static uint32_t shrink(const shape *s, uint32_t x) { return x - s->b; }
static uint32_t (*const kinds[4][2])(const shape *, uint32_t) = { { square, grow }, { box, shrink }, { wedge, grow }, { ring, shrink } };
static shape shapes[1024];

static void make_shapes(void) {
  uint32_t seed = 11;
  for (int i = 0; i < 1024; i++) {
    uint32_t r = next_random(&seed);
    shapes[i] = (shape){ kinds[r >> 30], r & 1023, r >> 10 & 1023 };
  }
}

static uint32_t indirect(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++)
    for (int i = 0; i < 1024; i++) {
      sum = shapes[i].methods[0](&shapes[i], sum);
      sum = shapes[i].methods[1](&shapes[i], sum);
    }
  return sum;
}

static uint32_t place(uint32_t all, uint32_t columns, uint32_t up, uint32_t down) {
  if (columns == all) return 1;
  uint32_t found = 0;
  for (uint32_t free = all & ~(columns | up | down); free; free &= free - 1) {
    uint32_t queen = free & -free;
    found += place(all, columns | queen, (up | queen) << 1, (down | queen) >> 1);
  }
  return found;
}

static uint32_t queens(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) sum = mix(sum, place((1u << (8 + n % 3)) - 1, 0, 0, 0));
  return sum;
}

/* 64-bit by 32-bit division (libgcc's __udivdi3, `div`) with popcount and bit scans by hand. */
static uint32_t divide(unsigned iterations) {
  uint64_t x = 0x123456789abcdefull;
  uint32_t sum = 0, seed = 5;
  for (unsigned n = 0; n < iterations * 1024; n++) {
    uint32_t divisor = next_random(&seed) | 1;
    uint64_t quotient = x / divisor;
    sum += (uint32_t)(x - quotient * divisor) + (uint32_t)__builtin_ctz(divisor + 1 ? divisor + 1 : 1);
    sum ^= (uint32_t)__builtin_popcount((uint32_t)quotient) << 24;
    x = x * 6364136223846793005ull + quotient + 1442695040888963407ull;
  }
  return sum;
}

const workload control_workloads[] = {
  { "interpreter", "integer", 16000, 0, interpreter },
  { "calls", "integer", 300, 0, calls },
  { "indirect", "integer", 30000, make_shapes, indirect },
  { "queens", "integer", 3000, 0, queens },
  { "divide", "integer", 12000, 0, divide },
  { 0 },
};
