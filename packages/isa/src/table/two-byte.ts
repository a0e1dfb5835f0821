/** The 0F opcode map without MMX and SSE (SDM 2D, table A-3), and the integer rows of 0F 38. */
import { conditions, hex } from './one-byte';
import type { Section } from './parse';

const conditional = conditions.map(([suffix, flags], n) => `
    ${hex(0x40 + n)} cmov${suffix} Gv!,Ev | r:${flags} f:cmov
    ${hex(0x80 + n)} j${suffix} Jz | flow r:${flags}
    ${hex(0x90 + n)} set${suffix} Eb= | r:${flags}`).join('');

const bitTests = ['bt', 'bts', 'btr', 'btc'].map((name, n) => {
  const operand = n === 0 ? 'Ev' : 'Ev!';
  const lock = n === 0 ? '' : 'lock';
  return `
    ${hex(0xa3 + n * 8)} ${name} ${operand},Gv | w:c u:osap ${lock}
    ba/${n + 4} ${name} ${operand},Ib | w:c u:osap ${lock}`;
}).join('');

export const twoByte: Section = {
  map: 1,
  unit: 'int',
  feature: 'base',
  text: `
    ${conditional}
    ${bitTests}

    # group 6
    00/0@mem sldt Mw= | system protected
    00/0@reg sldt Rv= | system protected
    00/1@mem str Mw= | system protected
    00/1@reg str Rv= | system protected
    # lldt and ltr also want CPL 0; #UD outside protected mode comes first
    00/2 lldt Ew | system protected
    00/3 ltr Ew | system protected
    00/4 verr Ew | system protected w:z
    00/5 verw Ew | system protected w:z

    # group 7
    01/0@mem sgdt Ms= | system
    01/1@mem sidt Ms= | system
    01/2@mem lgdt Ms | system cpl0 sized
    01/3@mem lidt Ms | system cpl0 sized
    01/4@mem smsw Mw= | system
    01/4@reg smsw Rv= | system
    01/6 lmsw Ew | system cpl0
    01/7@mem invlpg Mm | system cpl0
    np.01/1@rm0 monitor | system cpl0 f:monitor
    np.01/1@rm1 mwait | system cpl0 f:monitor
    np.01/2@rm0 xgetbv | system f:xsave
    np.01/2@rm1 xsetbv | system cpl0 f:xsave
    01/7@rm1 rdtscp | system f:rdtscp

    02 lar Gv!,Ew | system protected w:z
    03 lsl Gv!,Ew | system protected w:z
    05 syscall | system branch
    06 clts | system cpl0
    07 sysret | system branch cpl0
    08 invd | system cpl0
    09 wbinvd | system cpl0
    0b ud2 | system branch
    b9 ud1 Gv,Ev | system branch
    ff ud0 Gv,Ev | system branch

    # prefetches and hints that older processors reserve as no-ops
    0d nop Ev | f:nopl
    0d/0@mem prefetch Mm | f:nopl
    0d/1@mem prefetchw Mm | f:nopl
    18 nop Ev | f:nopl
    18/0@mem prefetchnta Mm | f:sse
    18/1@mem prefetcht0 Mm | f:sse
    18/2@mem prefetcht1 Mm | f:sse
    18/3@mem prefetcht2 Mm | f:sse
    19 nop Ev | f:nopl
    1a nop Ev | f:nopl
    1b nop Ev | f:nopl
    1c nop Ev | f:nopl
    1d nop Ev | f:nopl
    1e nop Ev | f:nopl
    1f nop Ev | f:nopl

    20 movfromcr Rd=,Cd | system cpl0 u:oszapc
    21 movfromdr Rd=,Dd | system cpl0 u:oszapc
    22 movtocr Cd=,Rd | system cpl0 u:oszapc
    23 movtodr Dd=,Rd | system cpl0 u:oszapc

    30 wrmsr | system cpl0 f:msr
    31 rdtsc | system f:tsc
    32 rdmsr | system cpl0 f:msr
    33 rdpmc | system
    34 sysenter | system branch f:sep w:i
    35 sysexit | system branch cpl0 f:sep
    a2 cpuid | system

    a0 pushseg FS | segment sized
    a1 popseg FS= | segment sized
    a8 pushseg GS | segment sized
    a9 popseg GS= | segment sized
    b2 lss Gv=,Mp | segment
    b4 lfs Gv=,Mp | segment
    b5 lgs Gv=,Mp | segment

    a4 shld Ev!,Gv,Ib | w:szpc u:oa k:oszapc
    a5 shld Ev!,Gv,CL | w:szpc u:oa k:oszapc
    ac shrd Ev!,Gv,Ib | w:szpc u:oa k:oszapc
    ad shrd Ev!,Gv,CL | w:szpc u:oa k:oszapc
    af imul Gv!,Ev | w:oc u:szap
    b0 cmpxchg Eb!,Gb | lock arith
    b1 cmpxchg Ev!,Gv | lock arith
    b6 movzx Gv=,Eb
    b7 movzx Gv=,Ew
    be movsx Gv=,Eb
    bf movsx Gv=,Ew
    f3.b8 popcnt Gv=,Ev | arith f:popcnt
    # a zero source leaves the target as it was
    bc bsf Gv!,Ev | w:z u:osapc
    bd bsr Gv!,Ev | w:z u:osapc
    f3.bc tzcnt Gv=,Ev | w:zc u:osap f:bmi1
    f3.bd lzcnt Gv=,Ev | w:zc u:osap f:abm
    c0 xadd Eb!,Gb! | lock arith
    c1 xadd Ev!,Gv! | lock arith
    np.c3 movnti Md=,Gd | f:sse2
    c7/1@mem cmpxchg8b Mq! | lock w:z f:cx8
    np.c7/6@reg rdrand Rv= | arith f:rdrand
    66.c7/6@reg rdrand Rv= | arith f:rdrand
    np.c7/7@reg rdseed Rv= | arith f:rdseed
    66.c7/7@reg rdseed Rv= | arith f:rdseed
    f3.c7/7@reg rdpid Rd= | system f:rdpid
    # undefined with 16 bits: whatever the host does
    c8+r bswap Zv!

    # group 15: state images differ from the host's 64-bit ones
    np.ae/0@mem fxsave Mfxsave= | system f:fxsr unit:sse
    np.ae/1@mem fxrstor Mfxsave | system f:fxsr unit:sse
    np.ae/2@mem ldmxcsr Md | f:sse unit:sse
    np.ae/3@mem stmxcsr Md= | f:sse unit:sse
    np.ae/4@mem xsave Mxsave! | system f:xsave unit:sse
    np.ae/5@mem xrstor Mxsave | system f:xsave unit:sse
    np.ae/6@mem xsaveopt Mxsave! | system f:xsave unit:sse
    np.ae/7@mem clflush Mm | f:clflush
    66.ae/7@mem clflushopt Mm | f:clflushopt
    np.ae/5@reg lfence | f:sse2
    np.ae/6@reg mfence | f:sse2
    np.ae/7@reg sfence | f:sse
  `,
};

