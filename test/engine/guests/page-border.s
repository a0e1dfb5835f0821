# Proves precise page faults at page borders: instructions, operands, pushes,
# pops and calls that cross into a missing page name the right cr2 and eip,
# change nothing, and go on when the page appears.
.include "prelude.inc"
.set BORDER, 0x401000
# Puts the bytes at `from` so that the border comes after \before bytes, and removes the page behind the border.
.macro PLACE from, to, before
    cld
    mov dword ptr [PT1 + 4], 0x401007
    invlpg [BORDER]
    mov esi, offset \from
    mov edi, BORDER - \before
    mov ecx, offset \to
    sub ecx, offset \from
    rep movsb
    mov dword ptr [PT1 + 4], 0
    invlpg [BORDER]
    mov dword ptr [mark], BORDER
.endm
map_it:                            # hook: #PF prints and maps the page
    cmp dword ptr [ebp + 48], 14
    jne 9f
    SAY "fault "
    mov eax, [ebp + 52]
    call put_eax
    mov eax, [ebp + 56]
    sub eax, [mark]
    call put_eax
    mov eax, cr2
    call put_eax
    call newline
    mov dword ptr [PT1 + 4], 0x401007
    invlpg [BORDER]
    stc
    ret
9:  clc
    ret
test_main:
    call paging_on
    mov dword ptr [hook], offset map_it
    PLACE c1, c1e, 2
    mov eax, BORDER - 2
    xor ebx, ebx
    call eax
    SHOW "ran", ebx
#= fault 00000000 fffffffe 00401000
#= ran 11223344
    # again, translated by now; then with the second page exchanged for another one
    PLACE c1, c1e, 2
    mov eax, BORDER - 2
    xor ebx, ebx
    call eax
    SHOW "ran", ebx
#= fault 00000000 fffffffe 00401000
#= ran 11223344
    mov dword ptr [PT1 + 16], 0x404007
    mov eax, [BORDER]
    mov [0x404000], eax
    mov dword ptr [0x404000], 0xc3556677   # imm: 77 66 55 then ret
    mov byte ptr [0x404003], 0x55
    mov byte ptr [0x404002], 0x55
    mov byte ptr [0x404000], 0x77
    mov byte ptr [0x404003], 0xc3
    mov dword ptr [PT1 + 4], 0x404007
    invlpg [BORDER]
    mov eax, BORDER - 2
    xor ebx, ebx
    call eax
    SHOW "other page", ebx
#= other page 55667744
    # writes into the second page of a crossing instruction
    mov byte ptr [BORDER + 1], 0x99
    mov eax, BORDER - 2
    call eax
    SHOW "patched", ebx
#= patched 55997744
    # an instruction ends at the border exactly: the next one faults with eip at the border
    PLACE c1, c1e, 5
    mov eax, BORDER - 5
    xor ebx, ebx
    call eax
    SHOW "exact", ebx
#= fault 00000000 00000000 00401000
#= exact 11223344
    # operands
    mov dword ptr [mark], offset 1f
    PLACE c1, c1e, 2
    mov dword ptr [mark], offset 1f
    mov ebx, 0x12345678
1:  mov [BORDER - 2], ebx
    mov eax, [BORDER - 2]
    SHOW "store", eax
#= fault 00000002 00000000 00401000
#= store 12345678
    # the stack, in ring 3 (in ring 0 the fault itself would have none)
    PLACE c1, c1e, 2
    USER push_user
#= fault 00000006 00000005 00401000
#= 00401000
    PLACE c1, c1e, 2
    USER call_user
#= fault 00000006 00000005 00401000
#= 00400ffe
#= 00000000
    PLACE c1, c1e, 2
    USER pop_user
#= fault 00000004 00000005 00401002
#= 00401006
    PLACE c1, c1e, 2
    mov dword ptr [mark], offset 5f
    mov dword ptr [BORDER - 4], 0x55555555
5:  add dword ptr [BORDER - 1], 1
    mov eax, [BORDER - 1]
    SHOW "add", eax
#= fault 00000002 00000000 00401000
#= add 11223356
    # the fault is the first byte of the second page also for 8- and 16-byte operands
    PLACE c1, c1e, 2
    mov dword ptr [mark], offset 6f
6:  fild qword ptr [BORDER - 6]
    fstp st(0)
#= fault 00000000 00000000 00401000
    mov dword ptr [hook], 0
    PLACE c1, c1e, 2
    mov eax, 0x77
    EXPECT 7f
    xchg eax, [BORDER]
7:  SHOW "xchg", eax
#= !0e 0002 +0000 00401000
#= xchg 00000077
    EXPECT 8f
    pop dword ptr [BORDER]
8:  nop
#= !0e 0002 +0000 00401000
    mov ecx, 0x401000
    EXPECT 9f
    mov dword ptr [mark], BORDER
    jmp ecx
9:  nop
#= !0e 0000 +0000 00401000
    ret
c1: mov ebx, 0x11223344
    ret
c1e:
push_user:
    mov esp, BORDER + 4
    push ebx
    mov eax, esp
    int 0x80
    int 0x81
call_user:
    mov esp, BORDER + 2
    call 1f
1:  mov eax, esp
    int 0x80
    pop eax
    sub eax, offset 1b
    int 0x80
    int 0x81
pop_user:
    mov esp, BORDER + 2
    pop ebx
    mov eax, esp
    int 0x80
    int 0x81
