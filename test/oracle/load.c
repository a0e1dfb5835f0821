/*
 * A load like a compilation: a driver starts one process after the other, each a fresh
 * exec that reads a source of some ten KiB, cuts it into tokens, enters them into a
 * table, builds a tree of a MiB in fresh memory, folds it and writes an object file. So
 * pages are new, written a few times and freed; processes come and go. The same seed
 * must give the same object each time: a job that does not is counted as wrong.
 */
#include "oracle.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEDS 8
/* In the folder that the oracle was started in. */
#define SOURCE "source.c"
#define OBJECT "object.o"
#define SOURCE_BYTES (48 * 1024)
#define BUCKETS 4096

struct name {
  struct name *next;
  uint32_t hash, uses;
  char text[20];
};
struct node {
  struct node *left, *right;
  uint32_t kind, value, fold[4];
};

static uint32_t next_random(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

static void write_source(void) {
  FILE *file = fopen(SOURCE, "w");
  if (!file) die(SOURCE);
  uint32_t state = 12345;
  for (uint32_t bytes = 0; bytes < SOURCE_BYTES;)
    bytes += fprintf(file, "int v%u = f%u(v%u + %u) * (w%u - %u);\n", next_random(&state) % 3000, state % 500, next_random(&state) % 3000, state % 9999, next_random(&state) % 800, state % 77);
  fclose(file);
}

static struct node *tree(struct node *left, uint32_t kind, uint32_t value) {
  struct node *made = calloc(1, sizeof *made);
  if (!made) die("calloc");
  *made = (struct node){.left = left, .kind = kind, .value = value};
  return made;
}

static uint32_t fold(struct node *at, uint32_t pass) {
  uint32_t sum = 0;
  for (; at; at = at->left) {
    at->fold[pass & 3] = (at->value ^ sum) * 16777619u + (at->right ? at->right->fold[pass & 3] : pass);
    sum += at->fold[pass & 3];
  }
  return sum;
}

int compile_unit(unsigned seed, const char *source, const char *object) {
  FILE *file = fopen(source, "r");
  if (!file) return 2;
  static struct name *table[BUCKETS];
  struct node *statements = NULL, *previous = NULL;
  char token[20];
  uint32_t length = 0, hash = 2166136261u ^ seed, sum = 0;
  for (int c; (c = getc(file)) != EOF;) {
    if (length < sizeof token - 1 && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
      token[length++] = (char)c;
      hash = (hash ^ (uint32_t)c) * 16777619u;
      continue;
    }
    if (length > 0) {
      token[length] = 0;
      struct name **slot = &table[hash % BUCKETS];
      while (*slot && strcmp((*slot)->text, token)) slot = &(*slot)->next;
      if (!*slot) {
        *slot = calloc(1, sizeof **slot);
        if (!*slot) die("calloc");
        strcpy((*slot)->text, token);
        (*slot)->hash = hash;
      }
      statements = tree(statements, (uint32_t)c, (*slot)->hash + (*slot)->uses++);
      statements->right = previous;
      if (c == ';') previous = statements;
    }
    length = 0;
    hash = 2166136261u ^ seed;
  }
  fclose(file);
  FILE *out = fopen(object, "w");
  if (!out) return 2;
  for (uint32_t pass = 0; pass < 8; pass++) {
    sum = sum * 31 + fold(statements, pass);
    for (struct node *at = statements; at; at = at->left) fwrite(&at->fold[pass & 3], 4, 1, out);
  }
  fwrite(&sum, 4, 1, out);
  fclose(out);
  return 0;
}

/* The last word of the object, and whether all of it could be read. */
static int sum_of(const char *object, uint32_t *sum) {
  FILE *file = fopen(object, "r");
  if (!file) return 0;
  uint32_t word, all = 0, words = 0;
  while (fread(&word, 4, 1, file) == 1) {
    all = (all ^ word) * 16777619u;
    words++;
  }
  fclose(file);
  *sum = all;
  return words > 0;
}

static void drive(volatile struct jobs *jobs) {
  uint32_t known[SEEDS] = {0};
  for (unsigned number = 0;; number++) {
    char seed[12];
    snprintf(seed, sizeof seed, "%u", number % SEEDS + 1);
    pid_t child = fork();
    if (child == 0) {
      execl("/proc/self/exe", "cc", "unit", seed, SOURCE, OBJECT, (char *)NULL);
      _exit(3);
    }
    int status = 0;
    uint32_t sum = 0;
    waitpid(child, &status, 0);
    int good = WIFEXITED(status) && WEXITSTATUS(status) == 0 && sum_of(OBJECT, &sum);
    unlink(OBJECT);
    uint32_t *first = &known[number % SEEDS];
    if (*first == 0) *first = sum;
    if (!good || sum != *first) jobs->wrong++;
    jobs->done++;
  }
}

void load(int on, volatile struct jobs *jobs) {
  static pid_t driver;
  if (driver == 0 && on) {
    write_source();
    driver = fork();
    if (driver == 0) {
      setpgid(0, 0);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      drive(jobs);
    }
    setpgid(driver, driver);
  }
  if (driver) kill(-driver, on ? SIGCONT : SIGSTOP);
}
