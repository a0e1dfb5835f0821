// The native contract as Node-API functions: the twin of packages/metal/src/native.ts,
// same names in the same order. Bulk data lives in shared buffers; calls carry
// at most a few numbers.
#define NAPI_VERSION 8
#include <errno.h>
#include <node_api.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cpuid.h>
#include <linux/futex.h>

#include "pages.h"
#include "vm.h"

namespace godwit {

Vm *g_vm = nullptr;

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, "GODWIT_METAL", message);
  return nullptr;
}

static u32 argU32(napi_env env, napi_value v) {
  u32 r = 0;
  napi_get_value_uint32(env, v, &r);
  return r;
}
static double argDouble(napi_env env, napi_value v) {
  double r = 0;
  napi_get_value_double(env, v, &r);
  return r;
}
static napi_value num(napi_env env, double d) {
  napi_value v;
  napi_create_double(env, d, &v);
  return v;
}
#define ARGS(n)            \
  size_t argc = n;         \
  napi_value argv[n];      \
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr)

static void *reserve(u64 bytes, int protection = PROT_NONE) {
  void *p = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}
template <typename T>
static T *table(u64 count) {
  return (T *)reserve(count * sizeof(T), PROT_READ | PROT_WRITE);
}

static void setBuffer(napi_env env, napi_value object, const char *name, void *data, u64 bytes) {
  napi_value buffer;
  // SAFETY: the memory is unmapped only in destroy(), after which the contract forbids use.
  napi_create_external_arraybuffer(env, data, bytes, [](napi_env, void *, void *) {}, nullptr, &buffer);
  napi_set_named_property(env, object, name, buffer);
}

// What this host lacks, in one sentence, or null.
static const char *unsupported() {
  u32 a, b, c, d;
  if (!__get_cpuid(0, &a, &b, &c, &d) || a < 7) return "this CPU is too old: Godwit needs x86-64 with CPUID leaf 7";
  __cpuid(1, a, b, c, d);
  if (!(c & bit_XSAVE) || !(c & bit_OSXSAVE)) return "this CPU or kernel offers no XSAVE, which Godwit needs to keep guest vector state";
  return nullptr;
}

// hostInfo(): { unsupported: string | null, fsgsbase: boolean, fields: [name, offset][] }
static napi_value hostInfo(napi_env env, napi_callback_info) {
  napi_value o, v, list;
  napi_create_object(env, &o);
  const char *why = unsupported();
  if (why) napi_create_string_utf8(env, why, NAPI_AUTO_LENGTH, &v);
  else napi_get_null(env, &v);
  napi_set_named_property(env, o, "unsupported", v);
  napi_get_boolean(env, getauxval(AT_HWCAP2) & 2, &v);
  napi_set_named_property(env, o, "fsgsbase", v);
  napi_create_array(env, &list);
  u32 i = 0;
  for (const FieldInfo &f : kStateFields) {
    napi_value pair, n;
    napi_create_array_with_length(env, 2, &pair);
    napi_create_string_utf8(env, f.name, NAPI_AUTO_LENGTH, &n);
    napi_set_element(env, pair, 0, n);
    napi_set_element(env, pair, 1, num(env, f.offset));
    napi_set_element(env, list, i++, pair);
  }
  napi_set_named_property(env, o, "fields", list);
  return o;
}

