# Proves that instructions which do not trap show the virtual machine's state in
# ring 3, and that privileged ones are #GP there (SDM 3A, 5.9).
.include "prelude.inc"
.set LDT, FREE
.set BIGONE, FREE + 8      # data, limit 0x12345
.set EXECONLY, FREE + 16
.set CONFORM, FREE + 24
.set CALLGATE, FREE + 32
.macro TRY name, code
    SAY "\name "
    USER 96f
    jmp 97f
96: \code
    mov eax, 0
    int 0x80
    int 0x81
97:
.endm
.macro GP name, code
    SAY "\name "
    USER 96f
    jmp 97f
96: \code
    int 0x81
97:
.endm
test_main:
    call paging_on
    mov eax, cr4
    or eax, 0x40200
    mov cr4, eax
    mov dword ptr [gdt + LDT], 0x5000001f
    mov dword ptr [gdt + LDT + 4], 0x00008231
    mov dword ptr [gdt + BIGONE], 0x00002345
    mov dword ptr [gdt + BIGONE + 4], 0x0041f300
    mov dword ptr [gdt + EXECONLY], 0x0000ffff
    mov dword ptr [gdt + EXECONLY + 4], 0x00cff900
    mov dword ptr [gdt + CONFORM], 0x0000ffff
    mov dword ptr [gdt + CONFORM + 4], 0x00cf9f00
    mov dword ptr [gdt + CALLGATE], 0x00080000
    mov dword ptr [gdt + CALLGATE + 4], 0x0000ec00
    mov eax, LDT
    lldt ax
    USER user
#= 00000000
#= 000000ff
#= 00000000
#= 000007ff
#= 00000030
#= 00000028
#= 00000011
#= 0000001b
#= 00000023
#= 0000001b
#= 00000023
#= 00000200
#= 00004ed7
#= 00000202
# ring 0 code and data: nothing
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00c0fb00
#= ffffffff
#= 01010001
#= 00c0f300
#= ffffffff
#= 01010101
#= 0040f300
#= 00012345
#= 01010101
#= 00c0f900
#= ffffffff
#= 01010000
#= 00c09f00
#= ffffffff
#= 01010001
# TSS and LDT have DPL 0
#= 00000000
#= 00000000
#= 00000000
# a call gate has rights and no limit
#= 0000ec00
#= 00000000
#= 00010000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
#= 00000000
    mov eax, 0
    mov ebx, 0x3000
    or [user_flags], ebx
    # IOPL 3: cli, sti and popf change IF; popf still cannot change IOPL
    USER iopl3
#= 00003000
#= 00003200
#= 00003000
#= 0000005a
    and dword ptr [user_flags], ~0x3000
    GP "hlt", "hlt"
    GP "cli", "cli"
    GP "sti", "sti"
    GP "lgdt", "lgdt [gdtr]"
    GP "lidt", "lidt [idtr]"
    GP "lldt", "lldt ax"
    GP "ltr", "ltr ax"
    GP "lmsw", "lmsw ax"
    GP "clts", "clts"
    GP "mov cr0", "mov cr0, eax"
    GP "from cr0", "mov eax, cr0"
    GP "from cr3", "mov eax, cr3"
    GP "mov cr4", "mov cr4, eax"
    GP "dr7", "mov eax, dr7"
    GP "invlpg", "invlpg [0]"
    GP "invd", "invd"
    GP "wbinvd", "wbinvd"
    GP "rdmsr", "rdmsr"
    GP "wrmsr", "wrmsr"
    GP "rdpmc", "rdpmc"
    GP "in", "in al, 0x80"
    GP "out", "out 0x80, al"
    GP "ins", "insb"
    GP "outs", "outsb"
    GP "iret to ring 0", "push 2; push KCODE; push 0; iret"
    GP "sysexit", "sysexit"
    GP "xsetbv", "xsetbv"
    GP "int", "int 0x21"
    GP "mov ds", "mov eax, KDATA; mov ds, eax"
    GP "mov ss", "mov eax, KDATA; mov ss, eax"
    GP "jmp far", "jmp KCODE:0"
    GP "null", "xor eax, eax; mov gs, eax; mov eax, gs:[0]"
