# Proves that a timer interrupt gets in wherever it may and nowhere else: loops
# without any way out, in ring 0 and ring 3, hlt, the shadow of sti and of mov ss,
# long repeated strings, polling with interrupts on for an instant.
.include "prelude.inc"
.set NEXT, 0
# hook in each loop: leave it by going to `resume`
leave_loop:
    add esp, 4                      # our return address
    jmp leave_user
.macro UNTIL_TICK name, loop
    mov dword ptr [hook], offset leave_loop
    mov dword ptr [ticks], 0
    mov dword ptr [resume], offset 95f
    mov dword ptr [resume_esp], esp
    sti
    \loop
95: cli
    mov eax, [ticks]
    SHOW "\name", eax
.endm
test_main:
    call paging_on
    mov dword ptr [PT1 + 0xffc], 0xf0000007
    call timer_on
    UNTIL_TICK "jmp self", "94: jmp 94b"
    UNTIL_TICK "call ret", "94: call nothing; jmp 94b"
    UNTIL_TICK "indirect", "mov ebx, offset 94f; 94: jmp ebx"
    UNTIL_TICK "ping pong", "mov ebx, offset 94f; mov edx, offset 93f; 94: jmp edx; 93: jmp ebx"
    UNTIL_TICK "loop", "94: mov ecx, 0; loop 94b"
    UNTIL_TICK "jcc", "94: xor eax, eax; jz 94b"
    UNTIL_TICK "jcxz", "94: xor ecx, ecx; jecxz 94b"
    UNTIL_TICK "forward", "94: jmp 92f; 93: jmp 94b; 92: jmp 93b"
    UNTIL_TICK "ret", "94: push offset 94b; ret"
    UNTIL_TICK "far", "94: jmp 8:94b"
    UNTIL_TICK "hlt", "94: hlt; jmp 94b"
    UNTIL_TICK "iret", "94: pushf; push cs; push offset 94b; iret"
    UNTIL_TICK "popf", "94: pushf; popf; jmp 94b"
    UNTIL_TICK "cli sti", "94: cli; nop; sti; nop; cli; jmp 94b"
    UNTIL_TICK "cpuid", "94: cpuid; jmp 94b"
    UNTIL_TICK "in", "94: in al, 0x80; jmp 94b"
    UNTIL_TICK "mmio", "94: mov eax, [0x7ff000]; jmp 94b"
    UNTIL_TICK "cr3", "94: mov eax, cr3; mov cr3, eax; jmp 94b"
    UNTIL_TICK "patch", "94: inc dword ptr [93f + 1]; 93: mov eax, 0; jmp 94b"
    UNTIL_TICK "rep", "94: mov edi, SCRATCH; mov ecx, 0xf000; cld; rep stosd; jmp 94b"
    UNTIL_TICK "16 bit", "94: .byte 0x66, 0xe9; .word (94b - 91f) & 0xffff; 91:"
#= jmp self 00000001
#= call ret 00000001
#= indirect 00000001
#= ping pong 00000001
#= loop 00000001
#= jcc 00000001
#= jcxz 00000001
#= forward 00000001
#= ret 00000001
#= far 00000001
#= hlt 00000001
#= iret 00000001
#= popf 00000001
#= cli sti 00000001
#= cpuid 00000001
#= in 00000001
#= mmio 00000001
#= cr3 00000001
#= patch 00000001
#= rep 00000001
#= 16 bit 00000001
    # the same in ring 3
    .irp loop, u1, u2, u3, u4, u5
    mov dword ptr [hook], offset leave_loop
    mov dword ptr [ticks], 0
    USER \loop
    cli
    mov eax, [ticks]
    SHOW "ring 3", eax
    .endr
#= ring 3 00000001
#= ring 3 00000001
#= ring 3 00000001
#= ring 3 00000001
#= ring 3 00000001
    # counting goes on: nothing is lost or doubled in the interrupted code
    mov dword ptr [hook], 0
    mov dword ptr [ticks], 0
    xor eax, eax
    xor edx, edx
    sti
1:  add eax, 1
    adc edx, 0
    lea ecx, [eax + eax]
    cmp ecx, 6000000
    jb 1b
    cli
    mov ebx, [ticks]
    test ebx, ebx
    setnz bl
    movzx ebx, bl
    SHOW "counted", eax, edx, ebx
#= counted 002dc6c0 00000000 00000001
    # flags live across interrupts
    mov dword ptr [ticks], 0
    xor esi, esi
    sti
