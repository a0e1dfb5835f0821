# Proves the ways between privilege levels and modes: call gates, far returns,
# task switches, virtual-8086 mode with 16-bit code, real mode and back, 16-bit
# protected segments, segments with base and limit.
.include "prelude.inc"
.set GATE, FREE            # call gate to ring 0, DPL 3, one parameter
.set GATE3, GATE + 3
.set TSS2, FREE + 8
.set TASKGATE, FREE + 16
.set CODE16, FREE + 24     # base 0x10000
.set DATA16, FREE + 32
.set BASED, FREE + 40      # data, base SCRATCH, limit 0xfff, byte granular
.set DOWN, FREE + 48       # expand-down above 0xfff, big, base SCRATCH
.set BASECODE, FREE + 56   # 32-bit code with base 0x1000 below the program's
.set NOTPRESENT, FREE + 64
.set CONFORM, FREE + 72
.macro DESC sel, lo, hi
    mov dword ptr [gdt + \sel], \lo
    mov dword ptr [gdt + \sel + 4], \hi
.endm
test_main:
    call paging_on
    # call gate from ring 3: stack switched, parameter copied, far return drops it
    mov eax, offset gate_target
    mov word ptr [gdt + GATE], ax
    shr eax, 16
    mov word ptr [gdt + GATE + 6], ax
    mov word ptr [gdt + GATE + 2], KCODE
    mov word ptr [gdt + GATE + 4], 0xec01
    USER through_gate
#= 00000008
#= abcd1234
#= 0000001b
#= 00000023
    # the same gate from ring 0: no switch
    push 0x77
    call GATE:0
    SHOW "gate ring 0", eax
#= gate ring 0 00000077
    mov word ptr [gdt + GATE + 4], 0x8c01
    USER through_gate
#= !0d 0030 +0007
    # task switch and back by iret
    mov eax, offset tss2
    mov dword ptr [gdt + TSS2], 0x67
    mov word ptr [gdt + TSS2 + 2], ax
    shr eax, 16
    mov dword ptr [gdt + TSS2 + 4], 0x8900
    mov byte ptr [gdt + TSS2 + 4], al
    DESC TASKGATE, (TSS2 << 16), 0x8500
    mov eax, cr3
    mov [tss2 + 28], eax
    mov [tss + 28], eax
    mov dword ptr [tss2 + 32], offset task2
    mov dword ptr [tss2 + 36], 2
    mov dword ptr [tss2 + 40], 0x1234
    mov dword ptr [tss2 + 56], offset kstack_top
    mov dword ptr [tss2 + 72], KDATA
    mov dword ptr [tss2 + 76], KCODE
    mov dword ptr [tss2 + 80], KDATA
    mov dword ptr [tss2 + 84], KDATA
    mov ebx, 5
    call TSS2:0
    str eax
    SHOW "back in task", eax, ebx
#= task2 00001234 00000038
#= back in task 00000028 00000005
    call TASKGATE:0
    str eax
    SHOW "back again", eax, ebx
#= again 00000038
#= back again 00000028 00000005
    # virtual-8086 mode
    cld
    mov esi, offset v86_code
    mov edi, 0x10000
    mov ecx, offset v86_end
    sub ecx, esi
    rep movsb
    mov dword ptr [hook], offset v86_hook
    mov dword ptr [resume], offset 1f
    mov [resume_esp], esp
    mov dword ptr [mark], 0
    mov dword ptr [tss + 4], offset kstack_top
    mov dword ptr [tss + 8], KDATA
    push 0x4000
    push 0x3000
    push 0x2000
    push 0x1500
    push 0x1800                    # ss
    push 0x0ffe
    push 0x20202
    push 0x1000
    push 0
    iret
1:  mov dword ptr [hook], 0
    movzx eax, word ptr [0x20000]
    movzx ebx, word ptr [0x18ffc]
    SHOW "v86", eax, ebx