export const integer0f38: Section = {
  map: 2,
  unit: 'int',
  feature: 'base',
  text: `
    np.f0 movbe Gv=,Mv | f:movbe
    66.f0 movbe Gv=,Mv | f:movbe
    np.f1 movbe Mv=,Gv | f:movbe
    66.f1 movbe Mv=,Gv | f:movbe
    f2.f0 crc32 Gd!,Eb | f:sse4_2
    f2.f1 crc32 Gd!,Ev | f:sse4_2
    66.f6 adcx Gd!,Ed | r:c w:c f:adx
    f3.f6 adox Gd!,Ed | r:o w:o f:adx
  `,
};

/** VEX-encoded general-register instructions; outside 64-bit mode VEX.W is ignored. */
export const bmi: Section[] = [
  {
    map: 2, vex: true, unit: 'int', feature: 'bmi2',
    text: `
    np.f2 andn Gd=,Bd,Ed | l0 w:oszc u:ap f:bmi1
    np.f3/1 blsr Bd=,Ed | l0 w:oszc u:ap f:bmi1
    np.f3/2 blsmsk Bd=,Ed | l0 w:oszc u:ap f:bmi1
    np.f3/3 blsi Bd=,Ed | l0 w:oszc u:ap f:bmi1
    np.f7 bextr Gd=,Ed,Bd | l0 w:ozc u:sap f:bmi1
    np.f5 bzhi Gd=,Ed,Bd | l0 w:oszc u:ap
    f3.f5 pext Gd=,Bd,Ed | l0
    f2.f5 pdep Gd=,Bd,Ed | l0
    f2.f6 mulx Gd=,Bd=,Ed | l0
    66.f7 shlx Gd=,Ed,Bd | l0
    f3.f7 sarx Gd=,Ed,Bd | l0
    f2.f7 shrx Gd=,Ed,Bd | l0
  ` },
  { map: 3, vex: true, unit: 'int', feature: 'bmi2', text: 'f2.f0 rorx Gd=,Ed,Ib | l0' },
];
