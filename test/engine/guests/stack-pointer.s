# Proves that esp is exact at every instruction, however pushes and pops are put
# together: at faults, device accesses, interrupts, jumps and writes into the own
# page midway, and where an instruction names esp. A handler that runs on the
# same stack writes its frame just below esp: were esp wrong, values would be lost.
.include "prelude.inc"
.set HOLE, 0x401000
# What stands at HOLE is missing until somebody asks for it.
.macro HIDE
    mov dword ptr [PT1 + 4], 0
    invlpg [HOLE]
.endm
appear:                            # hook: #PF and #DE: notes esp, repairs, goes on
    lea eax, [ebp + 68]
    cmp dword ptr [ebp + 60], UCODE
    jne 1f
    mov eax, [ebp + 68]
1:  sub eax, [base]
    mov [seen], eax
    mov eax, [ebp + 64]
    and eax, 0x8d5
    mov [flags], eax
    cmp dword ptr [ebp + 48], 14
    jne 2f
    mov eax, [hole]
    mov [PT1 + 4], eax
    invlpg [HOLE]
    stc
    ret
2:  cmp dword ptr [ebp + 48], 0
    jne 3f
    mov dword ptr [ebp + 40], 7    # ecx
    stc
    ret
3:  clc
    ret
# At each depth of 1 to 40 pushes: a load that faults, and every value still there.
.macro DEEP n
    HIDE
    mov [base], esp
    .set i, 0
    .rept \n
    push 0x1000 + i
    .set i, i + 1
    .endr
    mov ebx, [HOLE]
    push ebx
    pop ebx
    xor edx, edx
    .set i, 0
    .rept \n
    pop eax
    rol edx, 1
    add edx, eax
    .endr
    mov eax, esp
    sub eax, [base]
    SHOW "deep", [seen], edx, eax
.endm
test_main:
    call paging_on
    mov dword ptr [HOLE], 0x5eed
    # the supervisor's own pages: an access to the user's would begin a block of its own
    mov ecx, 2048
1:  and dword ptr [PT0 + ecx * 4 - 4], ~4
    loop 1b
    mov eax, cr3
    mov cr3, eax
    mov dword ptr [hook], offset appear
    jmp 1f
.balign 4096
1:  DEEP 1
    DEEP 2
    DEEP 7
    DEEP 23
    DEEP 24
    DEEP 40
#= deep fffffffc 00001000 00000000
#= deep fffffff8 00003002 00000000
#= deep ffffffe4 0007f282 00000000
#= deep ffffffa4 0a7ff00a 00000000
#= deep ffffffa0 15fff012 00000000
#= deep ffffff60 00101502 00000000
    # pops first: the value above esp is not to be overwritten by the frame of the fault
    HIDE
    push 0x11
    push 0x22
    push 0x33
    push 0x44
    mov [base], esp
    pop eax
    pop ecx
    mov ebx, [HOLE]
    push ebx
    pop edx
    pop edx
    pop esi
    SHOW "pops", [seen], eax, ecx, edx, esi
#= pops 00000008 00000044 00000033 00000022 00000011
    # the load is relative to esp, and the fault is a division's
    mov [base], esp
    push 0x100
    push 0
    push 0x55
    xor edx, edx
    mov eax, [esp + 8]
    mov ecx, [esp + 4]
    div ecx
    push eax
    push edx
    pop ebx
    pop esi
    add esp, 12
    mov edi, esp
    sub edi, [base]
    SHOW "divide", [seen], ebx, esi, edi
#= divide fffffff4 00000004 00000024 00000000
    # esp is named
    mov [base], esp
    push 1
    push esp
    push 2
    lea eax, [esp + 4]
    mov ebx, esp
    sub ebx, [base]
    pop ecx
    pop edx
    sub edx, [base]
    sub eax, [base]
    pop esi
    SHOW "named", eax, ebx, ecx, edx, esi
#= named fffffff8 fffffff4 00000002 fffffffc 00000001
    push 0x77
    push [esp]
    push [esp + 4]
    pop [esp + 4]
    pop eax
    pop ecx
    push 9
    push 8
    mov edx, esp
    add edx, 4
    push edx
    pop esp
    pop ebx
    mov edx, esp
    sub edx, [base]
    SHOW "through esp", eax, ecx, ebx, edx
