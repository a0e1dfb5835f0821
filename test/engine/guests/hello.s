# Proves that the support works: printing, an exception, ring 3 and back, paging.
.include "prelude.inc"
test_main:
    mov ebx, 0x1234abcd
    SHOW "hello", ebx
#= hello 1234abcd
    EXPECT 1f
    ud2
1:
#= !06 0000 +0000
    call paging_on
    mov dword ptr [PT1], 0
    EXPECT 2f
    nop
    mov eax, [0x400010]
2:
#= !0e 0000 +0001 00400010
    USER 3f
    SAY "back"
    call newline
#= 00001234
#= back
    ret
3:  mov eax, 0x1234
    int 0x80
    int 0x81
