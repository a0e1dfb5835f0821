import type { BootState } from '@godwit/machine';

/**
 * A small guest of our own, for a VM that waits for another one: it runs for a moment in
 * its place, so that V8 has compiled translator, interpreter, devices and the loop round
 * them before the VM that comes stands still for them. What V8 has compiled for one kind of
 * number or path it throws away at the first one of another kind; so this guest is built
 * like those that come: a kernel in the upper half of addresses and a program in ring 3,
 * with interrupts, a timer and a system call. Its functions are made of common
 * instructions in no order that means anything; they reach nothing but their scratch page
 * and their stack.
 */
const GDT_AT = 0x1000, TSS_AT = 0x1400, IDT_AT = 0x1800, PAGE_DIRECTORY_AT = 0x2000, PAGE_TABLE_AT = 0x32000;
const OPERANDS_AT = 0x3000, COUNT_AT = 0x3010, TABLE_AT = 0x3100;
const BOOT_AT = 0x4000, TIMER_AT = 0x4100, CALL_AT = 0x4140, USER_AT = 0x4200, PAGE_FAULT_AT = 0x4280;
const STACK_TOP = 0x8000, FUNCTIONS_AT = 0x9000;
const SCRATCH_AT = 0x20000;
/** Where the kernel sees its memory. */
const HIGH = 0xc0000000;
/** Every instruction once and again, as they fall: to be translated, never to be run. */
const NOISE_AT = 0x21000, NOISE_BYTES = 0x10000;
/** All it uses lies below. */
export const REHEARSAL_BYTES = PAGE_TABLE_AT + 0x1000;

const FUNCTIONS = 150;
const INSTRUCTIONS = 30;
const TIMER_VECTOR = 0x40, CALL_VECTOR = 0x80;

