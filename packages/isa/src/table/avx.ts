/**
 * AVX, AVX2, F16C and FMA forms that are not the plain twin of an SSE row
 * (SDM 2C). Gathers are left to the interpreter: they have many addresses and
 * may fault with part of the work done.
 */
import { hex } from './one-byte';
import type { Section } from './parse';

/** Fused multiply-add: three operand orders, packed and scalar, W chooses double precision. */
const fma = ['132', '213', '231'].map((order, n) => {
  const base = 0x90 + n * 0x10;
  const packed = [[6, 'fmaddsub'], [7, 'fmsubadd'], [8, 'fmadd'], [0xa, 'fmsub'], [0xc, 'fnmadd'], [0xe, 'fnmsub']] as const;
  const scalar = [[9, 'fmadd'], [0xb, 'fmsub'], [0xd, 'fnmadd'], [0xf, 'fnmsub']] as const;
  const row = (low: number, name: string, single: string, double: string) => `
    66.${hex(base + low)} v${name}${order}${single} V${single}!,H${single},W${single} | w0 f:fma
    66.${hex(base + low)} v${name}${order}${double} V${double}!,H${double},W${double} | w1 f:fma`;
  return packed.map(([low, name]) => row(low, name, 'ps', 'pd')).join('') + scalar.map(([low, name]) => row(low, name, 'ss', 'sd')).join('');
}).join('');

const shiftsByImmediate = [
  [0x71, 2, 'psrlw'], [0x71, 4, 'psraw'], [0x71, 6, 'psllw'], [0x72, 2, 'psrld'], [0x72, 4, 'psrad'], [0x72, 6, 'pslld'],
  [0x73, 2, 'psrlq'], [0x73, 6, 'psllq'], [0x73, 3, 'psrldq'], [0x73, 7, 'pslldq'],
].map(([op, digit, name]) => `66.${op.toString(16)}/${digit} v${name} Hx=,Ux,Ib | f:avx/avx2`).join('\n');

export const avxTwoByte: Section = {
  map: 1, vex: true, unit: 'avx', feature: 'avx',
  text: `
    ${shiftsByImmediate}
    f3.10@mem vmovss Vss=,Mss
    f3.10@reg vmovss Vss=,Hss,Uss
    f3.11@mem vmovss Mss=,Vss
    f3.11@reg vmovss Uss=,Hss,Vss
    f2.10@mem vmovsd Vsd=,Msd
    f2.10@reg vmovsd Vsd=,Hsd,Usd
    f2.11@mem vmovsd Msd=,Vsd
    f2.11@reg vmovsd Usd=,Hsd,Vsd
    # the 128-bit form reads half of its source
    f2.12 vmovddup Vx=,Wq | l0
    f2.12 vmovddup Vx=,Wx | l1
    np.ae/2@mem vldmxcsr Md | l0
    np.ae/3@mem vstmxcsr Md= | l0
    np.77 vzeroupper | l0
    np.77 vzeroall | l1
  `,
};