#= v86 gp f4
#= v86 int 00000042
#= v86 00005150 00001357
    # 16-bit protected code and data
    mov esi, offset code16
    mov edi, 0x10000
    mov ecx, offset code16_end
    sub ecx, esi
    rep movsb
    DESC CODE16, 0x0000ffff, 0x00009b01
    DESC DATA16, 0x0000ffff, 0x00009301
    mov ebp, esp
    mov eax, DATA16
    mov ds, eax
    mov ebx, 0xaaaa0000
    call CODE16:0
    mov ecx, ds
    mov edx, KDATA
    mov ds, edx
    sub ebp, esp
    SHOW "16-bit", ebx, ecx, eax, ebp
#= 16-bit aaaa1235 00000050 00001235 00000000
    # segments with base and limit
    DESC BASED, 0x00000fff + (SCRATCH << 16), 0x00409300 + (SCRATCH >> 16)
    mov dword ptr [SCRATCH + 0xffc], 0x11112222
    mov eax, BASED
    mov gs, eax
    mov eax, gs:[0xffc]
    SHOW "based", eax
#= based 11112222
    EXPECT 1f
    mov eax, gs:[0xffd]
1:  nop
#= !0d 0000 +0000
    mov gs:[8], eax
    mov eax, BASED
    mov es, eax
    mov edi, 0xff8
    mov ecx, 4
    EXPECT 1f
    rep stosd
1:  mov eax, KDATA
    mov es, eax
    SHOW "stos limit", edi, ecx
#= !0d 0000 +0000
#= stos limit 00001000 00000002
    mov eax, BASED
    mov ss, eax
    mov esp, 0x800
    push 0x55
    mov ecx, [SCRATCH + 0x7fc]
    mov eax, KDATA
    mov ss, eax
    mov esp, [resume_esp]
    SHOW "ss base", ecx
#= ss base 00000055
    EXPECT 1f
    mov eax, BASED
    mov ss, eax
    mov esp, 0x800
    mov ebp, 0x1000
    mov eax, [ebp]
1:  nop
#= !0c 0000 +0011
    # expand-down: offsets above the limit only
    DESC DOWN, 0x00000fff + (SCRATCH << 16), 0x00409700 + (SCRATCH >> 16)
    mov eax, DOWN
    mov fs, eax
    mov dword ptr [SCRATCH + 0x1000], 0xdada
    mov eax, fs:[0x1000]
    SHOW "down", eax
#= down 0000dada
    EXPECT 1f
    mov eax, fs:[0xfff]
1:  nop
#= !0d 0000 +0000
    # code with a base, called and returned from, and its own limit
    DESC BASECODE, 0x00000000 + 0x00000fff, 0x00409b10
    mov eax, offset based_code
    mov word ptr [gdt + BASECODE + 2], ax
    shr eax, 16
    mov byte ptr [gdt + BASECODE + 4], al
    mov edi, 0
    call BASECODE:0
    SHOW "code base", eax, edi
#= code base 00000068 00000003
    EXPECT 1f
    jmp BASECODE:0x1000
1:  nop
#= !0d 0000 +0000
    # descriptors that refuse
    DESC NOTPRESENT, 0x0000ffff, 0x00cf1300
    EXPECT 1f
    mov eax, NOTPRESENT
    mov fs, eax
1:  EXPECT 2f
    mov eax, NOTPRESENT
    mov ss, eax
2:  EXPECT 3f
    mov eax, KCODE
    mov ss, eax
3:  EXPECT 4f
    mov eax, 0x7f8
    mov ds, eax
4:  EXPECT 5f
    xor eax, eax
    mov fs, eax
    mov eax, fs:[0]
5:  EXPECT 6f
    mov cs:[SCRATCH], eax
6:  EXPECT 7f
    mov eax, KCODE
    mov fs, eax
    mov fs:[SCRATCH], eax
7:  nop
#= !0b 0070 +0005
#= !0c 0070 +0005
#= !0d 0008 +0005
#= !0d 07f8 +0005
#= !0d 0000 +0004
#= !0d 0000 +0000
#= !0d 0000 +0007
    # conforming code keeps the caller's privilege
    DESC CONFORM, 0x0000ffff, 0x00cf9f00
    USER conforming
