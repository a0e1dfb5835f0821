/* Integer work with predictable control flow: the code a compiler makes of loops over arrays. */
#include "bench.h"
#include <string.h>

enum { SORT_COUNT = 1 << 16, TEXT_BYTES = 1 << 16, MATRIX = 128 };

static uint32_t *numbers, *sorted;
static uint8_t *text, *packed, *unpacked;
static int32_t *left, *right, *product;
static uint32_t crc_table[256];

static void make_numbers(void) {
  uint32_t seed = 1;
  numbers = allocate(SORT_COUNT * 4);
  sorted = allocate(SORT_COUNT * 4);
  for (int i = 0; i < SORT_COUNT; i++) numbers[i] = next_random(&seed);
}

/* Text of a small vocabulary, so that a compressor finds something. */
static void make_text(void) {
  static const char *const words[] = {
    "page ", "guest ", "round ", "of ", "the ", "window ", "moves ", "host ",
    "while ", "dirty ", "a ", "block ", "lease ", "and ", "drains\n", "pause ",
  };
  uint32_t seed = 7;
  size_t at = 0;
  text = allocate(TEXT_BYTES);
  packed = allocate(TEXT_BYTES * 4);
  unpacked = allocate(TEXT_BYTES);
  while (at < TEXT_BYTES) {
    const char *word = words[next_random(&seed) >> 28];
    size_t length = strlen(word);
    if (length > TEXT_BYTES - at) length = TEXT_BYTES - at;
    memcpy(text + at, word, length);
    at += length;
  }
}

static void quicksort(uint32_t *low, uint32_t *high) {
  while (low < high) {
    uint32_t pivot = low[(high - low) / 2], *i = low, *j = high;
    while (i <= j) {
      while (*i < pivot) i++;
      while (*j > pivot) j--;
      if (i <= j) {
        uint32_t swap = *i;
        *i++ = *j;
        *j-- = swap;
      }
    }
    if (j - low < high - i) {
      quicksort(low, j);
      low = i;
    } else {
      quicksort(i, high);
      high = j;
    }
  }
}

static uint32_t sort(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    for (int i = 0; i < SORT_COUNT; i++) sorted[i] = numbers[i] ^ n;
    quicksort(sorted, sorted + SORT_COUNT - 1);
    for (int i = 0; i < SORT_COUNT; i += 61) sum = mix(sum, sorted[i]);
  }
  return sum;
}

static inline uint32_t rotate(uint32_t x, int by) { return x << by | x >> (32 - by); }

/* FNV-1a by bytes, then a multiply-rotate hash by words over the same text. */
static uint32_t hash(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    uint32_t bytes = 2166136261u ^ n, words = n;
    for (int i = 0; i < TEXT_BYTES; i++) bytes = (bytes ^ text[i]) * 16777619u;
    for (int i = 0; i < TEXT_BYTES; i += 4) {
      uint32_t word;
      memcpy(&word, text + i, 4);
      words = rotate(words ^ rotate(word * 0xcc9e2d51u, 15) * 0x1b873593u, 13) * 5 + 0xe6546b64u;
    }
    sum = mix(sum, bytes ^ words);
  }
  return sum;
}

static uint8_t *bit_out;
static uint32_t bit_buffer, bit_count;

static inline void put_bits(uint32_t value, unsigned count) {
  bit_buffer |= value << bit_count;
  bit_count += count;
  for (; bit_count >= 8; bit_count -= 8, bit_buffer >>= 8) *bit_out++ = (uint8_t)bit_buffer;
}

static const uint8_t *bit_in;
static inline uint32_t get_bits(unsigned count) {
  for (; bit_count < count; bit_count += 8) bit_buffer |= (uint32_t)*bit_in++ << bit_count;
  uint32_t value = bit_buffer & ((1u << count) - 1);
  bit_buffer >>= count;
  bit_count -= count;
  return value;
}

/* LZ77 with a hash table of last places: a flag bit, then 8 bits of a byte or 16 + 6 of a match. */
static size_t deflate(void) {
  static uint32_t last[4096];
  memset(last, 0xff, sizeof last);
  bit_out = packed;
  bit_buffer = bit_count = 0;
  for (uint32_t at = 0; at < TEXT_BYTES;) {
    uint32_t length = 0, from = 0;
    if (at + 4 <= TEXT_BYTES) {
      uint32_t word;
      memcpy(&word, text + at, 4);
      uint32_t *slot = &last[word * 2654435761u >> 20];
      from = *slot;
      *slot = at;
      if (from != ~0u)
        while (length < 63 && at + length < TEXT_BYTES && text[from + length] == text[at + length]) length++;
    }
    if (length >= 4) {
      put_bits(1, 1);
      put_bits(at - from - 1, 16);
      put_bits(length, 6);
      at += length;
    } else {
      put_bits((uint32_t)text[at++] << 1, 9);
    }
  }
  put_bits(0, 7);
  return (size_t)(bit_out - packed);
}

static void inflate(void) {
  bit_in = packed;
  bit_buffer = bit_count = 0;
  for (uint32_t at = 0; at < TEXT_BYTES;) {
    if (!get_bits(1)) {
      unpacked[at++] = (uint8_t)get_bits(8);
      continue;
    }
    uint32_t from = at - get_bits(16) - 1;
    for (uint32_t length = get_bits(6); length; length--) unpacked[at++] = unpacked[from++];
  }
}

static uint32_t compress(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    text[n % TEXT_BYTES] ^= 1;
    sum = mix(sum, (uint32_t)deflate());
    inflate();
    if (memcmp(text, unpacked, TEXT_BYTES)) return 0xdeadbeef;
    sum = mix(sum, unpacked[n * 7919 % TEXT_BYTES]);
  }
  return sum;
}