2:  stc
    jnc 3f
    clc
    jc 3f
    inc esi
    cmp dword ptr [ticks], 20
    jb 2b
    jmp 4f
3:  mov esi, -1
4:  cli
    cmp esi, 1000
    seta al
    movzx eax, al
    SHOW "flags", eax
#= flags 00000001
    # no interrupt while IF is clear, however long; then at once
    call timer_off
    mov al, 0x30
    out 0x43, al
    sti
    nop
    nop
    cli
    mov al, 0xfe
    out 0x21, al
    call wait_irq
    mov dword ptr [ticks], 0
    mov eax, [ticks]
    sti
    nop
    nop
    cli
    mov ebx, [ticks]
    SHOW "held", eax, ebx
#= held 00000000 00000001
    # sti holds interrupts off for one instruction
    call wait_irq
    mov dword ptr [ticks], 0
    xor ebx, ebx
    sti
    mov ebx, [ticks]
    mov ecx, [ticks]
    cli
    SHOW "shadow", ebx, ecx
#= shadow 00000000 00000001
    call wait_irq
    mov dword ptr [ticks], 0
    sti
    cli
    nop
    mov ebx, [ticks]
    SHOW "sti cli", ebx
#= sti cli 00000000
    sti                            # the request still waits: let it in
    nop
    nop
    cli
    # sti; hlt wakes up at once for an interrupt that was already waiting
    call wait_irq
    mov dword ptr [ticks], 0
    sti
    hlt
    cli
    mov ebx, [ticks]
    SHOW "sti hlt", ebx
#= sti hlt 00000001
    # mov ss holds them off too
    call wait_irq
    mov dword ptr [ticks], 0
    mov eax, ss
    sti
    mov ss, eax
    mov ebx, [ticks]
    mov ecx, [ticks]
    cli
    SHOW "mov ss", ebx, ecx
#= mov ss 00000000 00000001
    # the frame that an interrupt pushes: popf makes it come right behind
    call wait_irq
    mov dword ptr [hook], offset show_eip
    mov dword ptr [mark], offset 5f
    push 0x202
    popf
5:  nop
    nop
    cli
#= irq at +0000
    call wait_irq
    mov dword ptr [hook], offset show_eip
    mov dword ptr [mark], offset 6f
    sti
    nop
6:  nop
    nop
    cli
#= irq at +0000
    call wait_irq
    mov dword ptr [hook], offset show_eip
    mov dword ptr [mark], offset 7f
    pushf
    or dword ptr [esp], 0x200
    push cs
    push offset 7f
    iret
7:  nop
    cli
#= irq at +0000
    # hlt in sleep: ticks pass in real time
    call timer_on
    mov dword ptr [hook], 0
    mov dword ptr [ticks], 0
    mov ecx, 20
    sti
8:  hlt
    loop 8b
    cli
    cmp dword ptr [ticks], 20      # a late host may let two come between
    setae al
    movzx eax, al
    SHOW "slept", eax
#= slept 00000001
    # single step: #DB after every instruction
    mov dword ptr [hook], offset step
    mov dword ptr [steps], 0
    pushf
    or dword ptr [esp], 0x100
    popf
    nop
    nop
    mov eax, 5
    pushf
    and dword ptr [esp], ~0x100
    popf
    mov eax, [steps]
    SHOW "steps", eax
#= steps 00000006
    call timer_off
    ret
nothing: ret
wait_irq:                          # IF is clear: exactly one request, waiting in the 8259
    push eax
    mov al, 0x30
    out 0x43, al
    mov al, 0x40
    out 0x40, al
    mov al, 0
    out 0x40, al
    mov al, 0x0a
    out 0x20, al
1:  in al, 0x20
    test al, 1
    jz 1b
    pop eax
    ret
show_eip:
    SAY "irq at +"
    mov eax, [ebp + 56]
    sub eax, [mark]
    mov ecx, 4
    call puthex
    call newline
    and dword ptr [ebp + 64], ~0x200
    mov dword ptr [hook], 0
    ret
step:
    cmp dword ptr [ebp + 48], 1
    jne 1f
    inc dword ptr [steps]
    stc
    ret
1:  clc
    ret
.balign 4096
steps: .long 0
.balign 4096
u1: jmp u1
u2: call u2b
    jmp u2
u2b: ret
u3: mov eax, offset u3
    jmp eax
u4: pushf
    popf
    jmp u4
u5: inc eax
    jnz u5
    jmp u5
