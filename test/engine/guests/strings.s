# Proves that repeated string instructions that fault midway leave esi, edi and
# ecx exact and go on from there: forward and backward, every operation and
# width, across 4 GiB, and compares that stop for two reasons.
.include "prelude.inc"
.set BORDER, 0x401000
show_it:                           # hook: #PF prints esi edi ecx and maps the page that misses
    cmp dword ptr [ebp + 48], 14
    jne 9f
    SAY "fault "
    mov eax, [ebp + 20]
    call put_eax
    mov eax, [ebp + 16]
    call put_eax
    mov eax, [ebp + 40]
    call put_eax
    mov eax, cr2
    call put_eax
    call newline
    mov eax, cr2
    shr eax, 12
    and eax, 1023
    mov ebx, cr2
    and ebx, 0xfffff000
    or ebx, 7
    mov [PT1 + eax * 4], ebx
    stc
    ret
9:  clc
    ret
.macro GONE page
    mov dword ptr [PT1 + (\page - 0x400000) / 1024], 0
    invlpg [\page]
.endm
.macro REGS name
    SHOW "\name", esi, edi, ecx, eax
.endm
test_main:
    call paging_on
    mov dword ptr [hook], offset show_it
    cld
    mov edi, SCRATCH
    mov ecx, 0x3000
    xor eax, eax
1:  stosb
    inc eax
    loop 1b
    # movsb: target misses, then source misses
    GONE 0x401000
    mov esi, SCRATCH
    mov edi, BORDER - 3
    mov ecx, 8
    xor eax, eax
    rep movsb
    REGS "movsb"
#= fault 00310003 00401000 00000005 00401000
#= movsb 00310008 00401005 00000000 00000000
    mov eax, [BORDER - 3]
    mov ebx, [BORDER + 1]
    SHOW "moved", eax, ebx
#= moved 03020100 07060504
    GONE 0x401000
    mov esi, BORDER - 8
    mov edi, SCRATCH
    mov ecx, 5
    rep movsd
    REGS "movsd"
#= fault 00401000 00310008 00000003 00401000
#= movsd 0040100c 00310014 00000000 03020100
    # an element that straddles: nothing of it is done
    GONE 0x401000
    mov dword ptr [BORDER - 6], 0
    mov esi, SCRATCH
    mov edi, BORDER - 6
    mov ecx, 3
    rep movsd
    REGS "straddle"
#= fault 00310004 00400ffe 00000002 00401000
#= straddle 0031000c 00401006 00000000 03020100
    # backward
    GONE 0x402000
    GONE 0x401000
    mov esi, SCRATCH + 0x1000
    mov edi, 0x403002
    mov ecx, 0x1007
    std
    rep movsb
    cld
    REGS "backward"
#= fault 00310ffd 00402fff 00001004 00402fff
#= fault 0030fffd 00401fff 00000004 00401fff
#= backward 0030fff9 00401ffb 00000000 03020100
    GONE 0x401000
    mov edi, 0x402008
    mov ecx, 6
    mov eax, 0x12345678
    std
    rep stosd
    cld
    REGS "stosd"
#= fault 0030fff9 00401ffc 00000003 00401ffc
#= stosd 0030fff9 00401ff0 00000000 12345678
    GONE 0x401000
    mov edi, BORDER - 5
    mov ecx, 7
    mov eax, 0xabcd
    rep stosw
    REGS "stosw"
#= fault 0030fff9 00400fff 00000005 00401000
#= stosw 0030fff9 00401009 00000000 0000abcd
    # lods
    GONE 0x401000
    mov esi, BORDER - 4
    mov ecx, 3
    rep lodsb
    REGS "lodsb"
#= lodsb 00400fff 00401009 00000000 0000abab
    mov ecx, 3
    rep lodsb
    REGS "lodsb"
#= fault 00401000 00401009 00000002 00401000
#= lodsb 00401002 00401009 00000000 0000abcd
    # cmps: stops at a difference before the fault, or goes on into it
    mov dword ptr [SCRATCH + 0x100], 0xabcdabcd
    mov edi, BORDER - 5
    mov ecx, 9
    mov ax, 0xabcd
    rep stosw
    GONE 0x401000
    mov esi, SCRATCH + 0x100
    mov edi, BORDER - 3
    mov ecx, 8
    repe cmpsb
    setz al
    REGS "cmpsb"
#= fault 00310103 00401000 00000005 00401000
#= cmpsb 00310105 00401002 00000003 0000ab00
    GONE 0x401000
    mov esi, SCRATCH + 0x100
    mov edi, BORDER - 3
    mov ecx, 2
    repe cmpsb
    setz al
    REGS "cmpsb"
#= cmpsb 00310102 00400fff 00000000 0000ab01
    # scas
    mov edi, BORDER - 3
    mov ecx, 10
    mov eax, 0x1ff
    repne scasb
    REGS "scasb"
#= fault 00310102 00401000 00000007 00401000
#= scasb 00310102 00401007 00000000 000001ff
    # ecx = 0 does nothing, whatever the pointers
    GONE 0x401000
    mov edi, BORDER
    mov esi, BORDER
    xor ecx, ecx
    rep movsd
    repe cmpsb
    rep stosd
    REGS "none"
#= none 00401000 00401000 00000000 000001ff
    # a fault that is not repaired: #PF names the element
    mov dword ptr [hook], 0
    mov edi, BORDER - 6
    mov ecx, 5
    EXPECT 2f
    rep stosw
2:  REGS "given up"
#= !0e 0002 +0000 00401000
#= given up 00401000 00401000 00000002 000001ff
    EXPECT 2f
    lodsd
2:  REGS "lodsd"
#= !0e 0000 +0000 00401000
#= lodsd 00401000 00401000 00000002 000001ff
    # across 4 GiB: the last page and the first
    mov dword ptr [PD + 4092], PT1 + 7
    mov dword ptr [PT1 + 4092], 0x420007
    mov dword ptr [PT0], 0x421007
    mov eax, cr3
    mov cr3, eax
    mov esi, SCRATCH + 0x200
    mov edi, 0xfffffffd
    mov ecx, 6
    rep movsb
    REGS "wrap"
#= wrap 00310206 00000003 00000000 00200000
    mov eax, [0x420ffd - 1]
    mov ebx, [0x421000]
    SHOW "wrapped", eax, ebx
#= wrapped 02010000 00050403
    mov esi, 0xfffffffe
    lodsd
    SHOW "wrap read", eax, esi
#= wrap read 04030201 00000002
    mov dword ptr [0xfffffffd], 0x44332211
    mov eax, [0xfffffffe]
    SHOW "wrap store", eax
#= wrap store 04443322
    mov edi, 2
    mov ecx, 4
    mov al, 0x5a
    std
    rep stosb
    cld
    mov eax, [0xffffffff]
    SHOW "wrap down", edi, eax
#= wrap down fffffffe 5a5a5a5a
    mov dword ptr [PT0], 0
    invlpg [0]
    mov esi, SCRATCH
    mov edi, 0xfffffffc
    mov ecx, 3
    EXPECT 2f
    rep movsd
2:  REGS "wrap fault"
#= !0e 0002 +0000 00000000
#= wrap fault 00310004 00000000 00000002 5a5a5a5a
    # 16-bit addresses wrap at 64 KiB and leave the upper halves alone
    mov dword ptr [PT0], 0x000007
    mov dword ptr [PT0 + 60], 0x00f007
    invlpg [0]
    mov edi, 0x1234fffe
    mov ecx, 0x56780004
    mov al, 0x77
    .byte 0x67
    rep stosb
    SHOW "short", edi, ecx
#= short 12340002 56780000
    ret
