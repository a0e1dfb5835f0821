/* Processes and switches between them: new address spaces, and old ones come back to. */
#define _GNU_SOURCE
#include "bench.h"
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A guest has one CPU; on the host, both sides of a switch must share one too. */
static void stay_on_one_cpu(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
}

static uint32_t reap(pid_t child) {
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) fail("fork");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static uint32_t fork_wait(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    sum += reap(child);
  }
  return sum;
}

static uint32_t fork_exec(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    pid_t child = fork();
    if (child == 0) {
      execl("/proc/self/exe", "godwit-bench", "true", (char *)0);
      _exit(127);
    }
    sum += reap(child);
  }
  return sum;
}

static uint32_t pipe_switch(unsigned iterations) {
  int there[2], back[2];
  uint32_t token = 0;
  if (pipe(there) || pipe(back)) fail("pipe");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    close(there[1]);
    while (read(there[0], &token, 4) == 4) {
      token = token * 3 + 1;
      if (write(back[1], &token, 4) != 4) break;
    }
    _exit(0);
  }
  for (unsigned n = 0; n < iterations; n++) {
    if (write(there[1], &token, 4) != 4 || read(back[0], &token, 4) != 4) fail("pipe");
  }
  close(there[1]);
  reap(child);
  return token;
}

static volatile uint32_t turn;
static unsigned rounds;

static void wait_for_turn(uint32_t mine) {
  for (uint32_t seen; (seen = turn) % 2 != mine;) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, 0, 0, 0);
}

static void pass_turn(void) {
  turn++;
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static int partner(void *unused) {
  (void)unused;
  for (unsigned n = 0; n < rounds; n++) {
    wait_for_turn(1);
    pass_turn();
  }
  return 0;
}

/* Two tasks in one address space (clone with CLONE_VM): a switch without a new cr3. */
static uint32_t thread_switch(unsigned iterations) {
  enum { STACK = 65536 };
  rounds = iterations;
  turn = 0;
  char *stack = allocate(STACK);
  pid_t thread = clone(partner, stack + STACK, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, 0);
  if (thread < 0) fail("clone");
  for (unsigned n = 0; n < iterations; n++) {
    pass_turn();
    wait_for_turn(0);
  }
  reap(thread);
  return turn;
}

const workload process_workloads[] = {
  { "fork-wait", "system", 300, 0, fork_wait },
  { "fork-exec", "system", 150, 0, fork_exec },
  { "pipe-switch", "system", 40000, stay_on_one_cpu, pipe_switch },
  { "thread-switch", "system", 40000, stay_on_one_cpu, thread_switch },
  { 0 },
};
