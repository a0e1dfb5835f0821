// Entry to and exit from translated code.
//
// Register use while guest code runs: eax ecx edx ebx ebp esi edi hold the
// guest's; r12d holds the guest's esp; r13 the code cache, r14 the block table
// in force, r15 the state block; r8–r11 are scratch; rsp is a real host stack,
// 16-byte aligned, never pushed to by guest code. Guest arithmetic flags are
// the host's. gs has the window's base.
//
// Every way out saves the registers to the state block first, so the C++ and
// TypeScript sides see one picture. Callout handlers are compiled to general
// registers only: the guest's x87 and vector state stays in the CPU.
#include "vm.h"

namespace godwit {

// SAFETY: naked; touches only the state block in r15 and the host stack set up by godwit_enter.
extern "C" __attribute__((naked, used)) void godwit_asm() {
  asm volatile(R"(
  .intel_syntax noprefix
  .macro SAVE_GUEST
    mov dword ptr [r15 + %c[gpr] + 0], eax
    mov dword ptr [r15 + %c[gpr] + 4], ecx
    mov dword ptr [r15 + %c[gpr] + 8], edx
    mov dword ptr [r15 + %c[gpr] + 12], ebx
    mov dword ptr [r15 + %c[gpr] + 16], r12d
    mov dword ptr [r15 + %c[gpr] + 20], ebp
    mov dword ptr [r15 + %c[gpr] + 24], esi
    mov dword ptr [r15 + %c[gpr] + 28], edi
    pushfq
    pop qword ptr [r15 + %c[raw]]
  .endm
  .globl godwit_asm_begin
  godwit_asm_begin:

  .globl godwit_enter
  godwit_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    sub rsp, 24
    stmxcsr dword ptr [rsp]
    fnstcw word ptr [rsp + 4]
    mov r15, rdi
    mov qword ptr [r15 + %c[rsp]], rsp
    mov eax, 7
    xor edx, edx
    xrstor [r15 + %c[xsave]]
  1:
    mov r14, qword ptr [r15 + %c[table]]
  .globl godwit_resume_window
  godwit_resume_window:
    mov r13, qword ptr [r15 + %c[code]]
    push qword ptr [r15 + %c[raw]]
    popfq
    mov eax, dword ptr [r15 + %c[gpr] + 0]
    mov ecx, dword ptr [r15 + %c[gpr] + 4]
    mov edx, dword ptr [r15 + %c[gpr] + 8]
    mov ebx, dword ptr [r15 + %c[gpr] + 12]
    mov r12d, dword ptr [r15 + %c[gpr] + 16]
    mov ebp, dword ptr [r15 + %c[gpr] + 20]
    mov esi, dword ptr [r15 + %c[gpr] + 24]
    mov edi, dword ptr [r15 + %c[gpr] + 28]
    mov r8d, dword ptr [r15 + %c[eip]]
    mov r9d, dword ptr [r14 + r8*4]
    lea r9, [r9 + r13]
    jmp r9
  // Goes on at a code cache offset instead of an eip: the instruction that missed in the software TLB runs again.
  4:
    mov r14, qword ptr [r15 + %c[table]]
    mov r13, qword ptr [r15 + %c[code]]
    push qword ptr [r15 + %c[raw]]
    popfq
    mov eax, dword ptr [r15 + %c[gpr] + 0]
    mov ecx, dword ptr [r15 + %c[gpr] + 4]
    mov edx, dword ptr [r15 + %c[gpr] + 8]
    mov ebx, dword ptr [r15 + %c[gpr] + 12]
    mov r12d, dword ptr [r15 + %c[gpr] + 16]
    mov ebp, dword ptr [r15 + %c[gpr] + 20]
    mov esi, dword ptr [r15 + %c[gpr] + 24]
    mov edi, dword ptr [r15 + %c[gpr] + 28]
    mov r9d, dword ptr [r15 + %c[goon]]
    lea r9, [r9 + r13]
    jmp r9
  .globl godwit_asm_resume_end
  godwit_asm_resume_end:

  .globl godwit_fault_exit
  godwit_fault_exit:
    SAVE_GUEST
    cld
  2:
    mov eax, 7
    xor edx, edx
    xsave [r15 + %c[xsave]]
    mov rsp, qword ptr [r15 + %c[rsp]]
    fninit
    test byte ptr [r15 + %c[avx]], 4
    jz 3f
    vzeroupper
  3:
    ldmxcsr dword ptr [rsp]
    fldcw word ptr [rsp + 4]
    add rsp, 24
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

  .globl godwit_callout_miss
  godwit_callout_miss:
    mov dword ptr [r15 + %c[eip]], r8d
    SAVE_GUEST
    cld
    mov rdi, r15
    call godwit_handle_miss
    test eax, eax
    jnz 2b
    jmp 1b

  .globl godwit_callout_chain
  godwit_callout_chain:
    mov dword ptr [r15 + %c[eip]], r8d
    mov dword ptr [r15 + %c[arg0]], r10d
    SAVE_GUEST
    cld
    mov rdi, r15
    call godwit_handle_chain
    test eax, eax
    jnz 2b
    jmp 1b

  .globl godwit_callout_soft_miss
  godwit_callout_soft_miss:
    mov dword ptr [r15 + %c[goon]], r10d
    SAVE_GUEST
    cld
    mov rdi, r15
    call godwit_handle_soft_miss
    cmp eax, 2
    je 4b
    test eax, eax
    jnz 2b
    jmp 1b

  .macro CALLOUT name
    .globl godwit_callout_\name
    godwit_callout_\name:
    SAVE_GUEST
    cld
    mov rdi, r15
    call godwit_handle_\name
    test eax, eax
    jnz 2b
    jmp 1b
  .endm
  CALLOUT interpret
  CALLOUT int
  CALLOUT iret
  CALLOUT sysenter
  CALLOUT sysexit
  CALLOUT load_segment
  CALLOUT write_cr3
  CALLOUT invlpg
  CALLOUT rdtsc
  CALLOUT popf
  CALLOUT attention
  CALLOUT verify
  CALLOUT fault_deliver
  .globl godwit_asm_end
  godwit_asm_end:
  .att_syntax
  )"
               :
               : [gpr] "i"(offsetof(State, gpr)), [raw] "i"(offsetof(State, rawFlags)),
                 [rsp] "i"(offsetof(State, hostRsp)), [xsave] "i"(kXsaveOffset),
                 [table] "i"(offsetof(State, tableBase)), [code] "i"(offsetof(State, codeBase)),
                 [eip] "i"(offsetof(State, eip)), [arg0] "i"(offsetof(State, exitArg0)),
                 [avx] "i"(offsetof(State, spill) + 15 * 8),
                 [goon] "i"(offsetof(State, spill) + 14 * 8));
}

