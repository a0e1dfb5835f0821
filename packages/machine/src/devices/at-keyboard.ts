/**
 * The AT keyboard behind the 8042: answers commands as drivers expect and
 * queues scan codes (set 2 on the wire). Source: IBM PS/2 Technical Reference,
 * "Keyboard".
 *
 * Front ends speak set 1, the codes PC software sees; `set1ToSet2` turns them
 * into what the keyboard sends, and the controller turns them back when the
 * guest wants translation.
 */
import { CONTROLLER_QUEUE_BYTES, KEYBOARD_QUEUE_BYTES } from '../limits';
import { flag, list, u8, type ValuesOf } from '../state-format';

export const keyboardFields = {
  scanning: flag('scan codes are sent (commands F4, F5)'),
  command: u8('command that waits for its parameter; 0 for none'),
  leds: u8('LEDs: scroll, num, caps'),
  typematic: u8('repeat rate and delay as set; repeating itself is up to the front end'),
  scanCodeSet: u8('1-3'),
  lastSent: u8('byte for the resend command'),
  queue: list(u8('bytes to the controller'), { maxLength: KEYBOARD_QUEUE_BYTES + CONTROLLER_QUEUE_BYTES }),
};
export type KeyboardState = ValuesOf<typeof keyboardFields>;

const ACK = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
const IDENTITY = [0xab, 0x83];
const DEFAULT_TYPEMATIC = 0x2b;

export const powerOnKeyboard = (): KeyboardState => ({
  scanning: true, command: 0, leds: 0, typematic: DEFAULT_TYPEMATIC, scanCodeSet: 2, lastSent: 0, queue: [],
});

function restoreDefaults(k: KeyboardState): void {
  k.queue = [];
  k.typematic = DEFAULT_TYPEMATIC;
  k.scanCodeSet = 2;
}

/** Each command's effect and answer. */
const COMMANDS: Partial<Record<number, (k: KeyboardState) => number[]>> = {
  0xed: (k) => { k.command = 0xed; return [ACK]; },
  0xee: () => [0xee],
  0xf0: (k) => { k.command = 0xf0; return [ACK]; },
  0xf2: () => [ACK, ...IDENTITY],
  0xf3: (k) => { k.command = 0xf3; return [ACK]; },
  0xf4: (k) => { k.queue = []; k.scanning = true; return [ACK]; },
  0xf5: (k) => { restoreDefaults(k); k.scanning = false; return [ACK]; },
  0xf6: (k) => { restoreDefaults(k); return [ACK]; },
  0xfe: (k) => [k.lastSent],
  0xff: (k) => { restoreDefaults(k); k.leds = 0; k.scanning = true; return [ACK, SELF_TEST_PASSED]; },
};

/** Commands with a parameter. */
const PARAMETERS: Partial<Record<number, (k: KeyboardState, value: number) => number[]>> = {
  0xed: (k, value) => { k.leds = value & 7; return [ACK]; },
  0xf3: (k, value) => { k.typematic = value & 0x7f; return [ACK]; },
  0xf0: (k, value) => {
    if (value === 0) return [ACK, k.scanCodeSet];
    if (value > 3) return [RESEND];
    k.scanCodeSet = value;
    return [ACK];
  },
};

/** A byte from the host to the keyboard. */
export function sendToKeyboard(k: KeyboardState, value: number): void {
  const parameter = PARAMETERS[k.command];
  k.command = 0;
  // A command byte in place of a parameter aborts the old command.
  const isCommand = COMMANDS[value] !== undefined;
  const answer = parameter && !isCommand ? parameter(k, value) : (COMMANDS[value]?.(k) ?? [RESEND]);
  // Answers have room of their own: a full queue of key presses must not swallow them.
  enqueue(k, answer, KEYBOARD_QUEUE_BYTES + CONTROLLER_QUEUE_BYTES);
}

/** Key events in set 1. Whole sequences are dropped when the keyboard's buffer is full or scanning is off. */
export function pressKeys(k: KeyboardState, set1: Iterable<number>): boolean {
  if (!k.scanning) return false;
  const bytes = [...set1];
  return enqueue(k, k.scanCodeSet === 1 ? bytes : bytes.flatMap(set1ToSet2), KEYBOARD_QUEUE_BYTES);
}

function enqueue(k: KeyboardState, bytes: number[], most: number): boolean {
  if (k.queue.length + bytes.length > most) return false;
  k.queue.push(...bytes);
  return true;
}

/**
 * What the 8042 makes of each set 2 code, 00-7F; above, codes stay themselves
 * except 83 and 84. F0 becomes bit 7 of the following code.
 */
const TRANSLATION = Uint8Array.from([
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
  0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
  0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
  0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
  0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
  0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
  0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
  0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
]);

export function translateToSet1(set2: number): number {
  if (set2 < 0x80) return TRANSLATION[set2];
  if (set2 === 0x83) return 0x41;
  if (set2 === 0x84) return 0x54;
  return set2;
}

const SET2_OF = new Map<number, number>(Array.from(TRANSLATION, (set1, set2) => [set1, set2] as const));
SET2_OF.set(0x41, 0x83); // F7
SET2_OF.set(0x54, 0x84); // SysRq

/** Set 2 bytes for one set 1 byte: prefixes stay, a release becomes F0 and the code. */
function set1ToSet2(set1: number): number[] {
  if (set1 === 0xe0 || set1 === 0xe1) return [set1];
  const code = SET2_OF.get(set1 & 0x7f);
  if (code === undefined) return [];
  return set1 & 0x80 ? [0xf0, code] : [code];
}
