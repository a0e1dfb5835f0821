/**
 * MMX and SSE to SSE4a-less SSE4.2 in the 0F map (SDM 2D, table A-3). A row
 * with `mm:` also makes the MMX instruction of the same opcode, one with `vex`
 * or `vexn` its AVX twin; irregular AVX forms are in avx.ts.
 */
import type { Section } from './parse';

export const mmxOnly: Section = {
  map: 1,
  unit: 'mmx',
  feature: 'mmx',
  text: `
    np.77 emms
    np.60 punpcklbw Pq!,Qd
    np.61 punpcklwd Pq!,Qd
    np.62 punpckldq Pq!,Qd
    np.6e movd Pd=,Ed
    np.7e movd Ed=,Pd
    np.6f movq Pq=,Qq
    np.7f movq Qq=,Pq
    np.70 pshufw Pq=,Qq,Ib | f:sse
    np.e7 movntq Mq=,Pq | f:sse
    # writes to ds:[edi]: an address no ModR/M byte names
    np.f7 maskmovq Pq,Nq | string f:sse
    np.2a cvtpi2ps Vq!,Qq | f:sse
    np.2c cvttps2pi Pq=,Wq | f:sse
    np.2d cvtps2pi Pq=,Wq | f:sse
    66.2a cvtpi2pd Vpd=,Qq | f:sse2
    66.2c cvttpd2pi Pq=,Wpd | f:sse2 aligned
    66.2d cvtpd2pi Pq=,Wpd | f:sse2 aligned
    f2.d6 movdq2q Pq=,Uq | f:sse2
    f3.d6 movq2dq Vdq=,Nq | f:sse2
    np.c4@mem pinsrw Pq!,Mw,Ib | f:sse
    np.c4@reg pinsrw Pq!,Rd,Ib | f:sse
    np.c5 pextrw Gd=,Nq,Ib | f:sse
    np.d7 pmovmskb Gd=,Nq | f:sse
  `,
};