type Listing = readonly (readonly [bytes: string, what: string])[];
/** Assembly beside it, as GNU as lists it. */
const BOOT: Listing = [
  ['0f0115 00300000', 'lgdt [OPERANDS_AT]'],
  ['0f011d 08300000', 'lidt [OPERANDS_AT + 8]'],
  ['0f20e0', 'mov eax, cr4'],
  ['0d 10060000', 'or eax, PSE | OSFXSR | OSXMMEXCPT'],
  ['0f22e0', 'mov cr4, eax'],
  ['b8 00200000', 'mov eax, PAGE_DIRECTORY_AT'],
  ['0f22d8', 'mov cr3, eax'],
  ['0f20c0', 'mov eax, cr0'],
  ['0d 00000180', 'or eax, PG | WP'],
  ['0f22c0', 'mov cr0, eax'],
  ['eb00', 'jmp to the next'],
  ['b0ff', 'mov al, 0xff'],
  ['e621', 'out 0x21, al: the PICs are masked'],
  ['e6a1', 'out 0xa1, al'],
  ['c705 f000e0fe ff010000', 'mov dword [0xfee000f0], 0x1ff: the local APIC is on'],
  ['c705 e003e0fe 0b000000', 'mov dword [0xfee003e0], 0xb: its timer counts each tick'],
  ['c705 2003e0fe 40000000', 'mov dword [0xfee00320], TIMER_VECTOR'],
  ['c705 8003e0fe 40420f00', 'mov dword [0xfee00380], 1000000'],
  ['66b8 2800', 'mov ax, TSS'],
  ['0f00d8', 'ltr ax'],
  ['66b8 2300', 'mov ax, the data segment of ring 3'],
  ['8ed8', 'mov ds, eax'],
  ['8ec0', 'mov es, eax'],
  ['6a23', 'push: ss'],
  ['68 00700000', 'push: esp'],
  ['68 02020000', 'push: eflags with IF'],
  ['6a1b', 'push: the code segment of ring 3'],
  ['68 00420000', 'push USER_AT'],
  ['cf', 'iretd'],
];
const TIMER: Listing = [
  ['50', 'push eax'],
  ['c705 b000e0fe 00000000', 'mov dword [0xfee000b0], 0: end of interrupt'],
  ['c705 8003e0fe 40420f00', 'mov dword [0xfee00380], 1000000'],
  ['58', 'pop eax'],
  ['cf', 'iretd'],
];
const CALL: Listing = [
  ['60', 'pushad'],
  ['1e', 'push ds'],
  ['06', 'push es'],
  ['b8 10000000', 'mov eax, the data segment of ring 0'],
  ['8ed8', 'mov ds, eax'],
  ['8ec0', 'mov es, eax'],
  ['fc', 'cld'],
  ['31f6', 'xor esi, esi'],
  ['56', 'next: push esi'],
  ['bb 000002c0', 'mov ebx, HIGH + SCRATCH_AT'],
  ['b9 03000000', 'mov ecx, 3'],
  ['8b04b5 003100c0', 'mov eax, [HIGH + TABLE_AT + esi * 4]'],
  ['05 000000c0', 'add eax, HIGH'],
  ['ffd0', 'call eax'],
  ['5e', 'pop esi'],
  ['46', 'inc esi'],
  ['3b35 103000c0', 'cmp esi, [HIGH + COUNT_AT]'],
  ['72dd', 'jb next'],
  ['a1 00000200', 'mov eax, [SCRATCH_AT]: a page of ring 3'],
  ['a3 04000200', 'mov [SCRATCH_AT + 4], eax'],
  ['66ba fd03', 'mov dx, 0x3fd'],
  ['ec', 'in al, dx: line status'],
  ['66ba 0806', 'mov dx, 0x608'],
  ['ed', 'in eax, dx: PM timer'],
  ['e464', 'in al, 0x64'],
  ['e680', 'out 0x80, al'],
  ['0f31', 'rdtsc'],
  ['0fa2', 'cpuid'],
  ['0f013d 00000200', 'invlpg [SCRATCH_AT]'],
  ['0f20d8', 'mov eax, cr3'],
  ['0f22d8', 'mov cr3, eax'],
  ['a1 9003e0fe', 'mov eax, [0xfee00390]'],
  ['fb', 'sti'],
  ['f4', 'hlt'],
  ['fa', 'cli'],
  ['07', 'pop es'],
  ['1f', 'pop ds'],
  ['61', 'popad'],
  ['cf', 'iretd'],
];
const USER: Listing = [
  ['31f6', 'again: xor esi, esi'],
  ['56', 'next: push esi'],
  ['bb 00000200', 'mov ebx, SCRATCH_AT'],
  ['b9 03000000', 'mov ecx, 3'],
  ['ff14b5 00310000', 'call [TABLE_AT + esi * 4]'],
  ['5e', 'pop esi'],
  ['46', 'inc esi'],
  ['3b35 10300000', 'cmp esi, [COUNT_AT]'],
  ['72e4', 'jb next'],
  ['a1 10004000', 'mov eax, [0x400010]: where no page is'],
  ['b8 00004000', 'mov eax, 0x400000'],
  ['ffd0', 'call eax'],
  ['cd80', 'int CALL_VECTOR'],
  ['ebd2', 'jmp again'],
];
/** Goes on behind a load, and returns from a call that went nowhere. */
const PAGE_FAULT: Listing = [
  ['50', 'push eax'],
  ['53', 'push ebx'],
  ['8b44240c', 'mov eax, [esp + 12]: its eip'],
  ['3d 00004000', 'cmp eax, 0x400000'],
  ['7407', 'je was a call'],
  ['8344240c05', 'add dword [esp + 12], 5'],
  ['eb0f', 'jmp end'],
  ['8b5c2418', 'was a call: mov ebx, [esp + 24]: its esp'],
  ['8b03', 'mov eax, [ebx]'],
  ['8944240c', 'mov [esp + 12], eax'],
  ['8344241804', 'add dword [esp + 24], 4'],
  ['5b', 'end: pop ebx'],
  ['58', 'pop eax'],
  ['83c404', 'add esp, 4: the error code'],
  ['cf', 'iretd'],
];

const assemble = (lines: Listing): Buffer => Buffer.from(lines.map(([bytes]) => bytes.replaceAll(' ', '')).join(''), 'hex');

/** Numbers that are the same each time (xorshift32). */
function numbers(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % end;
  };
}

/** Registers that functions may change: not ebx, which points to the scratch page, not esp, not ecx, which counts their turns. */
const FREE = [0, 2, 5, 6, 7];

