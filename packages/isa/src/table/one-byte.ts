/** The one-byte opcode map without x87 (SDM 2D, table A-2), 16- and 32-bit modes. */
import type { Section } from './parse';

/** Condition suffixes by the low four opcode bits, with the flags they read. */
export const conditions: readonly (readonly [suffix: string, flags: string])[] = [
  ['o', 'o'], ['no', 'o'], ['b', 'c'], ['nb', 'c'], ['z', 'z'], ['nz', 'z'], ['be', 'cz'], ['nbe', 'cz'],
  ['s', 's'], ['ns', 's'], ['p', 'p'], ['np', 'p'], ['l', 'so'], ['nl', 'so'], ['le', 'szo'], ['nle', 'szo'],
];

export const hex = (value: number): string => value.toString(16).padStart(2, '0');

const aluNames: [name: string, attributes: string, mark: string][] = [
  ['add', 'arith lock', '!'], ['or', 'logic lock', '!'], ['adc', 'r:c arith lock', '!'], ['sbb', 'r:c arith lock', '!'],
  ['and', 'logic lock', '!'], ['sub', 'arith lock', '!'], ['xor', 'logic lock', '!'], ['cmp', 'arith', ''],
];

/** Eight operations in six forms each at 00–3F, and group 1 at 80–83. */
const alu = aluNames.map(([name, attributes, mark], n) => {
  const op = (low: number) => hex(n * 8 + low);
  const noLock = attributes.replace(' lock', '');
  return `
    ${op(0)} ${name} Eb${mark},Gb | ${attributes}
    ${op(1)} ${name} Ev${mark},Gv | ${attributes}
    ${op(2)} ${name} Gb${mark},Eb | ${noLock}
    ${op(3)} ${name} Gv${mark},Ev | ${noLock}
    ${op(4)} ${name} AL${mark},Ib | ${noLock}
    ${op(5)} ${name} eAX${mark},Iz | ${noLock}
    80/${n} ${name} Eb${mark},Ib | ${attributes}
    81/${n} ${name} Ev${mark},Iz | ${attributes}
    82/${n} ${name} Eb${mark},Ib | ${attributes}
    83/${n} ${name} Ev${mark},Ibs | ${attributes}`;
}).join('');

/** Group 2. Only a count of one defines OF; a masked count of zero keeps every flag. */
const shifts = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'shl', 'sar'].map((name, digit) => {
  const rotate = digit < 4;
  const carry = name[1] === 'c' ? 'r:c ' : '';
  const one = rotate ? `${carry}w:oc` : 'w:oszpc u:a';
  const many = rotate ? `${carry}w:c u:o k:oc` : 'w:szpc u:oa k:oszapc';
  return `
    c0/${digit} ${name} Eb!,Ib | ${many}
    c1/${digit} ${name} Ev!,Ib | ${many}
    d0/${digit} ${name} Eb!,1 | ${one}
    d1/${digit} ${name} Ev!,1 | ${one}
    d2/${digit} ${name} Eb!,CL | ${many}
    d3/${digit} ${name} Ev!,CL | ${many}`;
}).join('');

const shortJumps = conditions.map(([suffix, flags], n) => `${hex(0x70 + n)} j${suffix} Jb | flow r:${flags} sized`).join('\n');