// create(ramBytes, codeBytes): the shared buffers. One VM a process.
static napi_value create(napi_env env, napi_callback_info info) {
  ARGS(2);
  const u64 ramBytes = (u64)argDouble(env, argv[0]);
  const u32 codeBytes = argU32(env, argv[1]);
  if (g_vm) return fail(env, "this process already runs a VM");
  if (const char *why = unsupported()) return fail(env, why);
  Vm *vm = (Vm *)calloc(1, sizeof(Vm));
  if (!vm) return fail(env, "out of memory");
  vm->ramBytes = ramBytes;
  vm->ramPages = (u32)(ramBytes >> 12);
  vm->codeBytes = codeBytes;
  vm->fsgsbase = getauxval(AT_HWCAP2) & 2;
  vm->currentGs = ~0ull;
  vm->pid = getpid();
  vm->memfd = memfd_create("godwit-ram", MFD_CLOEXEC);
  if (vm->memfd < 0 || ftruncate(vm->memfd, (off_t)ramBytes) != 0) return fail(env, "cannot create guest memory");
  vm->ram = (u8 *)mmap(nullptr, ramBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, vm->memfd, 0);
  if (vm->ram == MAP_FAILED) return fail(env, "cannot map guest memory");
  madvise(vm->ram, ramBytes, MADV_HUGEPAGE);  // takes effect where shmem_enabled is advise
  const int codeFd = memfd_create("godwit-code", MFD_CLOEXEC);
  if (codeFd < 0 || ftruncate(codeFd, codeBytes) != 0) return fail(env, "cannot create the code cache");
  vm->codeRw = (u8 *)mmap(nullptr, codeBytes, PROT_READ | PROT_WRITE, MAP_SHARED, codeFd, 0);
  vm->codeRx = (u8 *)mmap(nullptr, codeBytes, PROT_READ | PROT_EXEC, MAP_SHARED, codeFd, 0);
  close(codeFd);
  if (vm->codeRw == MAP_FAILED || vm->codeRx == MAP_FAILED) return fail(env, "cannot map executable memory: is this process forbidden to?");
  vm->state = (State *)reserve(kStateSize, PROT_READ | PROT_WRITE);
  vm->watched = table<u8>(vm->ramPages + 16);
  vm->dirty = table<u8>(vm->ramPages + 16);
  vm->selfModify = table<u8>(vm->ramPages + 16);
  vm->metaBytes = codeBytes;
  vm->meta = table<u8>(vm->metaBytes);
  vm->mailbox = table<u32>(1024);
  vm->blocks = table<Block>(kMaxBlocks);
  vm->blockHash = table<u32>(kBlockHash);
  vm->pageBlocks = table<u32>(vm->ramPages + 16);
  vm->rmap = table<RmapNode>(kMaxRmap);
  vm->rmapHead = table<u32>(vm->ramPages + 16);
  vm->links = table<Link>(kMaxLinks);
  vm->siteFaults = table<u16>(4 * kSites);
  vm->siteFirst = vm->siteFaults + kSites;
  vm->siteAgain = vm->siteFirst + kSites;
  vm->siteFlushed = vm->siteAgain + kSites;
  vm->seenPages = table<u32>(2 * kSeenPages);
  vm->windowPages = vm->seenPages + kSeenPages;
  vm->shadowPool = table<u8>(4096ull * (kWindows * 2048 + 64));
  // Windows must begin on a 4 GiB border: the low half of a host address is then the guest-linear address.
  u8 *arena = (u8 *)reserve(kWindowStride * (kWindows + 1));
  u8 *tables = (u8 *)reserve(kTableStride * (kWindows * kTablesPerWindow + 1), PROT_READ | PROT_WRITE);
  vm->poison = (u8 *)reserve(kTableStride + 65536);
  vm->segmentPoison = (u8 *)reserve(4096);
  if (!vm->state || !vm->watched || !vm->meta || !vm->blocks || !vm->rmap || !vm->shadowPool || !arena || !tables || !vm->poison)
    return fail(env, "cannot reserve address space for the guest's windows: is RLIMIT_AS or vm.overcommit_memory=2 in force?");
  vm->state->tscScale = 1ull << 32;
  vm->windowArena = (u8 *)(((u64)arena + (1ull << 32)) & ~((1ull << 32) - 1));
  vm->tableArena = tables;
  for (u32 i = 0; i < kWindows; i++) {
    Window &w = vm->windows[i];
    w.base = vm->windowArena + i * kWindowStride;
    w.info = table<u32>(1u << 20);
    w.regions = table<Region>(2048 + 128);
    w.usedRegions = table<u16>(4096);
    if (!w.info || !w.regions || !w.usedRegions) return fail(env, "out of address space");
  }
  vm->windows[0].valid = true;
  vm->kernelQuadrants = 8;
  for (u32 i = 0; i < 256; i++) ((u8 *)vm->state)[kQuadrantIndexOffset + i] = (u8)(i >> 6);
  u32 limit = 65530;
  if (FILE *f = fopen("/proc/sys/vm/max_map_count", "r")) {
    if (fscanf(f, "%u", &limit) != 1) limit = 65530;
    fclose(f);
  }
  // A stretch in the middle of reserved space costs two mappings: its own and the rest behind it.
  vm->maxMappings = limit > 2 * kMappingReserve ? (i32)(limit - kMappingReserve) / 2 : (i32)limit / 4;
  fillCallouts(vm->state);
  softFlush(vm);
  u32 a, b, c, d;
  __cpuid(1, a, b, c, d);
  u32 xcr0 = 0, high;
  asm volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
  vm->state->spill[15] = (c & bit_AVX) && (xcr0 & 4) ? 4 : 0;
  // Offset 0 of the code cache: where an empty table entry leads.
  const u32 missCell = offsetof(State, callout) + kCalloutMiss * 8;
  const u8 jump[3] = {0x41, 0xFF, 0xA7};
  memcpy(vm->codeRw, jump, 3);
  memcpy(vm->codeRw + 3, &missCell, 4);
  vm->codeCursor = 64;
  const char *error = nullptr;
  if (!installSignalHandlers(&error)) return fail(env, error);
  g_vm = vm;
  napi_value o;
  napi_create_object(env, &o);
  setBuffer(env, o, "ram", vm->ram, ramBytes);
  setBuffer(env, o, "state", vm->state, kStateSize);
  setBuffer(env, o, "watched", vm->watched, vm->ramPages + 16);
  setBuffer(env, o, "dirty", vm->dirty, vm->ramPages + 16);
  setBuffer(env, o, "selfModify", vm->selfModify, vm->ramPages + 16);
  setBuffer(env, o, "code", vm->codeRw, codeBytes);
  setBuffer(env, o, "meta", vm->meta, vm->metaBytes);
  setBuffer(env, o, "mailbox", vm->mailbox, 4096);
  setBuffer(env, o, "sites", vm->siteFaults, 4 * kSites * sizeof(u16));
  return o;
}