static void make_matrices(void) {
  uint32_t seed = 3;
  left = allocate(MATRIX * MATRIX * 4);
  right = allocate(MATRIX * MATRIX * 4);
  product = allocate(MATRIX * MATRIX * 4);
  for (int i = 0; i < MATRIX * MATRIX; i++) {
    left[i] = (int32_t)next_random(&seed) >> 8;
    right[i] = (int32_t)next_random(&seed) >> 8;
  }
}

static uint32_t matrix(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    left[n % (MATRIX * MATRIX)] += 1;
    for (int i = 0; i < MATRIX; i++)
      for (int j = 0; j < MATRIX; j++) {
        uint32_t cell = 0;
        for (int k = 0; k < MATRIX; k++) cell += (uint32_t)left[i * MATRIX + k] * (uint32_t)right[k * MATRIX + j];
        product[i * MATRIX + j] = (int32_t)cell;
      }
    for (int i = 0; i < MATRIX * MATRIX; i += 37) sum = mix(sum, (uint32_t)product[i]);
  }
  return sum;
}

static void make_crc(void) {
  make_text();
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    crc_table[i] = c;
  }
}

static uint32_t crc32(unsigned iterations) {
  uint32_t c = ~0u;
  for (unsigned n = 0; n < iterations; n++)
    for (int i = 0; i < TEXT_BYTES; i++) c = crc_table[(c ^ text[i]) & 255] ^ c >> 8;
  return ~c;
}

/* The constants of FIPS 180-4 section 4.2.2, computed: the first bits of the cube roots of primes. */
static uint32_t round_constants[64];

static void make_sha(void) {
  make_text();
  int found = 0;
  for (uint32_t p = 2; found < 64; p++) {
    int prime = 1;
    for (uint32_t d = 2; d * d <= p; d++) prime &= p % d != 0;
    if (!prime) continue;
    /* floor(cbrt(p) * 2^32) by bisection on 128-bit-free arithmetic: x^3 <= p * 2^96, x < 2^35. */
    uint64_t low = 0, high = 8ull << 32;
    while (high - low > 1) {
      uint64_t x = (low + high) / 2;
      uint64_t hi = x >> 32, lo = (uint32_t)x;
      /* x^2 in units of 2^-64, kept as two words; then times x, compared with p. */
      uint64_t s0 = lo * lo, s1 = 2 * hi * lo + (s0 >> 32), s2 = hi * hi + (s1 >> 32);
      uint64_t a0 = (uint32_t)s0, a1 = (uint32_t)s1;
      uint64_t t = a0 * lo, u = (t >> 32) + a1 * lo;
      uint64_t v = (u & 0xffffffffu) + a0 * hi, w = (u >> 32) + (v >> 32) + (uint32_t)s2 * lo;
      uint64_t y = (w & 0xffffffffu) + a1 * hi, z = (w >> 32) + (y >> 32) + s2 * hi + (s2 >> 32) * lo;
      if (z < p) low = x;
      else high = x;
    }
    round_constants[found++] = (uint32_t)low;
  }
}

static uint32_t sha256(unsigned iterations) {
  uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
  for (unsigned n = 0; n < iterations; n++)
    for (int at = 0; at < TEXT_BYTES; at += 64) {
      uint32_t w[64];
      for (int i = 0; i < 16; i++) {
        memcpy(&w[i], text + at + i * 4, 4);
        w[i] = __builtin_bswap32(w[i]);
      }
      for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 25) ^ rotate(a, 14) ^ a >> 3) + w[i - 7] + (rotate(b, 15) ^ rotate(b, 13) ^ b >> 10);
      }
      uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], last = h[7];
      for (int i = 0; i < 64; i++) {
        uint32_t t1 = last + (rotate(e, 26) ^ rotate(e, 21) ^ rotate(e, 7)) + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
        uint32_t t2 = (rotate(a, 30) ^ rotate(a, 19) ^ rotate(a, 10)) + ((a & b) ^ (a & c) ^ (b & c));
        last = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
      }
      h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += last;
    }
  return h[0] ^ h[7];
}

static uint32_t strings(unsigned iterations) {
  uint32_t sum = 0;
  text[TEXT_BYTES - 1] = 0;
  for (unsigned n = 0; n < iterations; n++) {
    uint8_t *changed = text + n % (TEXT_BYTES - 1);
    *changed ^= 0x80;
    memcpy(unpacked, text, TEXT_BYTES);
    sum = mix(sum, (uint32_t)strlen((char *)text + n % 64));
    sum = mix(sum, (uint32_t)strcmp((char *)text, (char *)unpacked));
    unsigned lines = 0;
    for (uint8_t *at = text; (at = memchr(at, '\n', (size_t)(text + TEXT_BYTES - at))); at++) lines++;
    /* Short strings: where the call itself weighs as much as the work. */
    for (unsigned i = 0; i < 2048; i++) lines += !strncmp((char *)text + i, "block ", 6) + (unsigned)strcspn((char *)text + i, " ");
    sum = mix(sum, lines);
    *changed ^= 0x80;
  }
  return sum;
}

const workload integer_workloads[] = {
  { "sort", "integer", 80, make_numbers, sort },
  { "hash", "integer", 3500, make_text, hash },
  { "compress", "integer", 1000, make_text, compress },
  { "matrix", "integer", 200, make_matrices, matrix },
  { "crc32", "integer", 2000, make_crc, crc32 },
  { "sha256", "integer", 800, make_sha, sha256 },
  { "strings", "integer", 4000, make_text, strings },
  { 0 },
};