#= through esp 00000077 00000077 00000009 00000000
    push 5
    push 6
    xchg eax, esp
    mov edx, eax
    xchg eax, esp
    push 7
    sub edx, esp
    mov ebp, esp
    push 1
    push 2
    leave
    pop esi
    pop edi
    mov ebx, esp
    sub ebx, [base]
    SHOW "leave", edx, ebp, esi, edi, ebx
#= leave 00000004 00000007 00000006 00000005 00000000
    # added to and subtracted from: what a fault sees of the flags, and what the next instruction does
    HIDE
    mov [base], esp
    xor eax, eax
    push 1
    push 2
    sub esp, 28
    mov ecx, [HOLE]
    mov [esp + 12], ecx
    add esp, 28
    pop ebx
    pop edx
    SHOW "frame", [seen], [flags], ecx, ebx, edx
#= frame ffffffdc 00000014 00005eed 00000002 00000001
    HIDE
    mov [base], esp
    cmp eax, eax
    push 3
    add esp, -16
    mov ecx, [HOLE]
    add esp, 16
    pop edx
    pushf
    pop ebx
    and ebx, 0x8d5
    mov ecx, esp
    sub ecx, [base]
    SHOW "carry", [seen], [flags], edx, ebx, ecx
#= carry ffffffec 00000005 00000003 00000000 00000000
    mov ecx, 0xffffffff
    push 4
    push 5
    add esp, 4
    add ecx, 1
    pushf
    pop ebx
    and ebx, 0x8d5
    pop edx
    sub esp, 12
    neg ecx
    push ebx
    setz cl
    add esp, 16
    test edx, edx
    setz ch
    mov eax, esp
    sub eax, [base]
    SHOW "unseen flags", eax, ebx, ecx, edx
#= unseen flags 00000000 00000055 00000001 00000004
    push 6
    sub esp, 8
    jc 1f
    ja 2f
1:  SHOW "wrong way"
2:  mov dword ptr [esp], 7
    add esp, 6
    sub esp, 2
    sub esp, 0x1000
    push 8
    add esp, 0x1000
    pop eax
    mov ecx, [esp - 0x1004]
    sub esp, 0x1ffc
    add esp, 0x2000
    pop edx
    mov ebx, esp
    sub ebx, [base]
    SHOW "odd and large", eax, ecx, edx, ebx
#= odd and large 00000007 00000008 00000006 00000000
    # words
    mov [base], esp
    push 0x12345678
    pushw 0x9abc
    push ax
    pop ax
    popw bx
    push eax
    pop eax
    movzx ebx, bx
    pop ecx
    mov edx, esp
    sub edx, [base]
    SHOW "words", ebx, ecx, edx
#= words 00009abc 12345678 00000000
    # all registers, before and behind other pushes, with a fault between
    HIDE
    push 0xaa
    mov eax, 1
    mov ecx, 2
    mov edx, 3
    mov ebx, 4
    mov esi, 6
    mov edi, 7
    mov [base], esp
    push 0xbb
    pusha
    mov eax, [HOLE]
    mov ecx, [esp + 12]
    push eax
    pop edi
    mov edx, edi
    popa
    sub esp, 32
    sub [esp + 12], esp
    popa
    pop ebp
    mov esi, esp
    sub esi, [base]
    add esp, 4
    SHOW "all", [seen], ecx, ebx, ebp, esi
#= all ffffffdc 00000002 00000004 000000bb 00000000
    # conditional jumps out of the middle, both ways; flags over pushes and pops
    mov [base], esp
    xor edi, edi
    mov ecx, 6
2:  push ecx
    push edi
    test cl, 1
    jz 3f
    pop edi
    push 0x10
    add edi, [esp]
    pop eax
    pop ecx
    jmp 4f
3:  pop eax
    pop ecx
    lea edi, [edi + ecx]
4:  cmp ecx, 4
    push eax
    pushf
    pop eax
    and eax, 0x8d5
    lea edi, [edi + eax]
    pop eax
    dec ecx
    jnz 2b
    mov eax, esp
    sub eax, [base]
    SHOW "jumps", edi, eax
#= jumps 00000237 00000000
    # a device is read and the own page written midway: both are the interpreter's
    mov [base], esp
    push 0x21
    push 0x22
    mov eax, [0xb8000]
    pop ebx
    mov byte ptr [patched + 1], 0x5a
    push ebx
