# The guest of fuzz.mjs: runs one random snippet after another, each in a random
# way (ring 0, ring 3, 16-bit code, virtual-8086 mode), under random page tables.
# Any exception or timer tick leads to `next`, which sets up all that a snippet
# may have spoiled as far as that is possible and starts the following one.
.include "prelude.inc"
.set SNIPPETS, 0x400000            # 4096 slots of 64 bytes, filled by fuzz.mjs
.set LOW, 0x10000                  # a copy of 64 KiB of them for 16-bit code
.set SAVED, 0x280000               # pristine copy of this program
test_main:
    cld
    mov dword ptr [tss + 4], offset kstack_top
    mov dword ptr [tss + 8], KDATA
    # double faults take a task gate: a snippet in ring 0 may leave no stack at all
    mov eax, offset tss2
    shl eax, 16
    or eax, 0x67
    mov [gdt + FREE + 16], eax
    mov dword ptr [gdt + FREE + 20], 0x8900 + 0x10
    mov dword ptr [tss2 + 28], PD
    mov dword ptr [tss2 + 32], offset next
    mov dword ptr [tss2 + 36], 2
    mov dword ptr [tss2 + 56], offset stack_top
    mov dword ptr [tss2 + 72], KDATA
    mov dword ptr [tss2 + 76], KCODE
    mov dword ptr [tss2 + 80], KDATA
    mov dword ptr [tss2 + 84], KDATA
    mov dword ptr [gdt + FREE], 0x0000ffff        # 16-bit code, base 0x10000
    mov dword ptr [gdt + FREE + 4], 0x00009b01
    mov dword ptr [gdt + FREE + 8], 0x0000ffff    # 16-bit data, base 0x10000
    mov dword ptr [gdt + FREE + 12], 0x00009301
    mov esi, offset start
    mov edi, SAVED
    mov ecx, offset image_end
    sub ecx, esi
    rep movsb
    mov esi, SNIPPETS
    mov edi, LOW
    mov ecx, 0x10000
    rep movsb
    # every vector leads to next; vectors 0x20-0x2f stay apart only in name
    mov edi, offset idt
    mov ecx, 256
    mov ebx, offset next
1:  mov [edi], bx
    mov eax, ebx
    shr eax, 16
    mov [edi + 6], ax
    mov byte ptr [edi + 5], 0x8e
    add edi, 8
    loop 1b
    mov dword ptr [idt + 64], (FREE + 16) << 16
    mov dword ptr [idt + 68], 0x8500
    mov esi, offset idt
    mov edi, offset idt + SAVED - 0x100000
    mov ecx, 2048
    rep movsb
    jmp next
random:                            # eax; ecx is lost
    mov eax, [state]
    mov ecx, eax
    shl ecx, 13
    xor eax, ecx
    mov ecx, eax
    shr ecx, 17
    xor eax, ecx
    mov ecx, eax
    shl ecx, 5
    xor eax, ecx
    mov [state], eax
    ret
.balign 16
next:
    cli
    cld
    mov eax, cs:[0x100000]         # is there still a program?
    mov eax, KDATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov esp, offset stack_top
    lgdt [gdtr]
    lidt [idtr]
    push 2
    popf
    # Changing the mode is slow: only when the snippet did.
    mov eax, cr0
    cmp eax, 0x80010011
    jne 2f
    mov eax, cr3
    cmp eax, PD
    jne 2f
    mov eax, cr4
    cmp eax, 0x600
    jne 2f
    str eax
    cmp ax, TSS
    je 22f
2:  mov eax, cr0
    and eax, 0x7ffeffff
    mov cr0, eax
    jmp KCODE:21f
21: mov esi, SAVED
    mov edi, offset start
    mov ecx, offset tss + 104
    sub ecx, edi
    rep movsb
    mov byte ptr [gdt + TSS + 5], 0x89
    mov eax, TSS
    ltr ax
    mov eax, 0x600
    mov cr4, eax
    call paging_on
    # the program and its tables are read-only, its data and stacks are not
    mov ebx, 0x100
