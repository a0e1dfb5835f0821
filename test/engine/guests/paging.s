# Proves that page tables changed under running code take effect exactly where
# the architecture says: invlpg, CR3 reload, large pages and their splitting,
# global pages, CR0.WP, user and supervisor, accessed and dirty bits.
.include "prelude.inc"
.macro PTE n
    mov eax, [PT1 + \n * 4]
    and eax, 0x60
.endm
test_main:
    call paging_on
    # A and D: nothing, read, write, and a read of a clean page maps it clean
    PTE 1
    SHOW "untouched", eax
#= untouched 00000000
    mov ebx, [0x401000]
    PTE 1
    SHOW "read", eax
#= read 00000020
    mov [0x401ffc], ebx
    PTE 1
    SHOW "written", eax
#= written 00000060
    PTE 2
    SHOW "neighbour", eax
#= neighbour 00000000
    # cleared with invlpg they are set again; D cleared alone
    and dword ptr [PT1 + 4], ~0x60
    invlpg [0x401000]
    mov ebx, [0x401000]
    PTE 1
    SHOW "again", eax
#= again 00000020
    or dword ptr [0x401010], 0
    PTE 1
    SHOW "dirty", eax
#= dirty 00000060
    and dword ptr [PT1 + 4], ~0x40
    mov eax, cr3
    mov cr3, eax
    mov ebx, [0x401000]
    PTE 1
    SHOW "clean", eax
#= clean 00000020
    mov [0x401000], ebx
    PTE 1
    SHOW "dirty", eax
#= dirty 00000060
    # string instructions and the stack set them too; a failed write does not
    mov edi, 0x402ffc
    mov ecx, 2
    cld
    rep stosd
    PTE 2
    SHOW "rep", eax
#= rep 00000060
    PTE 3
    SHOW "rep", eax
#= rep 00000060
    PTE 0
    SHOW "not", eax
#= not 00000000
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    mov dword ptr [PT1 + 16], 0x404005
    EXPECT 1f
    mov [0x404004], eax
1:  PTE 4
    SHOW "refused", eax
#= !0e 0003 +0000 00404004
#= refused 00000000
    EXPECT 1f
    mov ebx, [0x404004]
    xadd [0x404004], ebx
1:  PTE 4
    SHOW "refused", eax
#= !0e 0003 +0006 00404004
#= refused 00000020
    mov eax, cr0
    and eax, ~0x10000
    mov cr0, eax
    mov [0x404004], eax
    PTE 4
    SHOW "WP clear", eax
#= WP clear 00000060
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    EXPECT 1f
    mov [0x404004], eax
1:
#= !0e 0003 +0000 00404004
    # pages exchanged under an address: old content until invlpg is allowed, new content after it is demanded
    mov dword ptr [0x405000], 0x5555
    mov dword ptr [0x406000], 0x6666
    mov dword ptr [PT1 + 20], 0x406007
    invlpg [0x405000]
    mov eax, [0x405000]
    mov dword ptr [PT1 + 20], 0x405007
    mov ebx, cr3
    mov cr3, ebx
    mov ebx, [0x405000]
    SHOW "exchanged", eax, ebx
#= exchanged 00006666 00005555
    # the code's own page exchanged: the same linear address runs other code
    mov dword ptr [0x407000], 0xc301b0     # mov al, 1; ret
    mov dword ptr [0x408000], 0xc302b0
    mov ecx, 500
    xor edx, edx
2:  xor eax, eax
    mov ebx, 0x407000
    call ebx
    add edx, eax
    mov dword ptr [PT1 + 28], 0x408007
    invlpg [0x407000]
    call ebx
    add edx, eax
    mov dword ptr [PT1 + 28], 0x407007
    mov eax, cr3
    mov cr3, eax
    loop 2b
    SHOW "code", edx
#= code 000005dc
    # a missing entry needs no flush to appear (#PF is taken anew)
    mov dword ptr [PT1 + 36], 0
    invlpg [0x409000]
    EXPECT 1f
    mov eax, [0x409000]
1:  mov dword ptr [PT1 + 36], 0x409007
    mov dword ptr [0x409000], 0x99
    mov eax, [0x409000]
    SHOW "appeared", eax
#= !0e 0000 +0000 00409000
#= appeared 00000099
    # rights raised need no flush either
    mov dword ptr [PT1 + 36], 0x409005
    invlpg [0x409000]
    EXPECT 1f
    mov [0x409000], eax
1:  or dword ptr [PT1 + 36], 2
    inc dword ptr [0x409000]
    mov eax, [0x409000]
    SHOW "raised", eax