// attach(): makes the calling thread the vCPU: signal stack, deadline timer.
static napi_value attach(napi_env env, napi_callback_info) {
  Vm *vm = g_vm;
  const size_t bytes = 256 * 1024;
  vm->signalStack = (u8 *)reserve(bytes, PROT_READ | PROT_WRITE);
  stack_t stack = {};
  stack.ss_sp = vm->signalStack;
  stack.ss_size = bytes;
  if (sigaltstack(&stack, nullptr) != 0) return fail(env, "cannot set the signal stack");
  vm->tid = (pid_t)syscall(SYS_gettid);
  struct sigevent event = {};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGRTMIN + 8;
  event._sigev_un._tid = vm->tid;
  if (timer_create(CLOCK_MONOTONIC, &event, &vm->timer) != 0) return fail(env, "cannot create the deadline timer");
  return nullptr;
}

// run(): guest code runs until something needs TypeScript; returns the ExitReason.
static napi_value run(napi_env env, napi_callback_info) {
  Vm *vm = g_vm;
  State *s = vm->state;
  s->counters[cRuns]++;
  vm->currentGs = ~0ull;
  if (prepareResume(vm)) {
    godwit_enter(s);
    composeFlags(s);
  }
  return num(env, s->exitReason);
}

// install(): mailbox → block; returns its index, 0 when the table is full.
static napi_value install(napi_env env, napi_callback_info) { return num(env, installBlock(g_vm)); }

// installWarm(): mailbox → block that is looked at when it is first found; its index, 0: no room, or there is one.
static napi_value installWarmFn(napi_env env, napi_callback_info) { return num(env, installWarm(g_vm)); }

// reviewWarm(index): 0 gone, 1 still good, 2 in use.
static napi_value reviewWarmFn(napi_env env, napi_callback_info info) {
  ARGS(1);
  return num(env, reviewWarm(g_vm, argU32(env, argv[0])));
}

