/*
 * What a workload is: a name, a group, how often it runs at scale 1, an
 * untimed set-up and a timed run. The run returns a checksum of everything it
 * computed, so that a wrong answer can never pass for a fast one.
 */
#ifndef GODWIT_BENCH_H
#define GODWIT_BENCH_H
#include <stdint.h>
#include <stddef.h>

typedef struct {
  const char *name;
  const char *group;
  unsigned iterations;
  void (*setup)(void);
  uint32_t (*run)(unsigned iterations);
} workload;

/* Each table ends with a row without a name. */
extern const workload integer_workloads[];
extern const workload control_workloads[];
extern const workload float_x87_workloads[];
extern const workload float_sse2_workloads[];
extern const workload memory_workloads[];
extern const workload kernel_workloads[];
extern const workload process_workloads[];

/* xorshift32: the same data on every machine, without libc's generator. */
static inline uint32_t next_random(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

static inline uint32_t mix(uint32_t sum, uint32_t value) {
  return (sum ^ value) * 16777619u + 0x9e3779b9u;
}

/* Ends the process with a message: a workload that cannot run has no result. */
void fail(const char *what) __attribute__((noreturn));
void *allocate(size_t bytes);
#endif
