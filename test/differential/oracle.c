// The host CPU as an oracle: a static 32-bit program without libc.
//
//   oracle FILE        FILE is laid out as src/layout.ts says
//
// It maps the regions that the file describes, then for each case restores the
// memory, loads XSAVE state, EFLAGS and the registers, and jumps to the case's
// code. Whatever ends the case (int3 behind the instruction, or the
// instruction's own fault) is a signal; its handler reads the machine state
// from the signal frame, notes which 64-byte lines of memory changed, and goes
// on with the next case without ever returning from the signal.
//
// What forces the shape: the tested instruction owns every register and may
// write anywhere in the mapped regions, so nothing of the program's own may lie
// in registers, on the case's stack or near those regions.
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;

struct Region { u32 linear, bytes, fileOffset, protection; };
struct Header {
  u32 magic, cases, current, lowMapped, caseOffset, resultOffset, regionCount, gsBase;
  struct Region regions[8];
};
struct Case {
  u32 gpr[8], eflags, eip, patches;
  struct { u32 address, value; } patch[8];
  u8 pad[256 - 44 - 64];
  u8 xsave[832];
  u8 pad2[64];
};
struct Line { u32 address; u8 bytes[64]; };
struct Result {
  u32 gpr[8], eip, eflags, trap, error, cr2, segments[6], lines, signal, pad[11];
  u8 xsave[832];
  struct Line line[40];
  u8 pad2[32];
};
_Static_assert(sizeof(struct Case) == 1152 && offsetof(struct Case, xsave) == 256, "case layout");
_Static_assert(sizeof(struct Result) == 3712 && offsetof(struct Result, xsave) == 128 && offsetof(struct Result, line) == 960, "result layout");

enum { READ = 1, WRITE = 2, EXEC = 4, LOW = 8, MAX_LINES = 40 };

static struct Header *header;
static u8 *file;
static u8 signalStack[131072] __attribute__((aligned(64)));
static u8 mainStack[65536] __attribute__((aligned(64)));
static u32 next;
// Read and written by enterCase.
u32 loadGpr[8], loadEip;

static int call(int n, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f) {
  int result;
  u32 sixth = f;
  asm volatile("push %%ebp; mov %[sixth], %%ebp; int $0x80; pop %%ebp"
               : "=a"(result)
               : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [sixth] "m"(sixth)
               : "memory");
  return result;
}
enum { SYS_exit = 1, SYS_open = 5, SYS_sigaltstack = 186, SYS_rt_sigaction = 174, SYS_mmap2 = 192, SYS_munmap = 91, SYS_set_thread_area = 243 };

static void die(int code) {
  for (;;) call(SYS_exit, (u32)code, 0, 0, 0, 0, 0);
}

// 32-bit signal frame as the kernel lays it out (arch/x86/include/uapi/asm/sigcontext.h).
struct Sigcontext {
  u32 gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags, espAtSignal, ss, fpstate, oldmask, cr2;
};
struct Ucontext { u32 flags, link, stackSp, stackFlags, stackSize; struct Sigcontext mc; };

static void copy(void *to, const void *from, u32 bytes) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void runNext(void);

static void resetSegments(void) {
  asm volatile("mov %0, %%gs" : : "r"(0x63));
  asm volatile("mov %0, %%fs" : : "r"(0));
}

static void collectMemory(struct Result *r) {
  u32 count = 0;
  for (u32 i = 0; i < header->regionCount; i++) {
    struct Region *g = &header->regions[i];
    if (!(g->protection & WRITE) || (g->protection & LOW && !header->lowMapped)) continue;
    u32 *now = (u32 *)g->linear;
    const u32 *image = (const u32 *)(file + g->fileOffset);
    for (u32 at = 0; at < g->bytes / 4; at += 16) {
      u32 differ = 0;
      for (u32 n = 0; n < 16; n++) differ |= now[at + n] ^ image[at + n];
      if (!differ) continue;
      if (count < MAX_LINES) {
        r->line[count].address = g->linear + at * 4;
        for (u32 n = 0; n < 16; n++) ((u32 *)r->line[count].bytes)[n] = now[at + n];
      }
      count++;
      for (u32 n = 0; n < 16; n++) now[at + n] = image[at + n];
    }
  }
  r->lines = count;
}

static void handler(int signal, void *info, struct Ucontext *uc) {
  (void)info;
  struct Sigcontext *m = &uc->mc;
  struct Result *r = (struct Result *)(file + header->resultOffset) + next;
  const u32 gpr[8] = {m->eax, m->ecx, m->edx, m->ebx, m->esp, m->ebp, m->esi, m->edi};
  for (int i = 0; i < 8; i++) r->gpr[i] = gpr[i];
  r->eip = m->eip;
  r->eflags = m->eflags;
  r->trap = m->trapno;
  r->error = m->err;
  r->cr2 = m->cr2;
  const u32 segments[6] = {m->es, m->cs, m->ss, m->ds, m->fs, m->gs};
  for (int i = 0; i < 6; i++) r->segments[i] = segments[i] & 0xffff;
  r->signal = (u32)signal;
  // The frame holds a 112-byte FSAVE image, then the XSAVE area in standard format.
  copy(r->xsave, (u8 *)m->fpstate + 112, 832);
  resetSegments();
  collectMemory(r);
  next++;
  runNext();
}

__attribute__((naked, noreturn)) static void enterCase(const u8 *, u32) {
  asm volatile(
      "mov 4(%esp), %ebx\n"
      "mov $7, %eax\n"
      "xor %edx, %edx\n"
      "xrstor (%ebx)\n"
      "pushl 8(%esp)\n"
      "popf\n"
      "mov loadGpr+4, %ecx\n"
      "mov loadGpr+8, %edx\n"
      "mov loadGpr+12, %ebx\n"
      "mov loadGpr+16, %esp\n"
      "mov loadGpr+20, %ebp\n"
      "mov loadGpr+24, %esi\n"
      "mov loadGpr+28, %edi\n"
      "mov loadGpr, %eax\n"
      "jmp *loadEip\n");
}

static void runNext(void) {
  header->current = next;
  if (next == header->cases) die(0);
  const struct Case *c = (const struct Case *)(file + header->caseOffset) + next;
  for (u32 i = 0; i < c->patches; i++) *(u32 *)c->patch[i].address = c->patch[i].value;
  for (int i = 0; i < 8; i++) loadGpr[i] = c->gpr[i];
  loadEip = c->eip;
  // Off the signal stack, which the next signal starts anew.
  asm volatile("mov %0, %%esp; push %1; push %2; push $0; jmp *%3"
               :
               : "r"(mainStack + sizeof mainStack - 64), "r"(c->eflags), "r"(c->xsave), "r"(enterCase));
  __builtin_unreachable();
}

struct Sigaction { void *handler; u32 flags; void *restorer; u32 mask[2]; };
struct UserDesc { u32 entry, base, limit, flags; };

static void start(u32 *stack) {
  if (stack[0] != 2) die(100);
  const int fd = call(SYS_open, stack[2], 2, 0, 0, 0, 0);
  if (fd < 0) die(101);
  struct Header *h = (struct Header *)call(SYS_mmap2, 0, 4096, 3, 1, (u32)fd, 0);
  if ((u32)h > 0xfffff000u) die(102);
  const u32 bytes = h->resultOffset + h->cases * sizeof(struct Result);
  file = (u8 *)call(SYS_mmap2, 0, (bytes + 4095) & ~4095u, 3, 1, (u32)fd, 0);
  if ((u32)file > 0xfffff000u) die(103);
  header = (struct Header *)file;
  if (header->magic != 0x4f574447) die(104);
  for (u32 i = 0; i < header->regionCount; i++) {
    struct Region *g = &header->regions[i];
    // MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
    const int at = call(SYS_mmap2, g->linear, g->bytes, 3, 0x32, ~0u, 0);
    if ((u32)at != g->linear) {
      if (g->protection & LOW) continue;  // below vm.mmap_min_addr: only root may
      die(105);
    }
    if (g->protection & LOW) header->lowMapped = 1;
    copy((void *)g->linear, file + g->fileOffset, g->bytes);
    if (call(125, g->linear, g->bytes, g->protection & 7, 0, 0, 0) != 0) die(106);  // mprotect
  }
  struct UserDesc d = {12, header->gsBase, 0xfffff, 0x51};  // 32-bit data, limit in pages, usable
  if (call(SYS_set_thread_area, (u32)&d, 0, 0, 0, 0, 0) != 0) die(107);
  struct { void *sp; u32 flags, size; } alternate = {signalStack, 0, sizeof signalStack};
  if (call(SYS_sigaltstack, (u32)&alternate, 0, 0, 0, 0, 0) != 0) die(108);
  static const int signals[] = {4, 5, 7, 8, 11};
  for (int i = 0; i < 5; i++) {
    struct Sigaction a = {handler, 0x48000004u, 0, {0, 0}};  // SA_NODEFER | SA_ONSTACK | SA_SIGINFO
    if (call(SYS_rt_sigaction, (u32)signals[i], (u32)&a, 0, 8, 0, 0) != 0) die(109);
  }
  // A stray write of one case must not change the next one's input.
  call(125, (u32)file + 4096, (header->resultOffset - 4096) & ~4095u, READ, 0, 0, 0);
  resetSegments();
  runNext();
}

__attribute__((naked, noreturn)) void _start(void) {
  asm volatile("mov %%esp, %%eax; mov %[stack], %%esp; push %%eax; push $0; jmp *%[start]"
               : : [stack] "b"(mainStack + sizeof mainStack - 256), [start] "c"(start));
}