#= hlt !0d 0000 +0000
#= cli !0d 0000 +0000
#= sti !0d 0000 +0000
#= lgdt !0d 0000 +0000
#= lidt !0d 0000 +0000
#= lldt !0d 0000 +0000
#= ltr !0d 0000 +0000
#= lmsw !0d 0000 +0000
#= clts !0d 0000 +0000
#= mov cr0 !0d 0000 +0000
#= from cr0 !0d 0000 +0000
#= from cr3 !0d 0000 +0000
#= mov cr4 !0d 0000 +0000
#= dr7 !0d 0000 +0000
#= invlpg !0d 0000 +0000
#= invd !0d 0000 +0000
#= wbinvd !0d 0000 +0000
#= rdmsr !0d 0000 +0000
#= wrmsr !0d 0000 +0000
#= rdpmc !0d 0000 +0000
#= in !0d 0000 +0000
#= out !0d 0000 +0000
#= ins !0d 0000 +0000
#= outs !0d 0000 +0000
#= iret to ring 0 !0d 0008 +0006
#= sysexit !0d 0000 +0000
#= xsetbv !0d 0000 +0000
#= int !0d 010a +0000
#= mov ds !0d 0010 +0005
#= mov ss !0d 0010 +0005
#= jmp far !0d 0008 +0000
#= null !0d 0000 +0004
    # CR4: time stamp and performance counter refused; alignment checks
    mov eax, cr4
    or eax, 4
    mov cr4, eax
    GP "rdtsc", "rdtsc"
#= rdtsc !0d 0000 +0000
    mov eax, cr4
    and eax, ~4
    mov cr4, eax
    TRY "rdtsc", "rdtsc"
#= rdtsc 00000000
    mov eax, cr0
    or eax, 0x40000
    mov cr0, eax
    or dword ptr [user_flags], 0x40000
    GP "aligned", "mov eax, [SCRATCH + 4]; mov eax, [SCRATCH + 5]"
#= aligned !11 0000 +0005
    and dword ptr [user_flags], ~0x40000
    ret
user:
    sgdt [SCRATCH]
    mov eax, [SCRATCH + 2]
    sub eax, offset gdt
    int 0x80
    movzx eax, word ptr [SCRATCH]
    int 0x80
    sidt [SCRATCH]
    mov eax, [SCRATCH + 2]
    sub eax, offset idt
    int 0x80
    movzx eax, word ptr [SCRATCH]
    int 0x80
    sldt eax
    int 0x80
    str eax
    int 0x80
    smsw eax
    and eax, 0xffff
    int 0x80
    mov eax, cs
    int 0x80
    mov eax, ss
    int 0x80
    push cs
    pop eax
    int 0x80
    push ds
    pop eax
    int 0x80
    pushf
    pop eax
    and eax, 0x3ffff00
    int 0x80
    push 0x3feff
    popf
    pushf
    pop eax
    and eax, 0x3f7fff
    int 0x80
    push 0x2
    popf
    pushf
    pop eax
    int 0x80
    # lar, lsl, verr, verw
    .irp sel, KCODE, KDATA, UCODE, UDATA, BIGONE, EXECONLY, CONFORM, TSS, CALLGATE, 0, 0x1000, LDT, 4, 0x24
    mov ecx, \sel
    xor eax, eax
    lar eax, ecx
    setz dl
    int 0x80
    xor eax, eax
    lsl eax, ecx
    setz dh
    int 0x80
    verr cx
    setz al
    verw cx
    setz ah
    shl edx, 16
    mov dx, ax
    mov eax, edx
    and eax, 0x01010101
    int 0x80
    .endr
    int 0x81
iopl3:
    cli
    pushf
    pop eax
    and eax, 0x3200
    int 0x80
    sti
    pushf
    pop eax
    and eax, 0x3200
    int 0x80
    push 2
    popf
    pushf
    pop eax
    and eax, 0x3200
    int 0x80
    mov al, 0x5a
    out 0x80, al
    in al, 0x80
    movzx eax, al
    int 0x80
    int 0x81