export const sseTwoByte: Section = {
  map: 1,
  unit: 'sse',
  feature: 'sse2',
  text: `
    np.10 movups Vps=,Wps | f:sse unaligned vex
    np.11 movups Wps=,Vps | f:sse unaligned vex
    66.10 movupd Vpd=,Wpd | unaligned vex
    66.11 movupd Wpd=,Vpd | unaligned vex
    f3.10 movss Vss!,Wss | f:sse
    f3.11 movss Wss!,Vss | f:sse
    f2.10 movsd Vsd!,Wsd
    f2.11 movsd Wsd!,Vsd
    np.12@mem movlps Vq!,Mq | f:sse vexn.l0
    np.12@reg movhlps Vq!,Uq | f:sse vexn.l0
    np.13 movlps Mq=,Vq | f:sse vex.l0
    66.12 movlpd Vq!,Mq | vexn.l0
    66.13 movlpd Mq=,Vq | vex.l0
    np.14 unpcklps Vps!,Wps | f:sse vexn
    np.15 unpckhps Vps!,Wps | f:sse vexn
    66.14 unpcklpd Vpd!,Wpd | vexn
    66.15 unpckhpd Vpd!,Wpd | vexn
    np.16@mem movhps Vq!,Mq | f:sse vexn.l0
    np.16@reg movlhps Vq!,Uq | f:sse vexn.l0
    np.17 movhps Mq=,Vq | f:sse vex.l0
    66.16 movhpd Vq!,Mq | vexn.l0
    66.17 movhpd Mq=,Vq | vex.l0
    f3.12 movsldup Vps=,Wps | f:pni vex
    f3.16 movshdup Vps=,Wps | f:pni vex
    f2.12 movddup Vq=,Wq | f:pni
    np.28 movaps Vps=,Wps | f:sse vex.aligned
    np.29 movaps Wps=,Vps | f:sse vex.aligned
    66.28 movapd Vpd=,Wpd | vex.aligned
    66.29 movapd Wpd=,Vpd | vex.aligned
    np.2b movntps Mps=,Vps | f:sse vex.aligned
    66.2b movntpd Mpd=,Vpd | vex.aligned
    f3.2a cvtsi2ss Vss!,Ed | f:sse vexn
    f2.2a cvtsi2sd Vsd!,Ed | vexn
    f3.2c cvttss2si Gd=,Wss | f:sse vex
    f2.2c cvttsd2si Gd=,Wsd | vex
    f3.2d cvtss2si Gd=,Wss | f:sse vex
    f2.2d cvtsd2si Gd=,Wsd | vex
    np.2e ucomiss Vss,Wss | f:sse arith vex
    66.2e ucomisd Vsd,Wsd | arith vex
    np.2f comiss Vss,Wss | f:sse arith vex
    66.2f comisd Vsd,Wsd | arith vex
    np.50 movmskps Gd=,Ups | f:sse vex
    66.50 movmskpd Gd=,Upd | vex

    np.51 sqrtps Vps=,Wps | f:sse vex
    66.51 sqrtpd Vpd=,Wpd | vex
    f3.51 sqrtss Vss!,Wss | f:sse vexn
    f2.51 sqrtsd Vsd!,Wsd | vexn
    np.52 rsqrtps Vps=,Wps | f:sse vex
    f3.52 rsqrtss Vss!,Wss | f:sse vexn
    np.53 rcpps Vps=,Wps | f:sse vex
    f3.53 rcpss Vss!,Wss | f:sse vexn
    np.54 andps Vps!,Wps | f:sse vexn
    66.54 andpd Vpd!,Wpd | vexn
    np.55 andnps Vps!,Wps | f:sse vexn
    66.55 andnpd Vpd!,Wpd | vexn
    np.56 orps Vps!,Wps | f:sse vexn
    66.56 orpd Vpd!,Wpd | vexn
    np.57 xorps Vps!,Wps | f:sse vexn
    66.57 xorpd Vpd!,Wpd | vexn
    ${[[0x58, 'add'], [0x59, 'mul'], [0x5c, 'sub'], [0x5d, 'min'], [0x5e, 'div'], [0x5f, 'max']]
      .map(([op, name]) => [['np', 'ps', 'sse'], ['66', 'pd', 'sse2'], ['f3', 'ss', 'sse'], ['f2', 'sd', 'sse2']]
        .map(([prefix, type, feature]) => `${prefix}.${op.toString(16)} ${name}${type} V${type}!,W${type} | f:${feature} vexn`).join('\n'))
      .join('\n')}
    np.5a cvtps2pd Vpd=,Whx | vex
    66.5a cvtpd2ps Vps=,Wpd | vex
    f3.5a cvtss2sd Vsd!,Wss | vexn
    f2.5a cvtsd2ss Vss!,Wsd | vexn
    np.5b cvtdq2ps Vps=,Wps | vex
    66.5b cvtps2dq Vps=,Wps | vex
    f3.5b cvttps2dq Vps=,Wps | vex
    f3.e6 cvtdq2pd Vpd=,Whx | vex
    66.e6 cvttpd2dq Vps=,Wpd | vex
    f2.e6 cvtpd2dq Vps=,Wpd | vex

    66.60 punpcklbw Vx!,Wx | vexn.int
    66.61 punpcklwd Vx!,Wx | vexn.int
    66.62 punpckldq Vx!,Wx | vexn.int
    66.6c punpcklqdq Vx!,Wx | vexn.int
    66.6d punpckhqdq Vx!,Wx | vexn.int
    ${[[0x63, 'packsswb'], [0x64, 'pcmpgtb'], [0x65, 'pcmpgtw'], [0x66, 'pcmpgtd'], [0x67, 'packuswb'],
      [0x68, 'punpckhbw'], [0x69, 'punpckhwd'], [0x6a, 'punpckhdq'], [0x6b, 'packssdw'],
      [0x74, 'pcmpeqb'], [0x75, 'pcmpeqw'], [0x76, 'pcmpeqd'],
      [0xd5, 'pmullw'], [0xd8, 'psubusb'], [0xd9, 'psubusw'], [0xdb, 'pand'], [0xdc, 'paddusb'], [0xdd, 'paddusw'],
      [0xdf, 'pandn'], [0xe5, 'pmulhw'], [0xe8, 'psubsb'], [0xe9, 'psubsw'], [0xeb, 'por'], [0xec, 'paddsb'],
      [0xed, 'paddsw'], [0xef, 'pxor'], [0xf5, 'pmaddwd'], [0xf8, 'psubb'], [0xf9, 'psubw'], [0xfa, 'psubd'],
      [0xfc, 'paddb'], [0xfd, 'paddw'], [0xfe, 'paddd']]
      .map(([op, name]) => `66.${op.toString(16)} ${name} Vx!,Wx | mm:mmx vexn.int`).join('\n')}
    ${[[0xda, 'pminub'], [0xde, 'pmaxub'], [0xe0, 'pavgb'], [0xe3, 'pavgw'], [0xe4, 'pmulhuw'], [0xea, 'pminsw'],
      [0xee, 'pmaxsw'], [0xf6, 'psadbw']]
      .map(([op, name]) => `66.${op.toString(16)} ${name} Vx!,Wx | mm:sse vexn.int`).join('\n')}
    66.d4 paddq Vx!,Wx | mm:sse2 vexn.int
    66.f4 pmuludq Vx!,Wx | mm:sse2 vexn.int
    66.fb psubq Vx!,Wx | mm:sse2 vexn.int
    # the count is 128 bits wide in the 256-bit form too
    ${[[0xd1, 'psrlw'], [0xd2, 'psrld'], [0xd3, 'psrlq'], [0xe1, 'psraw'], [0xe2, 'psrad'], [0xf1, 'psllw'], [0xf2, 'pslld'], [0xf3, 'psllq']]
      .map(([op, name]) => `66.${op.toString(16)} ${name} Vx!,Wdq | mm:mmx vexn.int`).join('\n')}

    66.6e movd Vd=,Ed | vex.l0
    66.7e movd Ed=,Vd | vex.l0
    66.6f movdqa Vx=,Wx | vex.aligned
    66.7f movdqa Wx=,Vx | vex.aligned
    f3.6f movdqu Vx=,Wx | unaligned vex
    f3.7f movdqu Wx=,Vx | unaligned vex
    66.70 pshufd Vx=,Wx,Ib | vex.int
    f3.70 pshufhw Vx=,Wx,Ib | vex.int
    f2.70 pshuflw Vx=,Wx,Ib | vex.int
    ${[[0x71, 2, 'psrlw'], [0x71, 4, 'psraw'], [0x71, 6, 'psllw'], [0x72, 2, 'psrld'], [0x72, 4, 'psrad'], [0x72, 6, 'pslld'],
      [0x73, 2, 'psrlq'], [0x73, 6, 'psllq']]
      .map(([op, digit, name]) => `66.${op.toString(16)}/${digit} ${name} Ux!,Ib | mm:mmx`).join('\n')}
    66.73/3 psrldq Ux!,Ib
    66.73/7 pslldq Ux!,Ib
    66.7c haddpd Vpd!,Wpd | f:pni vexn
    f2.7c haddps Vps!,Wps | f:pni vexn
    66.7d hsubpd Vpd!,Wpd | f:pni vexn
    f2.7d hsubps Vps!,Wps | f:pni vexn
    66.d0 addsubpd Vpd!,Wpd | f:pni vexn
    f2.d0 addsubps Vps!,Wps | f:pni vexn
    f3.7e movq Vq=,Wq | vex.l0
    66.d6 movq Wq=,Vq | vex.l0
    np.c2 cmpps Vps!,Wps,Ib | f:sse vexn
    66.c2 cmppd Vpd!,Wpd,Ib | vexn
    f3.c2 cmpss Vss!,Wss,Ib | f:sse vexn
    f2.c2 cmpsd Vsd!,Wsd,Ib | vexn
    66.c4@mem pinsrw Vdq!,Mw,Ib | vexn.l0
    66.c4@reg pinsrw Vdq!,Rd,Ib | vexn.l0
    66.c5 pextrw Gd=,Udq,Ib | vex.l0
    np.c6 shufps Vps!,Wps,Ib | f:sse vexn
    66.c6 shufpd Vpd!,Wpd,Ib | vexn
    66.d7 pmovmskb Gd=,Ux | vex.int
    66.e7 movntdq Mx=,Vx | vex.aligned
    f2.f0 lddqu Vx=,Mx | f:pni unaligned vex
    66.f7 maskmovdqu Vdq,Udq | string vex.l0
  `,
};
