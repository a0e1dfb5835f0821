/*
 * godwit-bench NAME [SCALE]    runs one workload
 * godwit-bench list            prints "name group" lines
 * godwit-bench true            does nothing: what the fork-exec workload runs
 *
 * The same static binary runs on the host, in a Godwit guest and in a QEMU
 * guest. A line before and a line after the timed part let the host measure
 * with its own clock, since a guest's clock is itself under test; tcdrain makes
 * the first line leave the serial port before the work begins.
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const workload *const tables[] = {
  integer_workloads, control_workloads, float_x87_workloads, float_sse2_workloads,
  memory_workloads, kernel_workloads, process_workloads,
};

#define EACH(w) \
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) \
    for (const workload *w = tables[t]; w->name; w++)

void fail(const char *what) {
  perror(what);
  exit(1);
}

void *allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (!memory) fail("malloc");
  memset(memory, 0, bytes);
  return memory;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* CPU time of this process and of the children that it has waited for. */
static uint64_t cpu_ns(void) {
  uint64_t us = 0;
  for (int who = RUSAGE_SELF; who >= RUSAGE_CHILDREN; who--) {
    struct rusage used;
    getrusage(who, &used);
    us += (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000u;
    us += (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  }
  return us * 1000;
}

static int run(const workload *w, double scale) {
  unsigned iterations = (unsigned)(w->iterations * scale);
  if (iterations < 1) iterations = 1;
  if (w->setup) w->setup();
  printf("begin %s\n", w->name);
  fflush(stdout);
  tcdrain(1);
  uint64_t cpu = cpu_ns(), start = now_ns();
  uint32_t check = w->run(iterations);
  uint64_t elapsed = now_ns() - start;
  cpu = cpu_ns() - cpu;
  printf("done %s\n", w->name);
  fflush(stdout);
  printf("result %s ns=%llu cpu=%llu check=%08x iterations=%u\n", w->name, (unsigned long long)elapsed, (unsigned long long)cpu, check, iterations);
  fflush(stdout);
  tcdrain(1);
  return 0;
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "list";
  if (!strcmp(name, "true")) return 0;
  if (!strcmp(name, "list")) {
    EACH(w) printf("%s %s\n", w->name, w->group);
    return 0;
  }
  EACH(w) if (!strcmp(name, w->name)) return run(w, argc > 2 ? atof(argv[2]) : 1.0);
  fprintf(stderr, "godwit-bench: no workload '%s'\n", name);
  return 2;
}
