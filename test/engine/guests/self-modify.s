# Proves that guest code finds its own bytes and that what it writes into code is
# what runs next: its checksum while it runs, the very next instruction, a later
# one of the same block, another page, thousands of times in a loop.
.include "prelude.inc"
sum:                               # eax: sum of the bytes from checked to checked_end
    xor eax, eax
    mov esi, offset checked
1:  movzx ecx, byte ptr [esi]
    add eax, ecx
    inc esi
    cmp esi, offset checked_end
    jb 1b
    ret
test_main:
    mov edi, 3
checked:
    call sum
    mov ebx, eax
    dec edi
    jnz checked
checked_end:
    # the same bytes copied elsewhere have the same sum
    mov edx, ebx
    cld
    mov esi, offset checked
    mov edi, SCRATCH
    mov ecx, offset checked_end
    sub ecx, offset checked
    push ecx
    rep movsb
    pop ecx
    xor eax, eax
    xor ebx, ebx
2:  mov bl, [SCRATCH + ecx - 1]
    add eax, ebx
    loop 2b
    sub eax, edx
    SHOW "checksum", eax
#= checksum 00000000
    # the next instruction
    mov eax, 0
    mov byte ptr [3f + 1], 0x55
3:  mov eax, 0x11
    SHOW "next", eax
#= next 00000055
    # the next one, in a loop: an immediate that counts
    mov ecx, 5000
    xor edx, edx
    mov dword ptr [4f + 1], 0
5:  inc dword ptr [4f + 1]
4:  mov eax, 0
    add edx, eax
    loop 5b
    SHOW "counted", eax, edx
#= counted 00001388 00bec5e4
    # an instruction later in the same block turns into another
    mov ecx, 3
    xor ebx, ebx
6:  mov byte ptr [7f], 0x40          # inc eax
    xor eax, eax
    nop
    nop
7:  nop
    add ebx, eax
    mov byte ptr [7b], 0x90
    loop 6b
    SHOW "later", ebx
#= later 00000003
    # code in another page, rewritten and called thousands of times
    mov byte ptr [SCRATCH], 0xb8
    mov byte ptr [SCRATCH + 5], 0xc3
    mov ecx, 20000
    xor edx, edx
8:  mov [SCRATCH + 1], ecx
    mov eax, SCRATCH
    call eax
    add edx, eax
    loop 8b
    SHOW "called", edx
#= called 0bebe910
    # the same with `rep movsb`: alternating functions of different lengths
    mov ebp, 4000
    xor edx, edx
9:  mov esi, offset f1
    mov ecx, offset f1_end - f1
    test ebp, 1
    jz 10f
    mov esi, offset f2
    mov ecx, offset f2_end - f2
10: mov edi, SCRATCH + 0x1ffa        # over a page border
    rep movsb
    mov eax, SCRATCH + 0x1ffa
    call eax
    dec ebp
    jnz 9b
    SHOW "copied", edx
#= copied 00002ee0
    # into the middle of an instruction: b8 (mov eax, imm) whose immediate is code
    xor eax, eax
    mov ecx, 2
11: jmp 12f + 1
12: .byte 0xb8, 0x83, 0xc0, 0x07, 0x90   # mov eax, ..., or: add eax, 7; nop
    loop 13f
    jmp 14f
13: jmp 12b
14: SHOW "middle", eax
#= middle 9007c083
    # data beside code, written all the time: no livelock, no loss
    mov ecx, 100000
15: inc dword ptr [beside]
    loop 15b
    mov eax, [beside]
    SHOW "beside", eax
#= beside 000186a0
    # push over one's own code: the stack grows down onto the next instruction
    mov ebx, esp
    mov esp, offset 16f + 4
    push 0x90909046                    # inc esi; nop; nop; nop
16: .byte 0x42, 0x42, 0x42, 0x42
    mov ecx, esp
    mov esp, ebx
    sub ebx, ecx
    mov eax, [16b]
    SHOW "pushed", eax
#= pushed 90909046
    ret
beside: .long 0
f1: add edx, 1
    nop
    ret
f1_end:
f2: add edx, 2
    add edx, 3
    nop
    ret
f2_end:
