/**
 * x87: opcodes D8–DF (SDM 2D, A.5).
 *
 * All rows translate to themselves. fnstenv, fldenv, fnsave and frstor do so
 * too: without REX.W the 64-bit mode writes the 32-bit (with 66: 16-bit)
 * protected-mode image; only real and virtual-8086 mode, whose image differs,
 * need other care. Rows that later processors kept for compatibility (fstp1,
 * feni, …) carry the name of what they do.
 */
import type { Section } from './parse';

const arithmetic = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'];
/** On the `STi` side the reversed and the plain forms change places. */
const reversed = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsubr', 'fsub', 'fdivr', 'fdiv'];
const target = (name: string) => (name.startsWith('fcom') ? 'ST' : 'ST!');

const operations = arithmetic.map((name, digit) => `
    d8/${digit}@mem ${name} ${target(name)},Md
    d8/${digit}@reg ${name} ${target(name)},STi
    dc/${digit}@mem ${name} ${target(name)},Mq
    da/${digit}@mem ${name.replace('f', 'fi')} ${target(name)},Md
    de/${digit}@mem ${name.replace('f', 'fi')} ${target(name)},Mw
    ${name.startsWith('fcom') ? '' : `dc/${digit}@reg ${reversed[digit]} STi!,ST
    de/${digit}@reg ${reversed[digit]}p STi!,ST`}`).join('');

export const x87: Section = {
  map: 0,
  unit: 'x87',
  feature: 'fpu',
  text: `
    ${operations}
    dc/2@reg fcom ST,STi
    dc/3@reg fcomp ST,STi
    de/2@reg fcomp ST,STi
    de/3@rm1 fcompp

    d9/0@mem fld Md
    d9/2@mem fst Md=
    d9/3@mem fstp Md=
    d9/4@mem fldenv Mfenv
    d9/5@mem fldcw Mw
    d9/6@mem fnstenv Mfenv=
    d9/7@mem fnstcw Mw=
    d9/0@reg fld STi
    d9/1@reg fxch ST!,STi!
    d9/2@rm0 fnop
    d9/3@reg fstpnce STi=
    d9/4@rm0 fchs
    d9/4@rm1 fabs
    d9/4@rm4 ftst
    d9/4@rm5 fxam
    d9/5@rm0 fld1
    d9/5@rm1 fldl2t
    d9/5@rm2 fldl2e
    d9/5@rm3 fldpi
    d9/5@rm4 fldlg2
    d9/5@rm5 fldln2
    d9/5@rm6 fldz
    d9/6@rm0 f2xm1
    d9/6@rm1 fyl2x
    d9/6@rm2 fptan
    d9/6@rm3 fpatan
    d9/6@rm4 fxtract
    d9/6@rm5 fprem1
    d9/6@rm6 fdecstp
    d9/6@rm7 fincstp
    d9/7@rm0 fprem
    d9/7@rm1 fyl2xp1
    d9/7@rm2 fsqrt
    d9/7@rm3 fsincos
    d9/7@rm4 frndint
    d9/7@rm5 fscale
    d9/7@rm6 fsin
    d9/7@rm7 fcos

    da/0@reg fcmovb ST!,STi | r:c f:cmov
    da/1@reg fcmove ST!,STi | r:z f:cmov
    da/2@reg fcmovbe ST!,STi | r:cz f:cmov
    da/3@reg fcmovu ST!,STi | r:p f:cmov
    da/5@rm1 fucompp

    db/0@mem fild Md
    db/1@mem fisttp Md= | f:pni
    db/2@mem fist Md=
    db/3@mem fistp Md=
    db/5@mem fld Mt
    db/7@mem fstp Mt=
    db/0@reg fcmovnb ST!,STi | r:c f:cmov
    db/1@reg fcmovne ST!,STi | r:z f:cmov
    db/2@reg fcmovnbe ST!,STi | r:cz f:cmov
    db/3@reg fcmovnu ST!,STi | r:p f:cmov
    db/4@rm0 fneni
    db/4@rm1 fndisi
    db/4@rm2 fnclex
    db/4@rm3 fninit
    db/4@rm4 fnsetpm
    db/5@reg fucomi ST,STi | arith f:cmov
    db/6@reg fcomi ST,STi | arith f:cmov

    dd/0@mem fld Mq
    dd/1@mem fisttp Mq= | f:pni
    dd/2@mem fst Mq=
    dd/3@mem fstp Mq=
    dd/4@mem frstor Mfsave
    dd/6@mem fnsave Mfsave=
    dd/7@mem fnstsw Mw=
    dd/0@reg ffree STi
    dd/1@reg fxch ST!,STi!
    dd/2@reg fst STi=
    dd/3@reg fstp STi=
    dd/4@reg fucom ST,STi
    dd/5@reg fucomp ST,STi

    df/0@mem fild Mw
    df/1@mem fisttp Mw= | f:pni
    df/2@mem fist Mw=
    df/3@mem fistp Mw=
    df/4@mem fbld Mt
    df/5@mem fild Mq
    df/6@mem fbstp Mt=
    df/7@mem fistp Mq=
    df/0@reg ffreep STi
    df/1@reg fxch ST!,STi!
    df/2@reg fstp STi=
    df/3@reg fstp STi=
    df/4@rm0 fnstsw AX=
    df/5@reg fucomip ST,STi | arith f:cmov
    df/6@reg fcomip ST,STi | arith f:cmov
  `,
};