export const oneByte: Section = {
  map: 0,
  unit: 'int',
  feature: 'base',
  text: `
    ${alu}
    ${shifts}
    ${shortJumps}

    # segment registers on the stack
    06 pushseg ES | segment sized
    07 popseg ES= | segment sized
    0e pushseg CS | segment sized
    16 pushseg SS | segment sized
    17 popseg SS= | segment sized
    1e pushseg DS | segment sized
    1f popseg DS= | segment sized

    # decimal adjustment: absent from 64-bit mode
    27 daa | system r:ac w:szapc u:o
    2f das | system r:ac w:szapc u:o
    37 aaa | system r:a w:ac u:oszp
    3f aas | system r:a w:ac u:oszp
    d4 aam Ib | system w:szp u:oac
    d5 aad Ib | system w:szp u:oac
    d6 salc | system r:c

    40+r inc Zv! | w:oszap
    48+r dec Zv! | w:oszap
    50+r push Zv | stack
    58+r pop Zv= | stack
    60 pusha | stack sized
    61 popa | stack sized
    62@mem bound Gv,Ma | system
    63 arpl Ew!,Gw | system protected w:z
    68 push Iz | stack
    69 imul Gv=,Ev,Iz | w:oc u:szap
    6a push Ibs | stack
    6b imul Gv=,Ev,Ibs | w:oc u:szap
    6c insb Yb=,DX | io iopl r:d
    6d insv Yz=,DX | io iopl r:d
    6e outsb DX,Xb | io iopl r:d
    6f outsv DX,Xz | io iopl r:d

    84 test Eb,Gb | logic
    85 test Ev,Gv | logic
    86 xchg Eb!,Gb! | lock
    87 xchg Ev!,Gv! | lock
    88 mov Eb=,Gb
    89 mov Ev=,Gv
    8a mov Gb=,Eb
    8b mov Gv=,Ev
    8c@mem movfromseg Mw=,Sw | segment
    8c@reg movfromseg Rv=,Sw | segment
    8d lea Gv=,Mm
    8e movtoseg Sw=,Ew | segment
    8f/0 pop Ev= | stack
    90 nop
    f3.90 pause
    90+r xchg Zv!,eAX!
    98 cbw | sized
    99 cwd | sized
    9a callf Ap | segment branch
    9b fwait | unit:x87 f:fpu
    9c pushf | flags vmiopl sized r:odtszapci
    9d popf | flags vmiopl sized w:oditszapc
    9e sahf | w:szapc
    9f lahf | r:szapc
    a0 mov AL=,Ob
    a1 mov eAX=,Ov
    a2 mov Ob=,AL
    a3 mov Ov=,eAX
    a4 movsb Yb=,Xb | string r:d
    a5 movsv Yv=,Xv | string r:d
    a6 cmpsb Xb,Yb | string r:d arith k:oszapc
    a7 cmpsv Xv,Yv | string r:d arith k:oszapc
    a8 test AL,Ib | logic
    a9 test eAX,Iz | logic
    aa stosb Yb=,AL | string r:d
    ab stosv Yv=,eAX | string r:d
    ac lodsb AL=,Xb | string r:d
    ad lodsv eAX=,Xv | string r:d
    ae scasb AL,Yb | string r:d arith k:oszapc
    af scasv eAX,Yv | string r:d arith k:oszapc
    b0+r mov Zb=,Ib
    b8+r mov Zv=,Iz
    c2 ret Iw | flow sized
    c3 ret | flow sized
    c4@mem les Gv=,Mp | segment
    c5@mem lds Gv=,Mp | segment
    c6/0 mov Eb=,Ib
    c7/0 mov Ev=,Iz
    c8 enter Iw,Ib | stack sized
    c9 leave | stack sized
    ca retf Iw | segment branch sized
    cb retf | segment branch sized
    # interrupts push the flags: they read them all
    cc int3 | system branch r:oditszapc w:it
    cd int Ib | system branch vmiopl r:oditszapc w:it
    ce into | system branch r:oditszapc w:it k:it
    cf iret | system branch vmiopl sized w:oditszapc
    # al = ds:[ebx + al]: an address no ModR/M byte can say
    d7 xlat | string
    e0 loopne Jb | flow r:z sized
    e1 loope Jb | flow r:z sized
    e2 loop Jb | flow sized
    e3 jcxz Jb | flow sized
    e4 in AL=,Ib | io iopl
    e5 in eAX=,Ib | io iopl
    e6 out Ib,AL | io iopl
    e7 out Ib,eAX | io iopl
    e8 call Jz | flow
    e9 jmp Jz | flow
    ea jmpf Ap | segment branch
    eb jmp Jb | flow sized
    ec in AL=,DX | io iopl
    ed in eAX=,DX | io iopl
    ee out DX,AL | io iopl
    ef out DX,eAX | io iopl
    f1 int1 | system branch r:oditszapc w:it
    f4 hlt | system cpl0
    f5 cmc | r:c w:c
    f6/0 test Eb,Ib | logic
    f6/1 test Eb,Ib | logic
    f6/2 not Eb! | lock
    f6/3 neg Eb! | lock arith
    f6/4 mul Eb | w:oc u:szap
    f6/5 imul Eb | w:oc u:szap
    f6/6 div Eb | u:oszapc
    f6/7 idiv Eb | u:oszapc
    f7/0 test Ev,Iz | logic
    f7/1 test Ev,Iz | logic
    f7/2 not Ev! | lock
    f7/3 neg Ev! | lock arith
    f7/4 mul Ev | w:oc u:szap
    f7/5 imul Ev | w:oc u:szap
    f7/6 div Ev | u:oszapc
    f7/7 idiv Ev | u:oszapc
    f8 clc | w:c
    f9 stc | w:c
    fa cli | flags vmiopl w:i
    fb sti | flags vmiopl w:i
    fc cld | w:d
    fd std | w:d
    fe/0 inc Eb! | lock w:oszap
    fe/1 dec Eb! | lock w:oszap
    ff/0 inc Ev! | lock w:oszap
    ff/1 dec Ev! | lock w:oszap
    ff/2 call Ev | flow
    ff/3@mem callf Mp | segment branch
    ff/4 jmp Ev | flow
    ff/5@mem jmpf Mp | segment branch
    ff/6 push Ev | stack
  `,
};
