/*
 * godwit-oracle AREA_MIB CONSTANT_MIB BEAT_US full|sparse
 * godwit-oracle unit SEED SOURCE OBJECT         one compilation of the `load` command (load.c)
 *
 * A guest that rewrites memory in a known pattern and can tell, at any later time,
 * whether every page still holds what was last written to it. It takes commands on
 * standard input, a line each, and answers on standard output:
 *
 *   write MB_PER_SECOND   rewrites the area at this rate; 0: not at all; -1: as fast as it can
 *   beat 0|1              heartbeats off and on
 *   load 0|1              a compile-like load beside it (load.c)
 *   check                 → verdict ok …  |  verdict BAD …
 *   quit
 *
 * The pattern (page.h): the area is rewritten from front to back, pass after pass, and
 * each page bears the number of the pass. At any instant there is one step edge at
 * most: pages before the cursor have this pass, those behind it the one before. Pages of
 * the constant area have pass 0 for ever. Of each page it is first looked at what the
 * pass before left there: so a page that was lost, or came from an older round, is found
 * even if it is rewritten before `check` is asked for. `check` then looks at each word.
 *
 * Heartbeats: "h COUNT KIB ERRORS JOBS" (hexadecimal), every BEAT_US, by a thread with real-time
 * priority: what was written and compiled so far, so that whoever stamps these lines on
 * arrival knows the guest's speed without trusting its clock.
 *
 * The same program runs natively: oracle.test.ts changes its memory from outside.
 */
#include "oracle.h"
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static page_words *area, *constant;
static uint32_t area_pages, constant_pages, beat_us;
static int sparse;

/* Written by the commands' thread, read by the writer's. */
static volatile int wanted_rate, wanted_check, wanted_beat = 1;
/* The writer's own. */
static uint32_t pass = 1, cursor;
static volatile uint32_t written_kib, errors;
static char first_error[200];
static volatile struct jobs *jobs;

void die(const char *what) {
  perror(what);
  exit(1);
}

