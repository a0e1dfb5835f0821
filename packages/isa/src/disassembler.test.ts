/** Proves that traces read as the Intel manual writes. */
import { decode } from './decoder';
import { disassemble } from './disassembler';

test.each([
  ['83c4f0', 'add esp, 0xfffffff0'],
  ['f00107', 'lock add dword ptr [edi], eax'],
  ['f3a5', 'rep movsd dword ptr es:[edi], dword ptr ds:[esi]'],
  ['64a118000000', 'mov eax, dword ptr fs:[0x18]'],
  ['8b4cb3fc', 'mov ecx, dword ptr [ebx+esi*4-4]'],
  ['7405', 'jz 0x1007'],
  ['e8fbffffff', 'call 0x1000'],
  ['c8000101', 'enter 0x100, 1'],
  ['0f20c0', 'mov eax, cr0'],
  ['d9c9', 'fxch st(0), st(1)'],
  ['c4e2f5b8c2', 'vfmadd231pd ymm0, ymm1, ymm2'],
  ['c4e3794ac110', 'vblendvps xmm0, xmm0, xmm1, xmm1'],
  ['668ed8', 'mov ds, ax'],
])('%s is %s', (hex, text) => {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  const ins = decode(bytes, 0, bytes.length, true);
  expect(typeof ins === 'string' ? ins : disassemble(ins, 0x1000)).toBe(text);
});
