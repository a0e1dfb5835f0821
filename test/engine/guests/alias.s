# Proves that code follows its physical page: written through another linear
# address, from ring 3, through a large page, over a page border, or while its
# page serves as a page table; and that one page runs at two addresses at once.
.include "prelude.inc"
.macro CODE at, value          # mov eax, \value; ret
    mov byte ptr [\at], 0xb8
    mov dword ptr [\at + 1], \value
    mov byte ptr [\at + 5], 0xc3
.endm
.macro RUN at
    mov eax, \at
    call eax
.endm
test_main:
    call paging_on
    mov dword ptr [PT1 + 4], 0x400007      # 0x401000 shows 0x400000 too
    mov dword ptr [PT1 + 8], 0x400007      # 0x402000 also
    mov eax, cr3
    mov cr3, eax
    CODE 0x400000, 0x11
    RUN 0x400000
    mov ebx, eax
    RUN 0x401000
    SHOW "alias", eax, ebx
#= alias 00000011 00000011
    mov byte ptr [0x401001], 0x22
    RUN 0x400000
    mov ebx, eax
    RUN 0x401000
    SHOW "written", eax, ebx
#= written 00000022 00000022
    # code that patches itself through the alias, ahead of itself, in a loop
    cld
    mov esi, offset patch
    mov edi, 0x400000
    mov ecx, offset patch_end
    sub ecx, esi
    rep movsb
    xor edx, edx
    mov ecx, 3000
1:  RUN 0x400000
    RUN 0x401000
    loop 1b
    SHOW "patched", edx
#= patched 0112b438
    # in ring 3
    mov ecx, 1000
    xor edx, edx
    USER user_loop
#= 001e8868
    # over a page border, the second page written through an alias
    mov dword ptr [PT1 + 12], 0x404007     # 0x403000 shows 0x404000
    invlpg [0x403000]
    CODE 0x402ffd, 0x11111111
    RUN 0x402ffd
    mov ebx, eax
    mov dword ptr [0x404000], 0x00c32222
    RUN 0x402ffd
    SHOW "border", ebx, eax
#= border 11111111 22221111
    mov ecx, 500
    xor edx, edx
2:  mov byte ptr [0x404000], cl
    RUN 0x402ffd
    movzx ebx, ah
    mov bl, cl
    xor edx, eax
    loop 2b
    SHOW "border loop", edx
#= border loop 00f40000
    # the second page exchanged
    CODE 0x405ffd, 0x33333333              # its end lies in 0x406000
    mov eax, 0x405ffd
    call eax
    mov ebx, eax
    mov dword ptr [0x407000], 0x00c34444
    mov dword ptr [PT1 + 24], 0x407007
    invlpg [0x406000]
    RUN 0x405ffd
    SHOW "exchanged", ebx, eax
#= exchanged 33333333 44443333
    # and the first
    mov dword ptr [0x408ffd], 0x000055b8
    mov dword ptr [PT1 + 20], 0x408007
    mov eax, cr3
    mov cr3, eax
    RUN 0x405ffd
    SHOW "exchanged", eax
#= exchanged 44440055
    # through a large page
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov dword ptr [PD + 8], 0x400087       # 0x800000 shows 0x400000
    CODE 0x40a000, 0x66
    RUN 0x40a000
    mov ebx, eax
    mov byte ptr [0x80a001], 0x77
    RUN 0x40a000
    mov ecx, eax
    RUN 0x80a000
    mov byte ptr [0x40a001], 0x78
    mov edx, eax
    RUN 0x80a000
    SHOW "large", ebx, ecx, edx, eax
#= large 00000066 00000077 00000077 00000078
    # a page table that holds code: an entry is written, both follow
    mov dword ptr [PD + 12], 0x40b007      # 0xc00000 - 0x1000000 by the table in 0x40b000
    mov dword ptr [0x40b000], 0x40c007
    mov dword ptr [0x40c000], 0xc0c0
    mov dword ptr [0x40d000], 0xd0d0
    CODE 0x40b100, 0x88
    RUN 0x40b100
    mov ebx, [0xc00000]
    mov dword ptr [0x40b000], 0x40d007
    invlpg [0xc00000]
    mov ecx, [0xc00000]
    mov byte ptr [0x40b101], 0x99
    RUN 0x40b100
    SHOW "table", ebx, ecx, eax
#= table 0000c0c0 0000d0d0 00000099
    # a read-only page of code, written by ring 0 with WP clear, run in ring 3
    CODE 0x40e000, 0xaa
    mov word ptr [0x40e005], 0x80cd        # int 0x80; int 0x81
    mov word ptr [0x40e007], 0x81cd
    mov dword ptr [PT1 + 56], 0x40e005
    invlpg [0x40e000]
    USER 0x40e000
    mov byte ptr [0x40e001], 0xbb
    USER 0x40e000
#= 000000aa
#= 000000bb
    mov eax, [PT1 + 56]
    SHOW "entry", eax
#= entry 0040e065
    # flushes of a page that runs and is written in turn
    mov ecx, 2000
    xor edx, edx
    CODE 0x410000, 0
3:  inc dword ptr [0x410001]
    invlpg [0x410000]
    RUN 0x410000
    add edx, eax
    loop 3b
    SHOW "flushed", edx
#= flushed 001e8868
    ret
patch:                             # edx += n, where n counts calls
    inc dword ptr [0x402000 + 7f - patch + 2]
7:  add edx, 0x12340000
    sub edx, 0x12340000
    ret
patch_end:
user_loop:
    mov dword ptr [0x400000 + 7b - patch + 2], 0x12340000
5:  mov eax, 0x400000
    call eax
    mov eax, 0x401000
    call eax
    loop 5b
    mov eax, edx
    int 0x80
    int 0x81
