# Proves the APICs from the guest's side: the 8259 pair through LINT0, interrupts to
# oneself, task priority, the timer periodic and by TSC deadline, in loops that
# never leave translated code and in hlt, NMI with interrupts off, the PIT through
# the I/O APIC, and that a switched-off APIC is gone.
.include "prelude.inc"
.set APIC, 0xfee00000
.set ID, APIC + 0x20
.set VERSION, APIC + 0x30
.set TPR, APIC + 0x80
.set EOI, APIC + 0xb0
.set SVR, APIC + 0xf0
.set ICR, APIC + 0x300
.set ICR_HIGH, APIC + 0x310
.set LVT_TIMER, APIC + 0x320
.set LINT0, APIC + 0x350
.set INITIAL, APIC + 0x380
.set DIVIDE, APIC + 0x3e0
.set IO_APIC, 0xfec00000
.set APIC_BASE, 0x1b
.set DEADLINE, 0x6e0
taken:                             # the hook: counts, remembers, ends the interrupt
    mov eax, [ebp + 48]
    mov [last], eax
    inc dword ptr [count]
    cmp eax, 2
    je 1f
    mov dword ptr [EOI], 0
1:  cmp dword ptr [leave], 0
    je 2f
    cmp dword ptr [count], 3
    jb 2f
    mov dword ptr [EOI], 0
    add esp, 4
    jmp leave_user
2:  stc
    ret
test_main:
    mov eax, 1
    cpuid
    shr edx, 9
    and edx, 1
    shr ebx, 24
    SHOW "cpuid", edx, ebx
#= cpuid 00000001 00000000
    mov ecx, APIC_BASE
    rdmsr
    SHOW "base", edx, eax
#= base 00000000 fee00900
    SHOW "version", [ID], [VERSION]
#= version 00000000 00050014
    # as firmware leaves it the 8259 pair comes through
    call timer_on
    mov dword ptr [ticks], 0
    sti
1:  cmp dword ptr [ticks], 2
    jb 1b
    cli
    call timer_off
    SAY "8259 pair"
    call newline
#= 8259 pair
    # and masked at LINT0 it does not
    mov dword ptr [hook], offset taken
    mov dword ptr [LINT0], 0x10700
    # to oneself: waits for IF, comes right behind sti and its shadow
    mov dword ptr [ICR], 0x44041
    nop
    mov eax, [count]
    sti
    nop
    nop
    cli
    SHOW "self", eax, [count], [last]
#= self 00000000 00000001 00000041
    # task priority 4 holds 0x41 back, not 0x51
    mov dword ptr [TPR], 0x40
    mov dword ptr [ICR], 0x44041
    mov dword ptr [ICR], 0x44051
    sti
    nop
    nop
    cli
    SHOW "priority", [count], [last]
#= priority 00000002 00000051
    sti
    nop
    mov dword ptr [TPR], 0
    jmp 2f                         # the interpreter looks between blocks only
2:  nop
    cli
    SHOW "lowered", [count], [last]
#= lowered 00000003 00000041
    # NMI with interrupts off
    mov dword ptr [ICR_HIGH], 0
    mov dword ptr [ICR], 0x4400
    nop
    SHOW "nmi", [count], [last]
#= nmi 00000004 00000002
    # periodic, in a loop without any way out
    mov dword ptr [count], 0
    mov dword ptr [leave], 1
    mov dword ptr [DIVIDE], 0xb
    mov dword ptr [LVT_TIMER], 0x20042
    mov dword ptr [resume], offset 3f
    mov dword ptr [resume_esp], esp
    mov dword ptr [INITIAL], 1000000
    sti
2:  jmp 2b
3:  cli
    mov dword ptr [LVT_TIMER], 0x10000
    mov dword ptr [INITIAL], 0
    mov dword ptr [leave], 0
    SHOW "periodic", [count], [last]
#= periodic 00000003 00000042
    sti                            # one more may have come before the timer was masked: let it in
    nop
    nop
    cli
    # TSC deadline, in hlt: never early
    mov dword ptr [count], 0
    mov dword ptr [LVT_TIMER], 0x40043
    xor esi, esi
4:  mfence
    rdtsc
    add eax, 3000000
    adc edx, 0
    mov ebx, eax
    mov edi, edx
    mov ecx, DEADLINE
    wrmsr
    sti
5:  hlt
    cli
    rdtsc
    sub eax, ebx
    sbb edx, edi
    js 6f
    inc esi
6:  cmp dword ptr [count], 10
    jb 4b
    mov ecx, DEADLINE
    rdmsr
    SHOW "deadline", esi, [count], [last], eax
#= deadline 0000000a 0000000a 00000043 00000000
    # one that has passed comes at once
    mov eax, 1
    xor edx, edx
    wrmsr
    sti
    nop
    nop
    cli
    SHOW "passed", [count]
#= passed 0000000b
    # the PIT is on pin 2 of the I/O APIC; the loop is interrupted where it stands
    mov dword ptr [count], 0
    mov dword ptr [leave], 1
    mov dword ptr [IO_APIC], 0x15
    mov dword ptr [IO_APIC + 0x10], 0
    mov dword ptr [IO_APIC], 0x14
    mov dword ptr [IO_APIC + 0x10], 0x61
    call timer_on
    mov al, 0xff
    out 0x21, al
    mov dword ptr [resume], offset 8f
    mov dword ptr [resume_esp], esp
    sti
7:  jmp 7b
8:  cli
    mov dword ptr [IO_APIC + 0x10], 0x10000
    SHOW "pin 2", [count], [last]
#= pin 2 00000003 00000061
    # a value that is not allowed, and off
    mov ecx, APIC_BASE
    mov eax, 0xfed00900
    xor edx, edx
    mov dword ptr [hook], 0
    EXPECT 9f
    wrmsr
#= !0d 0000 +0000
9:  mov eax, 0xfee00100
    wrmsr
    mov eax, 1
    cpuid
    shr edx, 9
    and edx, 1
    SHOW "off", edx, [VERSION]
#= off 00000000 ffffffff
    # then INT is the CPU's own
    call timer_on
    mov dword ptr [ticks], 0
    sti
1:  cmp dword ptr [ticks], 2
    jb 1b
    cli
    call timer_off
    SAY "8259 pair"
    call newline
#= 8259 pair
    ret
.balign 4096
count: .long 0
last: .long 0
leave: .long 0
