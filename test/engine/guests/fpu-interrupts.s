# Proves that interrupts lose and double no x87 and no SSE instruction: each pass adds one
# to an integer register, to st(0) and to xmm0; after hundreds of ticks all three agree.
.include "prelude.inc"
.set PASSES, 60000
test_main:
    mov eax, cr4
    or eax, 0x600                  # OSFXSR, OSXMMEXCPT
    mov cr4, eax
    fninit
    call timer_on
    mov al, 0x34                   # an interrupt every 100 us
    out 0x43, al
    mov al, 119
    out 0x40, al
    mov al, 0
    out 0x40, al
    mov dword ptr [ticks], 0
    xor eax, eax
    xor ebx, ebx
    fldz
    pxor xmm0, xmm0
    mov ecx, 1
    movd xmm1, ecx
    sti
1:  inc ebx
    fld1
    faddp
    paddd xmm0, xmm1
    fld st(0)
    fsub st(0), st(1)
    faddp
    cmp ebx, PASSES
    jb 1b
    cmp dword ptr [ticks], 100
    jae 2f
    cmp ebx, PASSES * 1000
    jb 1b
2:  cli
    call timer_off
    fistp dword ptr [count]
    movd ecx, xmm0
    mov edx, [count]
    sub edx, ebx
    sub ecx, ebx
    cmp dword ptr [ticks], 100
    setae al
    movzx eax, al
    SHOW "lost", edx, ecx, eax
#= lost 00000000 00000000 00000001
    fnstsw ax
    and eax, 0x3841                # the stack is empty, nothing overflowed
    SHOW "status", eax
#= status 00000000
    ret
.balign 4
count: .long 0