/* One write a line, so that the threads' lines do not mix. */
static void say(const char *format, ...) {
  char line[400];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  for (int done = 0; done < length;) {
    int now = write(1, line + done, length - done);
    if (now <= 0) exit(0);
    done += now;
  }
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note(const char *where, uint32_t page, uint32_t word, uint32_t want, uint32_t found, uint32_t want_pass, uint32_t found_pass) {
  if (errors++ == 0)
    snprintf(first_error, sizeof first_error, "%s page=%u word=%u want=%08x found=%08x wantpass=%u foundpass=%u", where, page, word, want, found, want_pass, found_pass);
}

/* Page `number` of the whole pattern must bear this pass; every `stride`-th word is looked at, the first two and the last always. */
static void examine(const char *where, const volatile uint32_t *words, uint32_t number, uint32_t its_pass, uint32_t stride) {
  for (uint32_t word = 0; word < PAGE_WORDS; word += word < 2 ? 1 : stride) {
    uint32_t at = word < 2 || word + stride < PAGE_WORDS ? word : PAGE_WORDS - 1;
    uint32_t want = page_word(number, its_pass, at, sparse);
    if (words[at] != want) return note(where, number, at, want, words[at], its_pass, words[1]);
  }
}

static void rewrite(uint32_t page) {
  volatile uint32_t *words = area[page];
  examine("area", words, page, pass - 1, 256);
  uint32_t other = cursor % constant_pages;
  examine("constant", constant[other], area_pages + other, 0, 256);
  page_write(words, page, pass, sparse);
}

static void step(void) {
  rewrite(cursor);
  written_kib += PAGE_BYTES / 1024;
  if (++cursor == area_pages) {
    cursor = 0;
    pass++;
  }
}

/* Every word; and the passes along the area, told apart from what the writer remembers of itself. */
static void check(void) {
  uint32_t edges = 0;
  for (uint32_t page = 0; page < area_pages; page++) {
    examine("area", area[page], page, page < cursor ? pass : pass - 1, 1);
    if (page > 0 && area[page][1] != area[page - 1][1]) edges++;
  }
  if (edges > 1) errors++;
  for (uint32_t page = 0; page < constant_pages; page++) examine("constant", constant[page], area_pages + page, 0, 1);
  uint32_t bad = errors + jobs->wrong;
  say("verdict %s pass=%u cursor=%u edges=%u area=%u constant=%u errors=%u jobs=%u wrongjobs=%u %s\n", bad ? "BAD" : "ok", pass, cursor, edges, area_pages, constant_pages,
      errors, jobs->done, jobs->wrong, first_error);
}

/* Pages between two looks at the clock and the commands. */
#define STRIDE 8

static void *writer(void *unused) {
  uint64_t last = now_ns();
  double credit = 0;
  int rate = 0;
  for (;;) {
    if (wanted_check) {
      check();
      wanted_check = 0;
    }
    if (rate != wanted_rate) credit = 0;
    rate = wanted_rate;
    if (rate < 0) {
      for (int page = 0; page < STRIDE; page++) step();
      last = now_ns();
      continue;
    }
    uint64_t now = now_ns();
    /* What a pause has cost is not made up for: the rate is what the pages see. */
    double most = rate * 1e6 * 0.005 + STRIDE * PAGE_BYTES;
    credit += (double)(now - last) * 1e-3 * rate;
    if (credit > most) credit = most;
    last = now;
    while (credit >= STRIDE * PAGE_BYTES) {
      for (int page = 0; page < STRIDE; page++) step();
      credit -= STRIDE * PAGE_BYTES;
    }
    struct timespec rest = {0, rate > 0 ? 1000000 : 5000000};
    nanosleep(&rest, NULL);
  }
  return unused;
}

static void *heart(void *unused) {
  uint64_t next = now_ns();
  for (uint32_t count = 0;;) {
    if (wanted_beat) say("h %x %x %x %x\n", ++count, written_kib, errors + jobs->wrong, jobs->done);
    next += (uint64_t)beat_us * 1000;
    uint64_t now = now_ns();
    if (next < now) next = now;
    struct timespec until = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
  }
  return unused;
}

static page_words *take(uint32_t pages) {
  page_words *taken = mmap(NULL, (size_t)pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (taken == MAP_FAILED) die("mmap");
  return taken;
}

static void start_thread(void *(*body)(void *), int priority) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, NULL)) die("pthread_create");
  struct sched_param how = {.sched_priority = priority};
  /* Not permitted natively: then it is an ordinary thread. */
  if (priority) pthread_setschedparam(thread, SCHED_FIFO, &how);
}

int main(int argc, char **argv) {
  if (argc == 5 && !strcmp(argv[1], "unit")) return compile_unit(atoi(argv[2]), argv[3], argv[4]);
  if (argc != 5) {
    fprintf(stderr, "usage: godwit-oracle AREA_MIB CONSTANT_MIB BEAT_US full|sparse\n");
    return 2;
  }
  area_pages = atoi(argv[1]) * 256;
  constant_pages = atoi(argv[2]) * 256;
  beat_us = atoi(argv[3]);
  sparse = !strcmp(argv[4], "sparse");
  struct termios raw;
  if (tcgetattr(0, &raw) == 0) {
    cfmakeraw(&raw);
    raw.c_lflag |= ICANON;
    tcsetattr(0, TCSANOW, &raw);
  }
  area = take(area_pages);
  constant = take(constant_pages);
  jobs = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (jobs == MAP_FAILED) die("mmap");
  for (uint32_t page = 0; page < area_pages; page++) page_write(area[page], page, 0, 0);
  for (uint32_t page = 0; page < constant_pages; page++) page_write(constant[page], area_pages + page, 0, 0);
  say("oracle ready area=%u constant=%u at=%lx,%lx\n", area_pages, constant_pages, (unsigned long)area, (unsigned long)constant);
  start_thread(writer, 0);
  if (beat_us) start_thread(heart, 50);
  char line[100];
  while (fgets(line, sizeof line, stdin)) {
    int value = 0;
    if (sscanf(line, "write %d", &value) == 1) wanted_rate = value;
    else if (sscanf(line, "beat %d", &value) == 1) wanted_beat = value;
    else if (sscanf(line, "load %d", &value) == 1) load(value, jobs);
    else if (!strncmp(line, "check", 5)) wanted_check = 1;
    else if (!strncmp(line, "quit", 4)) return 0;
    else say("oracle does not know: %s", line);
  }
  return 0;
}