#= 0000007b
    # real mode and back, with an interrupt in it
    mov esi, offset real_code
    mov edi, 0x8000
    mov ecx, offset real_end
    sub ecx, esi
    rep movsb
    mov dword ptr [4 * 0x21], 0x08000000 + (real_int - real_code)
    mov [real_esp], esp
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    lidt [real_idt]
    DESC CODE16, 0x8000ffff, 0x00009b00
    DESC DATA16, 0x8000ffff, 0x00009300
    mov eax, DATA16
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov esp, 0x7000
    jmp CODE16:0
real_back:
    mov eax, KDATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov esp, [real_esp]
    lidt [idtr]
    movzx eax, word ptr [0x9000]
    movzx ebx, word ptr [0x9002]
    mov ecx, [0x9004]
    SHOW "real", eax, ebx, ecx
#= real 00000800 00000021 0badcafe
    ret
conforming:
    call CONFORM:1f
    int 0x81
1:  mov eax, cs
    int 0x80
    lret
through_gate:
    push 0xabcd1234
    mov ebx, esp
    call GATE3:0
    mov eax, ecx
    int 0x80
    mov eax, edx
    int 0x80
    mov eax, cs
    int 0x80
    mov eax, ss
    int 0x80
    int 0x81
gate_target:
    mov ecx, cs
    mov edx, [esp + 8]
    mov eax, edx
    lret 4
task2:
    SHOW "task2", eax, 0x38
    iret
    str eax
    SHOW "again", eax
    iret
based_code:
    mov edi, 3
    mov eax, cs
    lret
v86_hook:
    cmp dword ptr [ebp + 48], 13
    jne 1f
    mov eax, [ebp + 60]            # cs:ip
    shl eax, 4
    add eax, [ebp + 56]
    movzx eax, byte ptr [eax]
    cmp al, 0xf4
    jne 2f
    SAY "v86 gp "
    mov ecx, 2
    call puthex
    call newline
    inc dword ptr [ebp + 56]
    stc
    ret
2:  cmp al, 0xcd                   # IOPL 0: int is refused, the monitor's business
    jne 1f
    mov eax, [ebp + 60]
    shl eax, 4
    add eax, [ebp + 56]
    movzx eax, byte ptr [eax + 1]
    cmp al, 0x43
    je 3f
    SHOW "v86 int", eax
    add dword ptr [ebp + 56], 2
    stc
    ret
3:  add esp, 4
    jmp leave_user
1:  clc
    ret
.balign 4
real_esp: .long 0
real_idt: .word 0x3ff
    .long 0
.balign 4096
tss2: .fill 102, 1, 0
    .word 0x68
.code16
v86_code:
    mov ax, 0x5150
    mov ds:[0], ax
    push 0x1357
    pop bx
    push bx
    hlt
    int 0x42
    mov cx, 3
1:  call 2f
    loop 1b
    int 0x43
2:  add ax, cx
    ret
v86_end:
code16:
    mov bx, 0x1234
    inc bx
    mov ds:[0x8000], bx
    mov eax, 0
    mov ax, ds:[0x8000]
    .byte 0x66
    lret
code16_end:
real_code:
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    .byte 0xea
    .word 1f - real_code, 0x0800
1:  mov ax, 0x0900
    mov ds, ax
    mov ax, 0x0800
    mov ss, ax
    mov sp, 0x7000
    mov bx, cs
    mov ds:[0], bx
    sti
    int 0x21
    cli
    mov ax, 0xffff
    mov es, ax
    mov dword ptr es:[0x10 + 0x8000], 0x0badcafe   # 1 MiB + 32 KiB
    mov eax, es:[0x10 + 0x8000]
    mov ds:[4], eax
    mov eax, cr0
    or al, 1
    mov cr0, eax
    .byte 0x66, 0xea
    .long real_back
    .word KCODE
real_int:
    mov word ptr ds:[2], 0x21
    iret
real_end:
.code32