// coolSlice(begin): part of what heat is measured by; false: that was all.
static napi_value coolSliceFn(napi_env env, napi_callback_info info) {
  ARGS(1);
  bool begin = false;
  napi_get_value_bool(env, argv[0], &begin);
  napi_value v;
  napi_get_boolean(env, coolSlice(g_vm, begin), &v);
  return v;
}

// listHot(out, all): hot blocks; how many words.
static napi_value listHotFn(napi_env env, napi_callback_info info) {
  ARGS(2);
  u32 *out = nullptr;
  size_t length = 0;
  bool all = false;
  napi_get_typedarray_info(env, argv[0], nullptr, &length, (void **)&out, nullptr, nullptr);
  napi_get_value_bool(env, argv[1], &all);
  if (!g_vm || !out) return fail(env, "listHot: no VM, or no array");
  return num(env, listHot(g_vm, out, (u32)length, all));
}

// listedHot(): how many of the last list's words are of hot blocks.
static napi_value listedHotFn(napi_env env, napi_callback_info) { return num(env, g_vm ? g_vm->listedHot : 0); }

// invalidatePage(gpaPage): RAM of that page is about to be written by TypeScript.
static napi_value invalidatePageFn(napi_env env, napi_callback_info info) {
  ARGS(1);
  const u32 page = argU32(env, argv[0]);
  if (page < g_vm->ramPages) {
    invalidatePage(g_vm, page);
    markDirty(g_vm, page);
  }
  return nullptr;
}

// dropBlocks(gpaPage): that page's code is to be translated anew.
static napi_value dropBlocks(napi_env env, napi_callback_info info) {
  ARGS(1);
  const u32 page = argU32(env, argv[0]);
  if (page < g_vm->ramPages)
    for (u32 n = g_vm->pageBlocks[page]; n; n = g_vm->blocks[n].pageNext) killBlock(g_vm, n);
  return nullptr;
}

// flushTlb(kind): 0 CR3 reload, 1 global entries too, 2 everything changed (paging mode, WP, NX).
static napi_value flushTlb(napi_env env, napi_callback_info info) {
  ARGS(1);
  Vm *vm = g_vm;
  vm->state->tlbGeneration++;
  const u32 kind = argU32(env, argv[0]);
  if (kind == 2 || !(vm->state->cr0 & kCr0PG)) {
    dropEverything(vm);
  } else {
    activateCr3(vm);
    if (kind == 1) revalidate(vm, 0, true), revalidate(vm, vm->userWindow, true);
  }
  return nullptr;
}

// beginDirtyRound(out): what was written since the last round, one byte a page; a new round begins.
static napi_value beginDirtyRoundFn(napi_env env, napi_callback_info info) {
  ARGS(1);
  u8 *out = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(env, argv[0], nullptr, &length, (void **)&out, nullptr, nullptr);
  if (!out || length < g_vm->ramPages) return fail(env, "beginDirtyRound: out must hold a byte for every page");
  beginDirtyRound(g_vm, out);
  return nullptr;
}

static napi_value endDirtyLogFn(napi_env, napi_callback_info) {
  endDirtyLog(g_vm);
  return nullptr;
}

// populated(out): stretches of guest RAM that have memory behind them, as pairs of first page and
// page count; how many pairs. What lies between reads as zero, and looking would fill it in.
static napi_value populated(napi_env env, napi_callback_info info) {
  ARGS(1);
  u32 *out = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(env, argv[0], nullptr, &length, (void **)&out, nullptr, nullptr);
  if (!g_vm || !out) return fail(env, "populated: no VM, or no array");
  u32 pairs = 0;
  off_t at = 0;
  const off_t end = (off_t)g_vm->ramBytes;
  while (at < end) {
    const off_t data = lseek(g_vm->memfd, at, SEEK_DATA);
    if (data < 0 || data >= end) break;
    const bool last = pairs + 1 >= length / 2;  // no room for more: the rest counts as populated
    const off_t hole = last ? end : lseek(g_vm->memfd, data, SEEK_HOLE);
    out[pairs * 2] = (u32)(data >> 12);
    out[pairs * 2 + 1] = (u32)((hole - data + 4095) >> 12);
    pairs++;
    at = hole;
  }
  return num(env, pairs);
}

// ram(): guest RAM, for a thread other than the one that called create().
static napi_value ramFn(napi_env env, napi_callback_info) {
  if (!g_vm) return fail(env, "no VM was created");
  napi_value holder, buffer;
  napi_create_object(env, &holder);
  setBuffer(env, holder, "ram", g_vm->ram, g_vm->ramBytes);
  napi_get_named_property(env, holder, "ram", &buffer);
  return buffer;
}

// dirtyPages(): the dirty log as it stands, one byte a page, for any thread.
static napi_value dirtyPages(napi_env env, napi_callback_info) {
  if (!g_vm) return fail(env, "no VM was created");
  napi_value holder, buffer;
  napi_create_object(env, &holder);
  setBuffer(env, holder, "dirty", g_vm->dirty, g_vm->ramPages);
  napi_get_named_property(env, holder, "dirty", &buffer);
  return buffer;
}

static napi_value flushPageFn(napi_env env, napi_callback_info info) {
  ARGS(1);
  flushPage(g_vm, argU32(env, argv[0]));
  return nullptr;
}

// flushCode(): drops every block; the cache starts empty.
static napi_value flushCode(napi_env, napi_callback_info) {
  invalidateAllBlocks(g_vm);
  for (u32 p = 0; p < g_vm->ramPages; p++) g_vm->watched[p] &= (u8)~kWatchCode;
  g_vm->codeCursor = 64;
  return nullptr;
}

// deliver(vector, errorCode or -1): interrupt or exception by the fast path; false: nothing done.
static napi_value deliverFn(napi_env env, napi_callback_info info) {
  ARGS(2);
  const double error = argDouble(env, argv[1]);
  const bool ok = deliver(g_vm, argU32(env, argv[0]), error >= 0, error >= 0 ? (u32)error : 0, g_vm->state->eip, false);
  napi_value v;
  napi_get_boolean(env, ok, &v);
  return v;
}

// executeHost(code): see HostUnit. Runs one re-encoded instruction with the guest's registers.
static napi_value executeHost(napi_env env, napi_callback_info info) {
  ARGS(1);
  Vm *vm = g_vm;
  State *s = vm->state;
  u8 *data = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(env, argv[0], nullptr, &length, (void **)&data, nullptr, nullptr);
  if (!data || length > 32) return fail(env, "executeHost: not one instruction");
  const u32 at = vm->codeBytes - 4096;
  memcpy(vm->codeRw + at, data, length);
  const u32 cell = offsetof(State, callout) + kCalloutInterpret * 8;
  const u8 jump[3] = {0x41, 0xFF, 0xA7};
  memcpy(vm->codeRw + at + length, jump, 3);
  memcpy(vm->codeRw + at + length + 3, &cell, 4);
  const u32 eflags = s->eflags, eip = s->eip;
  s->rawFlags = (eflags & kHostFlags) | 0x202;
  s->codeBase = (u64)vm->codeRx;
  u32 entry = at;
  s->exitReason = kNone;
  // From here on a kick leaves the table alone (fault.cc, onKick).
  vm->hostExecuting = true;
  asm volatile("" ::: "memory");
  s->tableBase = (u64)&entry - (u64)eip * 4;
  godwit_enter(s);
  vm->hostExecuting = false;
  s->eflags = (eflags & ~kHostFlags) | (u32)(s->rawFlags & kHostFlags);
  s->eip = eip;
  return num(env, s->exitReason == kException ? (double)s->exitVector : -1);
}

// kick(): from any thread.
static napi_value kick(napi_env, napi_callback_info) {
  Vm *vm = g_vm;
  if (!vm || !vm->tid) return nullptr;
  vm->state->kicked = 1;
  syscall(SYS_tgkill, vm->pid, vm->tid, SIGRTMIN + 8);
  return nullptr;
}

// setDeadline(ns from now; <= 0 disarms)
static napi_value setDeadline(napi_env env, napi_callback_info info) {
  ARGS(1);
  const double ns = argDouble(env, argv[0]);
  struct itimerspec when = {};
  if (ns > 0) {
    when.it_value.tv_sec = (time_t)(ns / 1e9);
    when.it_value.tv_nsec = (long)(ns - when.it_value.tv_sec * 1e9);
  }
  timer_settime(g_vm->timer, 0, &when, nullptr);
  return nullptr;
}

// sleep(ns): until kicked or that long.
static napi_value sleepFn(napi_env env, napi_callback_info info) {
  ARGS(1);
  const double ns = argDouble(env, argv[0]);
  struct timespec t = {(time_t)(ns / 1e9), 0};
  t.tv_nsec = (long)(ns - t.tv_sec * 1e9);
  syscall(SYS_futex, &g_vm->state->kicked, FUTEX_WAIT_PRIVATE, 0, ns < 1e15 ? &t : nullptr, nullptr, 0);
  return nullptr;
}

static napi_value codeCursor(napi_env env, napi_callback_info) { return num(env, g_vm->codeCursor); }

// hostCpuid(leaf, subleaf, out: Uint32Array(4))
static napi_value hostCpuid(napi_env env, napi_callback_info info) {
  ARGS(3);
  u32 *out = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(env, argv[2], nullptr, &length, (void **)&out, nullptr, nullptr);
  if (!out || length < 4) return fail(env, "hostCpuid: out must be a Uint32Array(4)");
  __cpuid_count(argU32(env, argv[0]), argU32(env, argv[1]), out[0], out[1], out[2], out[3]);
  return nullptr;
}

static napi_value hostXcr0(napi_env env, napi_callback_info) {
  u32 xcr0, high;
  asm volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
  return num(env, xcr0);
}

// vcpuTsc(): the host's TSC at the guest's rate, without the guest's offset.
static napi_value vcpuTsc(napi_env env, napi_callback_info) {
  u32 lo, hi;
  asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
  napi_value v;
  napi_create_bigint_uint64(env, scaleTsc(g_vm->state, ((u64)hi << 32) | lo), &v);
  return v;
}

static napi_value hostTsc(napi_env env, napi_callback_info) {
  u32 lo, hi;
  asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
  napi_value v;
  napi_create_bigint_uint64(env, ((u64)hi << 32) | lo, &v);
  return v;
}

// monotonicNs(): CLOCK_MONOTONIC in nanoseconds.
static napi_value monotonicNs(napi_env env, napi_callback_info) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return num(env, t.tv_sec * 1e9 + t.tv_nsec);
}

static napi_value destroy(napi_env, napi_callback_info) {
  Vm *vm = g_vm;
  if (!vm) return nullptr;
  if (vm->tid) timer_delete(vm->timer);
  g_vm = nullptr;
  munmap(vm->windowArena, kWindowStride * kWindows);
  munmap(vm->tableArena, kTableStride * (kWindows * kTablesPerWindow + 1));
  munmap(vm->poison, kTableStride + 65536);
  close(vm->memfd);
  // ram, code and the small tables stay mapped: JavaScript may still hold views of them.
  return nullptr;
}

struct Array {
  u8 *data = nullptr;
  u64 bytes = 0;
};
// Any typed array but one of floats; empty when it is none.
static Array argArray(napi_env env, napi_value v) {
  napi_typedarray_type type;
  size_t length = 0;
  void *data = nullptr;
  if (napi_get_typedarray_info(env, v, &type, &length, &data, nullptr, nullptr) != napi_ok) return {};
  const bool wide = type == napi_int32_array || type == napi_uint32_array;
  return {(u8 *)data, (u64)length * (wide ? 4 : 1)};
}