export const avx0f38: Section = {
  map: 2, vex: true, unit: 'avx', feature: 'avx',
  text: `
    66.0c vpermilps Vx=,Hx,Wx | w0
    66.0d vpermilpd Vx=,Hx,Wx | w0
    66.0e vtestps Vx,Wx | w0 arith
    66.0f vtestpd Vx,Wx | w0 arith
    66.13 vcvtph2ps Vx=,Whx | w0 f:f16c
    66.16 vpermps Vqq=,Hqq,Wqq | w0 l1 f:avx2
    66.18@mem vbroadcastss Vx=,Md | w0
    66.18@reg vbroadcastss Vx=,Udq | w0 f:avx2
    66.19@mem vbroadcastsd Vqq=,Mq | w0 l1
    66.19@reg vbroadcastsd Vqq=,Udq | w0 l1 f:avx2
    66.1a vbroadcastf128 Vqq=,Mdq | w0 l1
    66.2c vmaskmovps Vx=,Hx,Mx | w0
    66.2d vmaskmovpd Vx=,Hx,Mx | w0
    66.2e vmaskmovps Mx!,Hx,Vx | w0
    66.2f vmaskmovpd Mx!,Hx,Vx | w0
    66.36 vpermd Vqq=,Hqq,Wqq | w0 l1 f:avx2
    66.45 vpsrlvd Vx=,Hx,Wx | w0 f:avx2
    66.45 vpsrlvq Vx=,Hx,Wx | w1 f:avx2
    66.46 vpsravd Vx=,Hx,Wx | w0 f:avx2
    66.47 vpsllvd Vx=,Hx,Wx | w0 f:avx2
    66.47 vpsllvq Vx=,Hx,Wx | w1 f:avx2
    66.58 vpbroadcastd Vx=,Wd | w0 f:avx2
    66.59 vpbroadcastq Vx=,Wq | w0 f:avx2
    66.5a vbroadcasti128 Vqq=,Mdq | w0 l1 f:avx2
    66.78 vpbroadcastb Vx=,Wb | w0 f:avx2
    66.79 vpbroadcastw Vx=,Ww | w0 f:avx2
    66.8c vpmaskmovd Vx=,Hx,Mx | w0 f:avx2
    66.8c vpmaskmovq Vx=,Hx,Mx | w1 f:avx2
    66.8e vpmaskmovd Mx!,Hx,Vx | w0 f:avx2
    66.8e vpmaskmovq Mx!,Hx,Vx | w1 f:avx2
    66.90 vpgatherdd Vx!,Md,Hx! | system vsib w0 f:avx2
    66.90 vpgatherdq Vx!,Mq,Hx! | system vsib w1 f:avx2
    66.91 vpgatherqd Vx!,Md,Hx! | system vsib w0 f:avx2
    66.91 vpgatherqq Vx!,Mq,Hx! | system vsib w1 f:avx2
    66.92 vgatherdps Vx!,Md,Hx! | system vsib w0 f:avx2
    66.92 vgatherdpd Vx!,Mq,Hx! | system vsib w1 f:avx2
    66.93 vgatherqps Vx!,Md,Hx! | system vsib w0 f:avx2
    66.93 vgatherqpd Vx!,Mq,Hx! | system vsib w1 f:avx2
    ${fma}
  `,
};

export const avx0f3a: Section = {
  map: 3, vex: true, unit: 'avx', feature: 'avx',
  text: `
    66.00 vpermq Vqq=,Wqq,Ib | w1 l1 f:avx2
    66.01 vpermpd Vqq=,Wqq,Ib | w1 l1 f:avx2
    66.02 vpblendd Vx=,Hx,Wx,Ib | w0 f:avx2
    66.04 vpermilps Vx=,Wx,Ib | w0
    66.05 vpermilpd Vx=,Wx,Ib | w0
    66.06 vperm2f128 Vqq=,Hqq,Wqq,Ib | w0 l1
    66.18 vinsertf128 Vqq=,Hqq,Wdq,Ib | w0 l1
    66.19 vextractf128 Wdq=,Vqq,Ib | w0 l1
    66.1d vcvtps2ph Whx=,Vx,Ib | w0 f:f16c
    66.38 vinserti128 Vqq=,Hqq,Wdq,Ib | w0 l1 f:avx2
    66.39 vextracti128 Wdq=,Vqq,Ib | w0 l1 f:avx2
    66.46 vperm2i128 Vqq=,Hqq,Wqq,Ib | w0 l1 f:avx2
    66.4a vblendvps Vx=,Hx,Wx,Lx | w0
    66.4b vblendvpd Vx=,Hx,Wx,Lx | w0
    66.4c vpblendvb Vx=,Hx,Wx,Lx | w0 f:avx/avx2
  `,
};