31: and dword ptr [PT0 + ebx * 4], ~2
    inc ebx
    cmp ebx, (0x100000 + idt_offset) >> 12
    jb 31b
    and dword ptr [PT0 + 0x201 * 4], ~2
    mov eax, PD
    mov cr3, eax
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
22:
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    in al, 0x60
    inc dword ptr [count]
    mov eax, [count]
    and eax, 0xff
    jnz 3f
    # now and then: descriptors and the snippets for 16-bit code anew, a sign of life
    mov al, '.'
    mov dx, 0x3f8
    out dx, al
    mov esi, SNIPPETS
    mov edi, LOW
    mov ecx, 0x4000
    rep movsd
3:  mov dword ptr [tss + 4], offset kstack_top
    mov dword ptr [tss + 8], KDATA
    call timer_on
    mov dword ptr [PD], PT0 + 7
    mov dword ptr [PD + 4], PT1 + 7
    mov dword ptr [PD + 12], 0
    mov edi, PT1
    mov eax, 0x400007
    mov ecx, 1024
30: stosd
    add eax, 0x1000
    dec ecx
    jnz 30b
    mov eax, PD
    mov cr3, eax
    # random page tables for 4 - 8 MiB and, seldom, large pages behind them
    test dword ptr [ways], 0x100
    jz 5f
    mov edx, 12
4:  call random
    mov ebx, eax
    and ebx, 1023
    call random
    and eax, 0x01ffffff
    test dword ptr [ways], 0x200
    jz 41f
    rol eax, 3
41: mov [PT1 + ebx * 4], eax
    dec edx
    jnz 4b
    call random
    test eax, 0xf0
    jnz 5f
    and eax, 0x01c001ff
    mov [PD + 12], eax
    mov eax, 0x610
    mov cr4, eax
5:  call random
    test eax, 0x3f0000
    jnz 51f
    mov ebx, cr0
    xor ebx, 0x10000               # WP
    mov cr0, ebx
51: mov ebx, [count]
    and ebx, 0xfff
    shl ebx, 6
    add ebx, SNIPPETS
    # general registers: small numbers, addresses, anything
    mov edx, 7
6:  call random
    mov [regs + edx * 4], eax
    test eax, 0x100000
    jz 7f
    and eax, 0x3fffff
    or eax, 0x300000
    mov [regs + edx * 4], eax
7:  dec edx
    jns 6b
    call random
    mov edx, eax
    mov ecx, [ways]
    and ecx, edx
    test ecx, 1
    jnz ring0
    test ecx, 2
    jnz ring3
    test ecx, 4
    jnz code16
    test ecx, 8
    jnz v86
ring3:
    push UDATA
    push USTACK + 0x800
    and edx, 0xed5
    or edx, 0x202
    push edx
    push UCODE
    push ebx
    mov eax, UDATA
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    jmp go
ring0:
    and edx, 0xed5
    or edx, 0x202
    push edx
    push KCODE
    push ebx
    jmp go
code16:
    mov eax, FREE + 8
    mov ds, eax
    mov es, eax
    and ebx, 0xffff
    push 0x202
    push FREE
    push ebx
    jmp go
v86:
    and ebx, 0xffff
    push 0x1000                    # gs fs ds es
    push 0x1000
    push 0x1000
    push 0x1000
    push 0x1000                    # ss
    push 0xfff0
    and edx, 0x3ed5
    or edx, 0x20202
    push edx
    push 0x1000
    push ebx
go: mov eax, cs:[regs]
    mov ecx, cs:[regs + 4]
    mov edx, cs:[regs + 8]
    mov ebx, cs:[regs + 12]
    mov ebp, cs:[regs + 20]
    mov esi, cs:[regs + 24]
    mov edi, cs:[regs + 28]
    iret
.set idt_offset, idt - start
.balign 4096
regs: .fill 8, 4, 0
count: .long 0
tss2: .fill 102, 1, 0
    .word 0x68
.ascii "FUZZ"
state: .long 1
ways: .long 0xffff
image_end:
