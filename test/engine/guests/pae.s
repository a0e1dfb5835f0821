# Proves PAE paging: switching to it, execute disable, 2 MiB pages and their
# splitting, entries of the page-directory-pointer table (checked when CR3 is loaded),
# accessed and dirty bits, reserved bits.
.include "prelude.inc"
.set PDPT, 0x220000
.set PAEPD, 0x221000
.set PAEPT, 0x222000       # 4 - 6 MiB
test_main:
    cld
    mov edi, PDPT
    mov ecx, 0xc00
    xor eax, eax
    rep stosd
    mov dword ptr [PDPT], PAEPD + 1
    mov dword ptr [PAEPD], 0x000087
    mov dword ptr [PAEPD + 8], 0x200087
    mov dword ptr [PAEPD + 16], PAEPT + 7
    mov edi, PAEPT
    mov eax, 0x400007
    mov ecx, 512
1:  mov [edi], eax
    add edi, 8
    add eax, 0x1000
    loop 1b
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov eax, PDPT
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x800
    wrmsr
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    SAY "on"
    call newline
#= on
    mov eax, [PAEPD]
    and eax, 0x60
    mov ebx, [PAEPT + 8]
    mov ecx, [0x401000]
    mov ecx, [PAEPT + 8]
    mov [0x401000], ecx
    mov edx, [PAEPT + 8]
    SHOW "bits", eax, ebx, ecx, edx
#= bits 00000060 00401007 00401027 00401067
    # execute disable: data may be read, not run
    mov dword ptr [0x402000], 0xc307b0
    mov eax, 0x402000
    call eax
    SHOW "runs", eax
#= runs 00402007
    mov dword ptr [PAEPT + 20], 0x80000000
    invlpg [0x402000]
    mov eax, [0x402000]
    SHOW "reads", eax
#= reads 00c307b0
    EXPECT 2f
    mov eax, 0x402000
    mov [mark], eax
    call eax
2:  nop
#= !0e 0011 +0000 00402000
    mov dword ptr [PAEPT + 20], 0
    invlpg [0x402000]
    mov eax, 0x402000
    call eax
    SHOW "runs", eax
#= runs 00402007
    # an instruction that runs over into a page that may not be run
    mov dword ptr [PAEPT + 28], 0x80000000
    invlpg [0x403000]
    mov byte ptr [0x402fff], 0xb0
    mov word ptr [0x403000], 0xc309
    EXPECT 3f
    mov eax, 0x402fff
    mov [mark], eax
    call eax
3:  mov dword ptr [PAEPT + 28], 0
    invlpg [0x403000]
    mov eax, 0x402fff
    call eax
    SHOW "crossing", eax
#= !0e 0011 +0000 00403000
#= crossing 00402f09
    # the same in ring 3, and NX off: the bit is reserved
    mov dword ptr [PAEPT + 20], 0x80000000
    invlpg [0x402000]
    USER 4f
#= !0e 0015 +0000 00402000
    mov ecx, 0xc0000080
    rdmsr
    and eax, ~0x800
    wrmsr
    EXPECT 5f
    mov eax, [0x402000]
5:  or eax, 0x800
    mov ecx, 0xc0000080
    mov eax, 0x800
    xor edx, edx
    wrmsr
    mov eax, [0x402000]
    SHOW "NX off, on", eax
#= !0e 0009 +0000 00402000
#= NX off, on 00c307b0
    # a 2 MiB page instead of the table, and back
    mov dword ptr [PAEPD + 16], 0x400087
    mov eax, cr3
    mov cr3, eax
    mov eax, 0x402000
    call eax
    mov ebx, [PAEPD + 16]
    SHOW "large", eax, ebx
#= large 00402007 004000a7
    mov [0x5ffffc], eax
    mov ebx, [PAEPD + 16]
    SHOW "large", ebx
#= large 004000e7
    mov dword ptr [PAEPD + 16], 0x410087     # reserved bit 16
    invlpg [0x400000]
    EXPECT 6f
    mov eax, [0x400000]
6:  mov dword ptr [PAEPD + 16], PAEPT + 7
    invlpg [0x400000]
    mov dword ptr [PAEPT + 20], 0
    mov eax, [0x402000]
    SHOW "small", eax
#= !0e 0009 +0000 00400000
#= small 00c307b0
    # an entry that points beyond 4 GiB: nothing is there
    mov dword ptr [PAEPT + 36], 1
    invlpg [0x404000]
    mov eax, [0x404000]
    SHOW "above 4 GiB", eax
#= above 4 GiB ffffffff
    mov dword ptr [PAEPT + 36], 0x100        # beyond the physical address width
    invlpg [0x404000]
    EXPECT 7f
    mov eax, [0x404000]
7:  mov dword ptr [PAEPT + 36], 0
    invlpg [0x404000]
#= !0e 0009 +0000 00404000
    # page-directory pointers are loaded with CR3
    mov dword ptr [PDPT + 8], PAEPD + 1
    mov eax, cr3
    mov cr3, eax
    mov dword ptr [0x405000], 0x5050
    mov eax, [0x40405000]
    SHOW "second GiB", eax
#= second GiB 00005050
    EXPECT 8f
    mov dword ptr [PDPT + 16], PAEPD + 0x20 + 1   # reserved bit: #GP
    mov eax, cr3
    mov cr3, eax
8:  mov dword ptr [PDPT + 16], 0
#= !0d 0000 +000d
    # back to two-level paging
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    mov eax, cr4
    and eax, ~0x20
    mov cr4, eax
    call paging_on
    mov eax, [0x405000]
    SHOW "two levels", eax
#= two levels 00005050
    ret
4:  mov eax, 0x402000
    mov [mark], eax
    jmp eax
