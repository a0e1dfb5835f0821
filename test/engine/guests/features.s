# Proves that a feature taken from the VM is gone: its CPUID bit is clear and its
# instructions are #UD (or what they were before it existed), in ring 0 and 3; and
# that the time stamp counter only goes up.
#: without ["sse4_2", "popcnt", "avx", "avx2", "bmi1", "bmi2", "abm", "movbe", "aes", "rdrand", "fma", "f16c", "sse4_1", "ssse3", "pclmulqdq", "rdseed", "adx", "sha_ni"]
.include "prelude.inc"
.macro UD code
    EXPECT 96f
    \code
    SAY "ran "
96:
.endm
.macro UDUSER code
    USER 96f
    jmp 97f
96: \code
    int 0x81
97:
.endm
test_main:
    mov eax, cr4
    or eax, 0x40600
    mov cr4, eax
    mov eax, cr0
    and eax, ~4
    or eax, 2
    mov cr0, eax
    mov eax, 1
    cpuid
    mov eax, ecx
    and eax, 0x72d81202        # pclmul ssse3 fma sse4.1 sse4.2 movbe popcnt aes avx f16c rdrand
    and edx, 0x07808111        # fpu tsc cx8 cmov mmx fxsr sse sse2
    SHOW "leaf 1", eax, edx
#= leaf 1 00000000 07808111
    mov eax, 7
    xor ecx, ecx
    cpuid
    and ebx, 0x200c0128        # bmi1 avx2 bmi2 rdseed adx sha
    SHOW "leaf 7", ebx
#= leaf 7 00000000
    mov eax, 0x80000001
    cpuid
    and ecx, 0x20
    and edx, 0x20000000        # no long mode
    SHOW "extended", ecx, edx
#= extended 00000000 00000000
    # tzcnt and lzcnt run as bsf and bsr
    mov ecx, 0x00010000
    .byte 0xf3, 0x0f, 0xbc, 0xc1
    .byte 0xf3, 0x0f, 0xbd, 0xd9
    SHOW "as bsf, bsr", eax, ebx
#= as bsf, bsr 00000010 00000010
    mov eax, 0x77
    xor ecx, ecx
    .byte 0xf3, 0x0f, 0xbc, 0xc1
    setz bl
    movzx ebx, bl
    SHOW "zero", eax, ebx
#= zero 00000077 00000001
    UD "popcnt eax, ecx"
    UD "crc32 eax, cl"
    UD "pcmpgtq xmm0, xmm1"
    UD "ptest xmm0, xmm1"
    UD "pshufb xmm0, xmm1"
    UD "pshufb mm0, mm1"
    UD "aesenc xmm0, xmm1"
    UD "pclmulqdq xmm0, xmm1, 0"
    UD "vaddps xmm0, xmm1, xmm2"
    UD "vpaddd ymm0, ymm1, ymm2"
    UD "vfmadd231ps xmm0, xmm1, xmm2"
    UD "vcvtph2ps xmm0, xmm1"
    UD "andn eax, ecx, edx"
    UD "pext eax, ecx, edx"
    UD "rorx eax, ecx, 3"
    UD "movbe eax, [SCRATCH]"
    UD "rdrand eax"
    UD "rdseed eax"
    UD "adcx eax, ecx"
    UD "sha1nexte xmm0, xmm1"
    UD "vzeroupper"
    UD "ud2"
    UD ".byte 0x0f, 0x05"       # syscall
    UD ".byte 0x0f, 0x01, 0xc1" # vmcall
    UD ".byte 0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1" # AVX-512
    UD ".byte 0xc7, 0xf8, 0, 0, 0, 0" # xbegin
    UD ".byte 0x0f, 0xff, 0xc0"
    UD ".byte 0xf0, 0x90"       # lock nop
    UD ".byte 0xf0, 0x01, 0xc8" # lock add eax, ecx
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
    call paging_on
    UDUSER "popcnt eax, ecx"
    UDUSER "vaddps xmm0, xmm1, xmm2"
    UDUSER "movbe eax, [SCRATCH]"
#= !06 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
    # XCR0 has no AVX to set
    EXPECT 1f
    mov eax, 7
    xor edx, edx
    xor ecx, ecx
    xsetbv
1:  xor ecx, ecx
    xgetbv
    SHOW "xcr0", eax
#= !0d 0000 +0009
#= xcr0 00000001
    # what is left works: SSE2, and its state over an exception and an interrupt
    mov eax, 0x3f800000
    movd xmm0, eax
    addss xmm0, xmm0
    EXPECT 2f
    ud2
2:  movd eax, xmm0
    SHOW "sse", eax
#= !06 0000 +0000
#= sse 40000000
    # CR0.TS and EM, CR4.OSFXSR
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    EXPECT 3f
    fld1
3:  EXPECT 3f
    addss xmm0, xmm0
3:  clts
    fld1
    fstp st(0)
    mov eax, cr0
    or eax, 4
    mov cr0, eax
    EXPECT 4f
    fld1
4:  EXPECT 4f
    addss xmm0, xmm0
4:  and eax, ~4
    mov cr0, eax
    mov ebx, cr4
    and ebx, ~0x200
    mov cr4, ebx
    EXPECT 5f
    addss xmm0, xmm0
5:  or ebx, 0x200
    mov cr4, ebx
    addss xmm0, xmm0
    movd eax, xmm0
    SHOW "sse", eax
#= !07 0000 +0000
#= !07 0000 +0000
#= !07 0000 +0000
#= !06 0000 +0000
#= !06 0000 +0000
#= sse 40800000
    # a SIMD exception with and without CR4.OSXMMEXCPT, and a pending x87 one
    push 0x1f80 & ~0x200
    ldmxcsr [esp]
    xorps xmm1, xmm1
    EXPECT 6f
    divss xmm0, xmm1
6:  and ebx, ~0x400
    mov cr4, ebx
    EXPECT 6f
    divss xmm0, xmm1
6:  or ebx, 0x400
    mov cr4, ebx
    mov dword ptr [esp], 0x1f80
    ldmxcsr [esp]
    mov eax, cr0
    or eax, 0x20
    mov cr0, eax
    mov word ptr [esp], 0x37b
    fldcw [esp]
    fld1
    fldz
    fdivp
    mov ecx, 1
    EXPECT 7f
    inc ecx
    fwait
7:  pop eax
    SHOW "after", ecx
    fninit
    EXPECT 8f
    xor edx, edx
    mov eax, 1
    div edx
8:  EXPECT 9f
    mov edx, 1
    idiv edx
    mov edx, 2
    mov ecx, 1
    div ecx
9:  nop
#= !13 0000 +0000
#= !06 0000 +0000
#= !10 0000 +0001
#= after 00000002
#= !00 0000 +0007
#= !00 0000 +0005
    # the time stamp counter
    mov ecx, 20000
    rdtsc
    mov esi, eax
    mov edi, edx
10: rdtsc
    mov ebx, eax
    mov ebp, edx
    sub eax, esi
    sbb edx, edi
    js 11f
    mov esi, ebx
    mov edi, ebp
    loop 10b
11: SHOW "tsc", ecx
#= tsc 00000000
    ret
