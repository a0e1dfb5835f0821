# A guest with a large working set of code: FUNCTIONS of 64 bytes each, which it makes
# itself, calls one after the other, pass after pass, and checks.
#
#     f:  mov eax, imm1; xor eax, imm2; ret
#
# Each answer must be what f's own bytes say (`stale` counts others). With REWRITE, every
# REWRITE passes the functions of one page get another imm1, one after the other of the first
# REWRITTEN pages: code that changes while it moves. Without it, each pass must give the same sum as the first (`bad` counts others).
# Calls made so far are counted at SCRATCH, for whoever looks on from outside.
# It ends when a byte comes in at the serial port.
.set FUNCTIONS, 4096
.set STRIDE, 64
.set CODE, 0x400000
.set REWRITTEN, 16                # pages of 64
.include "prelude.inc"
test_main:
    # make the functions; their immediates follow from an LCG
    mov edi, CODE
    mov ecx, FUNCTIONS
    mov eax, 12345
1:  imul eax, eax, 1103515245
    add eax, 12345
    mov byte ptr [edi], 0xb8
    mov [edi + 1], eax
    mov byte ptr [edi + 5], 0x35
    imul eax, eax, 1103515245
    add eax, 12345
    mov [edi + 6], eax
    mov byte ptr [edi + 10], 0xc3
    add edi, STRIDE
    loop 1b
    xor ebp, ebp                       # passes
    mov dword ptr [stale], 0
    mov dword ptr [bad], 0
pass:
    xor ebx, ebx
    mov edi, CODE
    mov ecx, FUNCTIONS
2:  call edi
    mov edx, [edi + 1]
    xor edx, [edi + 6]
    cmp edx, eax
    je 3f
    inc dword ptr [stale]
3:  inc dword ptr [SCRATCH]
    rol ebx, 1
    add ebx, eax
    add edi, STRIDE
    dec ecx
    jnz 2b
.if REWRITE
    test ebp, REWRITE - 1
    jnz 5f
    mov eax, ebp
    shr eax, REWRITE_LOG2
    and eax, REWRITTEN - 1
    shl eax, 12
    lea edi, [eax + CODE]
    mov ecx, 4096 / STRIDE
4:  add dword ptr [edi + 1], 0x01234567
    add edi, STRIDE
    loop 4b
5:
.else
    test ebp, ebp
    jnz 4f
    mov [first], ebx
4:  cmp ebx, [first]
    je 5f
    inc dword ptr [bad]
5:
.endif
    inc ebp
    cmp ebp, 8
    jne 6f
    mov esi, offset started
    call puts
6:  mov dx, 0x3fd
    in al, dx
    test al, 1
    jz pass
    SHOW "end", ebx, [stale], [bad]
    ret
started: .asciz "started\n"
.balign 4
stale: .long 0
bad: .long 0
first: .long 0