#= !0e 0003 +0000 00409000
#= raised 0000009a
    # a large page, split into small ones, and joined again
    mov eax, cr4
    or eax, 0x90
    mov cr4, eax
    mov dword ptr [0x40a000], 0xaaaa
    mov dword ptr [PD + 4], 0x400087
    mov eax, cr3
    mov cr3, eax
    mov eax, [0x40a000]
    mov ebx, [PD + 4]
    SHOW "large", eax, ebx
#= large 0000aaaa 004000a7
    mov [0x40a004], eax
    mov ebx, [PD + 4]
    SHOW "large", ebx
#= large 004000e7
    mov dword ptr [PT1 + 40], 0x40b007
    mov dword ptr [0x40b000], 0xbbbb
    mov dword ptr [PD + 4], PT1 + 7
    invlpg [0x40a000]
    mov eax, [0x40a000]
    mov ebx, [0x40b000]
    SHOW "split", eax, ebx
#= split 0000bbbb 0000bbbb
    mov dword ptr [PD + 4], 0x400087
    mov eax, cr3
    mov cr3, eax
    mov eax, [0x40a000]
    SHOW "joined", eax
#= joined 0000aaaa
    # running code in a large page while it is split
    mov dword ptr [0x40c000], 0xc304b0
    mov eax, 0x40c000
    call eax
    mov dword ptr [PT1 + 48], 0x40d007
    mov dword ptr [0x40d000], 0xc305b0
    mov dword ptr [PD + 4], PT1 + 7
    invlpg [0x40c000]
    movzx ebx, al
    mov eax, 0x40c000
    call eax
    movzx eax, al
    SHOW "split code", ebx, eax
#= split code 00000004 00000005
    # reserved bit in a large page
    mov dword ptr [PD + 8], 0xa00087
    EXPECT 1f
    mov eax, [0x800000]
1:
#= !0e 0009 +0000 00800000
    mov dword ptr [PD + 8], 0
    # global pages survive a CR3 load and go by invlpg or a change of CR4.PGE
    mov dword ptr [0x40e000], 0xeeee
    mov dword ptr [0x40f000], 0xffff
    mov dword ptr [PT1 + 56], 0x40e107
    invlpg [0x40e000]
    mov eax, [0x40e000]
    mov dword ptr [PT1 + 56], 0x40f107
    mov ebx, cr4
    xor ebx, 0x80
    mov cr4, ebx
    xor ebx, 0x80
    mov cr4, ebx
    mov ebx, [0x40e000]
    SHOW "global", eax, ebx
#= global 0000eeee 0000ffff
    mov dword ptr [PT1 + 56], 0x40e107
    invlpg [0x40e000]
    mov ebx, [0x40e000]
    SHOW "global", ebx
#= global 0000eeee
    # two address spaces: the same address, another page, over and over
    cld
    mov esi, PD
    mov edi, 0x210000
    mov ecx, 1024
    rep movsd
    mov esi, PT1
    mov edi, 0x211000
    mov ecx, 1024
    rep movsd
    mov dword ptr [0x210004], 0x211007
    mov dword ptr [0x211000 + 68], 0x412007
    mov dword ptr [0x411000], 0
    mov dword ptr [0x412000], 0
    mov ecx, 300
3:  mov eax, PD
    mov cr3, eax
    inc dword ptr [0x411000]
    mov eax, 0x210000
    mov cr3, eax
    add dword ptr [0x411000], 2
    loop 3b
    mov eax, PD
    mov cr3, eax
    mov eax, [0x411000]
    mov ebx, [0x412000]
    SHOW "spaces", eax, ebx
#= spaces 0000012c 00000258
    # the user's rights, seen from ring 3; supervisor access to the user's page and back
    mov dword ptr [PT1 + 80], 0x414005       # user, read-only
    mov dword ptr [PT1 + 84], 0x415003       # supervisor
    USER 4f
#= !0e 0007 +0005 00414000
    USER 5f
#= !0e 0005 +0000 00415000
    mov dword ptr [PD + 4], PT1 + 3          # the directory says no
    mov eax, cr3
    mov cr3, eax
    USER 6f
#= !0e 0005 +0000 00410000
    mov dword ptr [PD + 4], PT1 + 7
    # fetch from a supervisor page
    USER 7f
#= !0e 0005 +0000 00415000
    # paging off and on again
    mov dword ptr [PT1 + 88], 0x417007
    mov eax, cr3
    mov cr3, eax
    mov dword ptr [0x416000], 0x1616
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    mov ebx, [0x416000]
    mov ecx, [0x417000]
    or eax, 0x80000000
    mov cr0, eax
    mov edx, [0x416000]
    SHOW "off and on", ebx, ecx, edx
#= off and on 00000000 00001616 00001616
    ret
4:  mov eax, [0x414000]
    mov [0x414000], eax
5:  mov eax, [0x415000]
6:  mov eax, [0x410000]
7:  mov eax, 0x415000
    mov [mark], eax
    jmp eax