#define DECLARE(n) extern "C" char godwit_callout_##n[];
DECLARE(miss) DECLARE(chain) DECLARE(interpret) DECLARE(int) DECLARE(iret) DECLARE(sysenter) DECLARE(sysexit)
DECLARE(load_segment) DECLARE(write_cr3) DECLARE(invlpg) DECLARE(rdtsc) DECLARE(popf) DECLARE(attention) DECLARE(verify) DECLARE(soft_miss)
#undef DECLARE

void fillCallouts(State *s) {
  char *const table[kCalloutCount] = {
      godwit_callout_miss,     godwit_callout_chain,   godwit_callout_interpret,    godwit_callout_int,
      godwit_callout_iret,     godwit_callout_sysenter, godwit_callout_sysexit,     godwit_callout_load_segment,
      godwit_callout_write_cr3, godwit_callout_invlpg, godwit_callout_rdtsc,        godwit_callout_popf,
      godwit_callout_attention, godwit_callout_verify, godwit_callout_soft_miss,
  };
  for (u32 i = 0; i < kCalloutCount; i++) s->callout[i] = (u64)table[i];
}

void setGsBase(Vm *vm, u64 base) {
  if (vm->currentGs == base) return;
  vm->currentGs = base;
  if (vm->fsgsbase) {
    asm volatile(".byte 0xf3, 0x48, 0x0f, 0xae, 0xd8" ::"a"(base));  // wrgsbase rax
  } else {
    long result;
    asm volatile("syscall" : "=a"(result) : "a"(158), "D"(0x1001), "S"(base) : "rcx", "r11", "memory");  // arch_prctl(ARCH_SET_GS)
  }
}

}  // namespace godwit