patched:
    push 0x23
    pop eax
    pop ecx
    pop edx
    mov esi, esp
    sub esi, [base]
    SHOW "midway", eax, ecx, edx, esi
#= midway 0000005a 00000022 00000021 00000000
    # ret takes arguments along; a return address that was changed; calls that never return
    mov [base], esp
    push 1
    push 2
    push 3
    call takes_two
    pop ebx
    mov ecx, esp
    sub ecx, [base]
    call elsewhere
left_here:
    SHOW "not here"
back_here:
    mov edx, esp
    sub edx, [base]
    mov esi, 100000
5:  call 6f
6:  pop edi
    dec esi
    jnz 5b
    sub edi, offset 6b
    mov esi, 100000
7:  push offset 8f
    ret
8:  dec esi
    jnz 7b
    SHOW "returns", eax, ebx, ecx, edx, edi
#= returns 00000005 00000001 00000000 00000000 00000000
    # deep recursion, left at once
    mov [base], esp
    mov ecx, 200
    call dive
surfaced:
    mov edx, esp
    sub edx, [base]
    SHOW "dive", ecx, eax, edx
#= dive 00000000 000000c8 00000000
    call paging_on
    mov dword ptr [hole], HOLE + 7
    # interrupts at loops between pushes and pops, in ring 0 and 3
    call timer_on
    mov dword ptr [hook], 0
    mov dword ptr [ticks], 0
    sti
    call balanced
    cli
    SHOW "ring 0", eax
#= ring 0 00000000
    mov dword ptr [ticks], 0
    USER user_loop
    call timer_off
    SHOW "ring 3", [lost]
#= ring 3 00000000
    # ring 3, where the fault's frame lies elsewhere
    mov dword ptr [hook], offset appear
    HIDE
    mov dword ptr [base], USTACK + 0x1000
    USER user_fault
    SHOW "user", [seen], [lost]
#= user fffffff4 00005ef3
    # the push itself faults: nothing has moved
    HIDE
    mov dword ptr [base], HOLE + 0x1004
    mov dword ptr [PT1 + 8], 0x402007
    invlpg [HOLE + 0x1000]
    USER user_push
    SHOW "push", [seen], [lost]
#= push fffffffc 00000006
    ret
# Pushes and pops in loops until 20 ticks have come: eax counts the values that were not right.
balanced:
    push ebp
    mov ebp, esp
    xor eax, eax
1:  push 0x31
    push 0x32
    mov ecx, 50
2:  push ecx
    push 0x33
    pop edx
    dec ecx
    jz 3f
    pop esi
    push edx
    pop edi
    cmp edi, 0x33
    je 2b
    inc eax
    jmp 2b
3:  pop esi
    pop edx
    cmp edx, 0x32
    je 4f
    inc eax
4:  pop edx
    cmp edx, 0x31
    je 5f
    inc eax
5:  cmp dword ptr [ticks], 20
    jb 1b
    cmp esp, ebp
    je 6f
    inc eax
6:  leave
    ret
user_loop:
    call balanced
    mov [lost], eax
    int 0x81
user_fault:
    push 1
    push 2
    push 3
    mov eax, [HOLE]
    pop ebx
    add eax, ebx
    pop ebx
    add eax, ebx
    pop ebx
    add eax, ebx
    mov [lost], eax
    int 0x81
user_push:
    mov esp, HOLE + 0x1004
    push 1
    push 2
    push 3
    pop eax
    pop ebx
    add eax, ebx
    pop ebx
    add eax, ebx
    mov [lost], eax
    int 0x81
takes_two:
    mov eax, [esp + 4]
    add eax, [esp + 8]
    ret 8
elsewhere:
    push 7
    add dword ptr [esp + 4], offset back_here - left_here
    pop ecx
    xor ecx, ecx
    jmp 8f
8:  ret
dive:
    push ecx
    push 1
    dec ecx
    jz 1f
    call dive
1:  mov eax, [base]
    sub eax, esp
    shr eax, 2
    xor edx, edx
    mov ebx, 3
    div ebx
    mov esp, [base]
    jmp surfaced
.balign 4096
hole: .long HOLE + 3
base: .long 0
seen: .long 0
flags: .long 0
lost: .long 0