/** One function: INSTRUCTIONS common ones, as many times as ecx says. @param callee address of a function that it calls, which calls none itself; undefined: none */
function makeFunction(below: (end: number) => number, callee: number | undefined, at: number): number[] {
  const free = (): number => FREE[below(FREE.length)];
  const modrm = (reg: number, rm: number): number => 0xc0 | (reg << 3) | rm;
  /** [ebx + disp8], [ebx + disp32], [esp + disp8], [ebx + disp8] by a SIB byte. */
  const memory = (reg: number): number[] => {
    const offset = below(16) * 4;
    const forms = [[0x43 | (reg << 3), offset], [0x83 | (reg << 3), offset, below(12), 0, 0], [0x44 | (reg << 3), 0x24, below(8) * 4], [0x44 | (reg << 3), 0x23, offset]];
    // What lies on the stack is another's: it is only read (see the forms that use `scratch`).
    return forms[below(forms.length)];
  };
  const scratch = (reg: number): number[] => (below(2) ? [0x43 | (reg << 3), below(30) * 4] : [0x83 | (reg << 3), below(30) * 4, below(14), 0, 0]);
  const byte = (): number => below(256);
  const long = (): number[] => [byte(), byte(), byte(), byte()];
  const alu = (): number => [0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39][below(8)];
  const forms: readonly (() => number[])[] = [
    () => [alu(), modrm(free(), free())],
    () => [alu() | 2, ...memory(free())],
    () => [alu(), ...scratch(free())],
    () => [alu() & ~1, ...scratch(below(4))],
    () => [0x89, modrm(free(), free())],
    () => [0x8b, ...memory(free())],
    () => [0x8b, ...memory(free())],
    () => [0x89, ...scratch(free())],
    () => [0x89, ...scratch(free())],
    () => [0x88, ...scratch(below(4))],
    () => [0x66, 0x89, ...scratch(free())],
    () => [0x8d, ...memory(free())],
    () => [0x85, modrm(free(), free())],
    () => [0x83, modrm(below(8), free()), byte()],
    () => [0x81, modrm(below(8), free()), ...long()],
    () => [0x83, ...scratch(below(8)), byte()],
    () => [0x80, ...scratch(below(8)), byte()],
    () => [0xc7, ...scratch(0), ...long()],
    () => [0xc6, ...scratch(0), byte()],
    () => [0xb8 + free(), ...long()],
    () => [0xc1, modrm([0, 1, 4, 5, 7][below(5)], free()), 1 + below(31)],
    () => [0xd3, modrm([4, 5, 7][below(3)], free())],
    () => [0x0f, 0xa4, modrm(free(), free()), 1 + below(31)],
    () => [0x0f, 0xb6, ...memory(free())],
    () => [0x0f, 0xb7, ...memory(free())],
    () => [0x0f, 0xbe, modrm(free(), below(4))],
    () => [0x0f, 0xbf, ...memory(free())],
    () => [0x0f, 0xaf, modrm(free(), free())],
    () => [0x6b, modrm(free(), free()), byte()],
    () => [0xf7, modrm([2, 3][below(2)], free())],
    () => [0xf7, modrm(4, free())],
    () => [0xf7, modrm(0, free()), ...long()],
    () => [0xff, ...scratch(below(2))],
    () => [0x40 + free()],
    () => [0x48 + free()],
    () => [0x50 + free(), 0x58 + free()],
    () => [0x99],
    () => [0x0f, 0xba, modrm(4, free()), below(32)],
    () => [0x0f, 0xc8 + free()],
    () => [0x0f, 0x90 + below(16), ...scratch(0)],
    () => [0x0f, 0x40 + below(16), modrm(free(), free())],
    () => [0xf0, 0x0f, 0xb1, ...scratch(free())],
    () => [0xf0, 0xff, ...scratch(below(2))],
    () => [0x0f, 0xc1, ...scratch(free())],
    () => [0x87, ...scratch(free())],
    () => [0x9c, 0x9d],
    () => [0xf3, 0x0f, 0x6f, ...scratch(below(8))],
    () => [0xf3, 0x0f, 0x7f, ...scratch(below(8))],
    () => [0x66, 0x0f, [0xef, 0xfe, 0xd4, 0x6c][below(4)], modrm(below(8), below(8))],
    () => [0x66, 0x0f, 0x70, modrm(below(8), below(8)), byte()],
    () => [0x51, 0x89, 0xdf, 0xb9, 8, 0, 0, 0, 0xf3, 0xab, 0x59],
    () => [0x51, 0x89, 0xdf, 0x89, 0xde, 0xb9, 4, 0, 0, 0, 0xf3, 0xa5, 0x59],
  ];
  const code: number[] = [];
  for (let made = 0; made < INSTRUCTIONS; made++) {
    const instruction = forms[below(forms.length)]();
    // Every few instructions a block ends: over the next one or not, as the flags have it.
    if (below(5) === 0) code.push(0x70 + below(16), instruction.length);
    code.push(...instruction);
  }
  if (callee !== undefined) {
    const here = at + code.length + 7;
    code.push(0x51, 0xb9, 1, 0, 0, 0, 0xe8, ...le32(callee - here - 4), 0x59);
  }
  // A loop of as many turns as ecx says: dec ecx; jnz, which needs its long form.
  code.push(0x49, 0x0f, 0x85, ...le32(-(code.length + 7)), 0xc3);
  return code;
}

/** Opcodes of one and of two bytes, each with and without prefixes and with operands of all kinds. */
function makeNoise(below: (end: number) => number): Uint8Array {
  const noise = new Uint8Array(NOISE_BYTES);
  const prefixes = [[], [], [], [0x66], [0x64], [0xf3], [0xf2], [0xf0], [0x65, 0x66]];
  for (let at = 0; at < NOISE_BYTES; ) {
    const opcode = below(3) === 0 ? [0x0f, below(256)] : [below(256)];
    const bytes = [...prefixes[below(prefixes.length)], ...opcode];
    for (let operand = below(7); operand >= 0; operand--) bytes.push(below(256));
    noise.set(bytes.slice(0, NOISE_BYTES - at), at);
    at += bytes.length;
  }
  return noise;
}

