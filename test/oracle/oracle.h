/* The oracle's pattern, and its parts in load.c. */
#ifndef GODWIT_ORACLE_H
#define GODWIT_ORACLE_H
#include <stdint.h>

#define PAGE_BYTES 4096u
#define PAGE_WORDS 1024u
#define PAGE_MAGIC 0x0dac1e00u

typedef uint32_t page_words[PAGE_WORDS];

/*
 * word 0      magic ^ number of the page
 * word 1      pass
 * word 2 …    seed(page, pass) + word * STEP: no page, no half of a page and no two passes are
 *             alike, and nothing repeats that a packer could use. `sparse`: as pass 0 left it
 * word 1023   of this pass, sparse or not
 */
#define STEP 0x9e3779b1u
#define LAST_WORD (PAGE_WORDS - 1)

static inline uint32_t page_seed(uint32_t page, uint32_t pass) {
  uint32_t seed = page * 0x85ebca6bu ^ pass * 0xc2b2ae35u;
  seed ^= seed >> 15;
  return seed * 0x2c1b3c6du;
}

static inline uint32_t page_word(uint32_t page, uint32_t pass, uint32_t word, int sparse) {
  if (word == 0) return PAGE_MAGIC ^ page;
  if (word == 1) return pass;
  return page_seed(page, sparse && word != LAST_WORD ? 0 : pass) + word * STEP;
}

static inline void page_write(volatile uint32_t *words, uint32_t page, uint32_t pass, int sparse) {
  words[0] = PAGE_MAGIC ^ page;
  words[1] = pass;
  if (!sparse) {
    uint32_t value = page_seed(page, pass) + 2 * STEP;
    for (uint32_t word = 2; word < LAST_WORD; word++, value += STEP) words[word] = value;
  }
  words[LAST_WORD] = page_seed(page, pass) + LAST_WORD * STEP;
}

/* Shared by the processes of the load. */
struct jobs {
  uint32_t done, wrong;
};

/* Starts or goes on with the load, or holds it. */
void load(int on, volatile struct jobs *jobs);
/* What each of its processes runs; its exit status. */
int compile_unit(unsigned seed, const char *source, const char *object);
void die(const char *what) __attribute__((noreturn));
#endif
