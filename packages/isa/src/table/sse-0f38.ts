/** SSSE3, SSE4.1, SSE4.2, AES, PCLMULQDQ and SHA: the 0F 38 and 0F 3A maps (SDM 2D, tables ). */
import type { Section } from './parse';

const ssse3 = [
  [0x00, 'pshufb'], [0x01, 'phaddw'], [0x02, 'phaddd'], [0x03, 'phaddsw'], [0x04, 'pmaddubsw'], [0x05, 'phsubw'],
  [0x06, 'phsubd'], [0x07, 'phsubsw'], [0x08, 'psignb'], [0x09, 'psignw'], [0x0a, 'psignd'], [0x0b, 'pmulhrsw'],
].map(([op, name]) => `66.${op.toString(16).padStart(2, '0')} ${name} Vx!,Wx | f:ssse3 mm:ssse3 vexn.int`).join('\n');

const widening = [
  ['0', 'bw', 'hx'], ['1', 'bd', 'fx'], ['2', 'bq', 'ex'], ['3', 'wd', 'hx'], ['4', 'wq', 'fx'], ['5', 'dq', 'hx'],
].map(([low, name, size]) => `
    66.2${low} pmovsx${name} Vx=,W${size} | vex.int
    66.3${low} pmovzx${name} Vx=,W${size} | vex.int`).join('');

export const sse0f38: Section = {
  map: 2,
  unit: 'sse',
  feature: 'sse4_1',
  text: `
    ${ssse3}
    66.10 pblendvb Vdq!,Wdq,XMM0
    66.14 blendvps Vdq!,Wdq,XMM0
    66.15 blendvpd Vdq!,Wdq,XMM0
    66.17 ptest Vx,Wx | arith vex
    66.1c pabsb Vx=,Wx | f:ssse3 mm:ssse3 vex.int
    66.1d pabsw Vx=,Wx | f:ssse3 mm:ssse3 vex.int
    66.1e pabsd Vx=,Wx | f:ssse3 mm:ssse3 vex.int
    ${widening}
    66.28 pmuldq Vx!,Wx | vexn.int
    66.29 pcmpeqq Vx!,Wx | vexn.int
    66.2a movntdqa Vx=,Mx | vex.int.aligned
    66.2b packusdw Vx!,Wx | vexn.int
    66.37 pcmpgtq Vx!,Wx | f:sse4_2 vexn.int
    66.38 pminsb Vx!,Wx | vexn.int
    66.39 pminsd Vx!,Wx | vexn.int
    66.3a pminuw Vx!,Wx | vexn.int
    66.3b pminud Vx!,Wx | vexn.int
    66.3c pmaxsb Vx!,Wx | vexn.int
    66.3d pmaxsd Vx!,Wx | vexn.int
    66.3e pmaxuw Vx!,Wx | vexn.int
    66.3f pmaxud Vx!,Wx | vexn.int
    66.40 pmulld Vx!,Wx | vexn.int
    66.41 phminposuw Vdq=,Wdq | vex.l0
    np.c8 sha1nexte Vdq!,Wdq | f:sha_ni
    np.c9 sha1msg1 Vdq!,Wdq | f:sha_ni
    np.ca sha1msg2 Vdq!,Wdq | f:sha_ni
    np.cb sha256rnds2 Vdq!,Wdq,XMM0 | f:sha_ni
    np.cc sha256msg1 Vdq!,Wdq | f:sha_ni
    np.cd sha256msg2 Vdq!,Wdq | f:sha_ni
    66.db aesimc Vdq=,Wdq | f:aes vex.l0
    66.dc aesenc Vdq!,Wdq | f:aes vexn.l0
    66.dd aesenclast Vdq!,Wdq | f:aes vexn.l0
    66.de aesdec Vdq!,Wdq | f:aes vexn.l0
    66.df aesdeclast Vdq!,Wdq | f:aes vexn.l0
  `,
};

export const sse0f3a: Section = {
  map: 3,
  unit: 'sse',
  feature: 'sse4_1',
  text: `
    66.08 roundps Vps=,Wps,Ib | vex
    66.09 roundpd Vpd=,Wpd,Ib | vex
    66.0a roundss Vss!,Wss,Ib | vexn
    66.0b roundsd Vsd!,Wsd,Ib | vexn
    66.0c blendps Vps!,Wps,Ib | vexn
    66.0d blendpd Vpd!,Wpd,Ib | vexn
    66.0e pblendw Vx!,Wx,Ib | vexn.int
    66.0f palignr Vx!,Wx,Ib | f:ssse3 mm:ssse3 vexn.int
    66.14@mem pextrb Mb=,Vdq,Ib | vex.l0
    66.14@reg pextrb Rd=,Vdq,Ib | vex.l0
    66.15@mem pextrw Mw=,Vdq,Ib | vex.l0
    66.15@reg pextrw Rd=,Vdq,Ib | vex.l0
    66.16 pextrd Ed=,Vdq,Ib | vex.l0
    66.17 extractps Ed=,Vdq,Ib | vex.l0
    66.20@mem pinsrb Vdq!,Mb,Ib | vexn.l0
    66.20@reg pinsrb Vdq!,Rd,Ib | vexn.l0
    66.21@mem insertps Vdq!,Md,Ib | vexn.l0
    66.21@reg insertps Vdq!,Udq,Ib | vexn.l0
    66.22 pinsrd Vdq!,Ed,Ib | vexn.l0
    66.40 dpps Vps!,Wps,Ib | vexn
    66.41 dppd Vdq!,Wdq,Ib | vexn.l0
    66.42 mpsadbw Vx!,Wx,Ib | vexn.int
    66.44 pclmulqdq Vdq!,Wdq,Ib | f:pclmulqdq vexn.l0
    # comparing strings reads 16 bytes at any alignment
    66.60 pcmpestrm Vdq,Wdq,Ib | f:sse4_2 arith unaligned vex.l0
    66.61 pcmpestri Vdq,Wdq,Ib | f:sse4_2 arith unaligned vex.l0
    66.62 pcmpistrm Vdq,Wdq,Ib | f:sse4_2 arith unaligned vex.l0
    66.63 pcmpistri Vdq,Wdq,Ib | f:sse4_2 arith unaligned vex.l0
    np.cc sha1rnds4 Vdq!,Wdq,Ib | f:sha_ni
    66.df aeskeygenassist Vdq=,Wdq,Ib | f:aes vex.l0
  `,
};
