/**
 * Where the table and the independent decoder (iced-x86) disagree on purpose,
 * with the reason. The differential test accepts these and nothing else.
 */

/** CPUID features (iced's names) of instructions that the VM's CPU does not have: they are #UD, not rows. */
export const notOffered: Readonly<Record<string, string>> = Object.fromEntries([
  ...group('AVX-512 and its mask registers', 'AVX512F AVX512BW AVX512DQ'),
  ...group('vector extensions after AVX2 and FMA', `AVX_IFMA AVX_NE_CONVERT AVX_VNNI AVX_VNNI_INT8 AVX_VNNI_INT16
    GFNI VAES VPCLMULQDQ SHA512 SM3 SM4`),
  ...group('AMD and VIA extensions no guest relies on', `D3NOW D3NOWEXT CYRIX_D3NOW FMA4 XOP SSE4A SVM SKINIT_or_SVM MONITORX CLZERO RDPRU MCOMMIT INVLPGB SEV_ES SEV_SNP
    PADLOCK_ACE PADLOCK_GMI PADLOCK_PHE PADLOCK_PMM PADLOCK_RNG PADLOCK_UNDOC`),
  ...group('virtual machines, enclaves and secure modes inside the VM', 'VMX SMX SGX1 OSS TDX KL AESKLE PCONFIG'),
  ...group('transactional memory', 'RTM HLE_or_RTM TSXLDTRK'),
  ...group('shadow stacks', 'CET_SS'),
  ...group('the VM has no system management mode', 'SMM'),
  ...group('protection features not shown to guests', 'SMAP PKU INVPCID'),
  ...group('compacted and supervisor state images', 'XSAVEC XSAVES'),
  ...group('later additions', 'CLWB SERIALIZE WRMSRNS HRESET ENQCMD MOVDIRI MOVDIR64B PTWRITE RAO_INT WAITPKG'),
]);

/** Hints that decode as the no-ops they are without their feature. */
export const hintMnemonics: ReadonlySet<string> = new Set([
  'Cldemote', 'Prefetchit0', 'Prefetchit1', 'Prefetchwt1', 'Prefetch', 'Prefetchw', 'Reservednop', 'Nop', 'Endbr32', 'Endbr64', 'Rdsspd',
]);

/** Rows whose flags differ from the oracle's. */
export const flagDeviations: Readonly<Record<string, string>> = {
  int: 'pushes the flags and clears IF', int1: 'pushes the flags and clears IF', int3: 'pushes the flags and clears IF',
  into: 'pushes the flags and clears IF', syscall: '#UD on this CPU', sysret: '#UD on this CPU',
};

/** Rows whose memory operand we call 0 bytes (nothing is transferred), or whose image size the oracle leaves open. */
export const sizeDeviations: ReadonlySet<string> = new Set([
  'nop', 'prefetch', 'prefetchw', 'prefetchnta', 'prefetcht0', 'prefetcht1', 'prefetcht2', 'clflush', 'clflushopt', 'xsave', 'xrstor', 'xsaveopt',
]);

/** Our feature name by the oracle's, where the lower-cased names differ. */
export const featureNames: Readonly<Record<string, string>> = {
  BMI1: 'bmi1', CLFSH: 'clflush', CPUID: 'base', FPU287: 'fpu', FPU387: 'fpu', INTEL186: 'base', INTEL286: 'base', INTEL386: 'base',
  INTEL486: 'base', INTEL8086: 'base', LZCNT: 'abm', MULTIBYTENOP: 'nopl', PAUSE: 'base', RDPMC: 'base', SHA: 'sha_ni', SSE3: 'pni',
  PREFETCHW: 'nopl', SYSCALL: 'base', WBNOINVD: 'base', XSAVEOPT: 'xsave', 'FPU+CMOV': 'cmov', 'FPU+SSE3': 'pni',
  'AES+AVX': 'aes', 'PCLMULQDQ+AVX': 'pclmulqdq',
};

/** Features that depend on more than the opcode: the table follows the manual. */
export const featureDeviations: Readonly<Record<string, string>> = {
  fwait: 'no instruction without an FPU', paddq: 'the MMX form came with SSE2', psubq: 'the MMX form came with SSE2', pmuludq: 'the MMX form came with SSE2',
};

function group(reason: string, names: string): [string, string][] {
  return names.split(/\s+/).filter(Boolean).map((name) => [name, reason]);
}
