/* One kernel service each, in one process: the price of crossing into the kernel and of its page tables. */
#define _GNU_SOURCE
#include "bench.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, FAULT_PAGES = 64, FILE_BYTES = 16384, MAP_PAGES = 16 };

static char path[64];

/* /dev/shm is a tmpfs on the host and in the guest's initramfs alike. */
static void make_path(void) { snprintf(path, sizeof path, "/dev/shm/godwit-bench-%d", (int)getpid()); }

static uint32_t syscall_int80(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "0"(SYS_getppid) : "memory", "cc");
    sum += result > 0;
  }
  return sum;
}

/* The entry that the kernel recommends: its vDSO uses sysenter or syscall where the CPU has it. */
static uint32_t syscall_vdso(unsigned iterations) {
  void (*entry)(void) = (void (*)(void))getauxval(AT_SYSINFO);
  if (!entry) fail("no AT_SYSINFO");
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    int result;
    __asm__ volatile("call *%[entry]" : "=a"(result) : "0"(SYS_getppid), [entry] "r"(entry) : "memory", "cc");
    sum += result > 0;
  }
  return sum;
}

static uint32_t page_fault(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    volatile uint8_t *pages = mmap(0, FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) fail("mmap");
    for (int i = 0; i < FAULT_PAGES; i++) sum += pages[i * PAGE] + 1u, pages[i * PAGE] = 1;
    munmap((void *)pages, FAULT_PAGES * PAGE);
  }
  return sum;
}

static uint32_t file(unsigned iterations) {
  static char block[FILE_BYTES];
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    memset(block, (int)(n & 255), sizeof block);
    int fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);
    if (fd < 0) fail(path);
    if (write(fd, block, sizeof block) != sizeof block) fail("write");
    if (pread(fd, block, PAGE, PAGE) != PAGE) fail("pread");
    sum = mix(sum, (uint8_t)block[n % PAGE]);
    close(fd);
    unlink(path);
  }
  return sum;
}

static uint32_t map_file(unsigned iterations) {
  uint32_t sum = 0;
  int fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);
  if (fd < 0 || ftruncate(fd, MAP_PAGES * PAGE)) fail(path);
  unlink(path);
  for (unsigned n = 0; n < iterations; n++) {
    volatile uint8_t *pages = mmap(0, MAP_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED) fail("mmap");
    for (int i = 0; i < MAP_PAGES; i++) sum = mix(sum, pages[i * PAGE]++);
    munmap((void *)pages, MAP_PAGES * PAGE);
  }
  close(fd);
  return sum;
}

static volatile uint32_t caught;
static void on_signal(int number) { caught += (uint32_t)number; }

static uint32_t signal_delivery(unsigned iterations) {
  struct sigaction action = { .sa_handler = on_signal };
  sigaction(SIGUSR1, &action, 0);
  pid_t self = getpid();
  for (unsigned n = 0; n < iterations; n++) kill(self, SIGUSR1);
  return caught;
}

const workload kernel_workloads[] = {
  { "syscall-int80", "system", 100000, 0, syscall_int80 },
  { "syscall-vdso", "system", 500000, 0, syscall_vdso },
  { "page-fault", "system", 1200, 0, page_fault },
  { "file", "system", 15000, make_path, file },
  { "map-file", "system", 15000, make_path, map_file },
  { "signal", "system", 30000, 0, signal_delivery },
  { 0 },
};
