# Proves that a repeated string instruction over gigabytes is interrupted midway,
# with its registers at the element where it stopped, and completes afterwards.
.include "prelude.inc"
.set FIRST, 0x00800000
.set COUNT, 0x3fe00000
test_main:
    call paging_on
    cld
    mov edi, PD + 8                # all from 8 MiB on shows 4 - 8 MiB, over and over
    mov eax, PT1 + 7
    mov ecx, 1022
    rep stosd
    mov eax, cr3
    mov cr3, eax
    mov dword ptr [hook], offset tick
    call timer_on
    mov edi, FIRST
    mov ecx, COUNT
    mov eax, 0x5a5a5a5a
    sti
here:
    rep stosd
    cli
    SHOW "completed", ecx
    ret
tick:
    call timer_off
    mov eax, [ebp + 56]            # at the instruction itself
    sub eax, offset here
    mov edx, [ebp + 40]            # ecx
    mov ebx, COUNT
    sub ebx, edx
    lea ebx, [ebx * 4 + FIRST]
    sub ebx, [ebp + 16]            # edi
    test edx, edx
    setnz cl
    movzx ecx, cl
    SHOW "midway", eax, ebx, ecx
    mov dword ptr [ebp + 40], 5    # five more are enough
    mov dword ptr [hook], 0
    ret
#= midway 00000000 00000000 00000001
#= completed 00000000