// sumWords(array, from, count, seed, out): count words from word `from` on; two words into `out`.
static napi_value sumWordsFn(napi_env env, napi_callback_info info) {
  ARGS(5);
  const Array in = argArray(env, argv[0]), out = argArray(env, argv[4]);
  const u64 from = argU32(env, argv[1]), count = argU32(env, argv[2]);
  if ((from + count) * 4 > in.bytes || out.bytes < 8) return fail(env, "sumWords: out of bounds");
  i32 seed = 0;
  napi_get_value_int32(env, argv[3], &seed);
  const Sum64 sum = sumWords(in.data + from * 4, count, (u32)seed);
  memcpy(out.data, &sum, 8);
  return nullptr;
}

// gatherPages(ram, pages, count, area, slot, found): how many were copied to `area`, from its page `slot` on.
static napi_value gatherPagesFn(napi_env env, napi_callback_info info) {
  ARGS(6);
  const Array ram = argArray(env, argv[0]), pages = argArray(env, argv[1]), area = argArray(env, argv[3]), found = argArray(env, argv[5]);
  const u64 count = argU32(env, argv[2]), slot = argU32(env, argv[4]);
  if (count * 4 > pages.bytes || (slot + count) * 4096 > area.bytes || count * kFoundWords * 4 > found.bytes) return fail(env, "gatherPages: out of bounds");
  for (u64 i = 0; i < count; i++)
    if ((u64)((u32 *)pages.data)[i] * 4096 + 4096 > ram.bytes) return fail(env, "gatherPages: no such page");
  return num(env, gatherPages(ram.data, (u32 *)pages.data, (u32)count, area.data + slot * 4096, (u32 *)found.data));
}

// scatterPages(area, slot, ram, first, count, fresh, sums)
static napi_value scatterPagesFn(napi_env env, napi_callback_info info) {
  ARGS(7);
  const Array area = argArray(env, argv[0]), ram = argArray(env, argv[2]), sums = argArray(env, argv[6]);
  const u64 slot = argU32(env, argv[1]), first = argU32(env, argv[3]), count = argU32(env, argv[4]);
  bool fresh = false;
  napi_get_value_bool(env, argv[5], &fresh);
  if ((slot + count) * 4096 > area.bytes || (first + count) * 4096 > ram.bytes || count * 8 > sums.bytes) return fail(env, "scatterPages: out of bounds");
  scatterPages(area.data + slot * 4096, ram.data, (u32)first, (u32)count, fresh, (u32 *)sums.data);
  return nullptr;
}

static napi_value init(napi_env env, napi_value exports) {
  const struct {
    const char *name;
    napi_callback fn;
  } functions[] = {
      {"hostInfo", hostInfo}, {"create", create}, {"attach", attach}, {"run", run}, {"install", install},
      {"installWarm", installWarmFn}, {"reviewWarm", reviewWarmFn}, {"coolSlice", coolSliceFn}, {"listHot", listHotFn}, {"listedHot", listedHotFn},
      {"invalidatePage", invalidatePageFn}, {"dropBlocks", dropBlocks}, {"flushTlb", flushTlb}, {"flushPage", flushPageFn},
      {"flushCode", flushCode}, {"deliver", deliverFn}, {"executeHost", executeHost}, {"kick", kick},
      {"setDeadline", setDeadline}, {"sleep", sleepFn}, {"codeCursor", codeCursor}, {"hostCpuid", hostCpuid},
      {"hostTsc", hostTsc}, {"vcpuTsc", vcpuTsc}, {"hostXcr0", hostXcr0}, {"ram", ramFn}, {"dirtyPages", dirtyPages}, {"populated", populated}, {"beginDirtyRound", beginDirtyRoundFn},
      {"endDirtyLog", endDirtyLogFn}, {"sumWords", sumWordsFn}, {"gatherPages", gatherPagesFn},
      {"scatterPages", scatterPagesFn}, {"monotonicNs", monotonicNs}, {"destroy", destroy},
  };
  for (auto &f : functions) {
    napi_value v;
    napi_create_function(env, f.name, NAPI_AUTO_LENGTH, f.fn, nullptr, &v);
    napi_set_named_property(env, exports, f.name, v);
  }
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, init)

}  // namespace godwit