/** Places where one may begin to translate noise. @param seed other places for another one */
export function* noisePlaces(count: number, seed: number): Generator<{ readonly eip: number; readonly gpa: number }> {
  const below = numbers(20261 + 7919 * seed);
  for (let place = 0; place < count; place++) {
    const gpa = NOISE_AT + below(NOISE_BYTES);
    yield { eip: place & 1 ? gpa : HIGH + gpa, gpa };
  }
}

const le32 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];

/** Its memory from address 0 on, and where it begins. */
export function rehearsalGuest(): { readonly memory: Uint8Array; readonly boot: BootState } {
  const memory = new Uint8Array(REHEARSAL_BYTES);
  const view = new DataView(memory.buffer);
  for (const [at, lines] of [[BOOT_AT, BOOT], [TIMER_AT, TIMER], [CALL_AT, CALL], [USER_AT, USER], [PAGE_FAULT_AT, PAGE_FAULT]] as const) memory.set(assemble(lines), at);
  // Flat code and data of rings 0 and 3, a TSS: SDM 3A 3.4.5.
  const tss = HIGH + TSS_AT;
  const descriptors = [0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300, 0x0000ffff, 0x00cffb00, 0x0000ffff, 0x00cff300, ((tss & 0xffff) << 16) | 0x67, (tss & 0xff000000) | 0x8900 | ((tss >>> 16) & 0xff)];
  descriptors.forEach((word, index) => view.setUint32(GDT_AT + 4 * index, word >>> 0, true));
  view.setUint32(TSS_AT + 4, HIGH + STACK_TOP, true);
  view.setUint32(TSS_AT + 8, 0x10, true);
  const gate = (vector: number, handler: number, dpl: number): void => {
    view.setUint32(IDT_AT + 8 * vector, (0x08 << 16) | (handler & 0xffff), true);
    view.setUint32(IDT_AT + 8 * vector + 4, ((handler & 0xffff0000) | 0x8e00 | (dpl << 13)) >>> 0, true);
  };
  gate(TIMER_VECTOR, HIGH + TIMER_AT, 0);
  gate(CALL_VECTOR, HIGH + CALL_AT, 3);
  gate(14, HIGH + PAGE_FAULT_AT, 0);
  // The lowest pages, for ring 3, then none; a page of 4 MiB with the same for the kernel; the APICs'.
  view.setUint32(PAGE_DIRECTORY_AT, PAGE_TABLE_AT | 0x07, true);
  for (let page = 0; page < REHEARSAL_BYTES / 4096; page++) view.setUint32(PAGE_TABLE_AT + 4 * page, (page << 12) | 0x07, true);
  view.setUint32(PAGE_DIRECTORY_AT + 4 * (HIGH >>> 22), 0x83, true);
  view.setUint32(PAGE_DIRECTORY_AT + 4 * (0xfec00000 >>> 22), 0xfec00093, true);
  view.setUint16(OPERANDS_AT, 47, true);
  view.setUint32(OPERANDS_AT + 2, HIGH + GDT_AT, true);
  view.setUint16(OPERANDS_AT + 8, 2047, true);
  view.setUint32(OPERANDS_AT + 10, HIGH + IDT_AT, true);
  view.setUint32(COUNT_AT, FUNCTIONS, true);
  const below = numbers(20261);
  memory.set(makeNoise(below), NOISE_AT);
  const starts: number[] = [];
  let at = FUNCTIONS_AT;
  for (let number = 0; number < FUNCTIONS; number++) {
    // Every third calls one that was made before it and itself calls none.
    const callee = number % 3 === 2 ? starts[number - 1 - below(2)] : undefined;
    const code = makeFunction(below, callee, at);
    if (at + code.length > SCRATCH_AT) throw new RangeError('the rehearsal has more code than room');
    memory.set(code, at);
    view.setUint32(TABLE_AT + 4 * number, at, true);
    starts.push(at);
    at += code.length;
  }
  const flat = { base: 0, limit: 0xffffffff };
  return {
    memory,
    boot: {
      eip: BOOT_AT, esp: STACK_TOP, esi: 0, eflags: 2, cr0: 0x11, gdtBase: GDT_AT, gdtLimit: 47,
      cs: { ...flat, selector: 0x08, access: 0xc09b00 },
      ds: { ...flat, selector: 0x10, access: 0xc09300 },
    },
  };
}
