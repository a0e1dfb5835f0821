/**
 * The 8042 keyboard controller (ports 60, 64; IRQ 1). Source: IBM PS/2
 * Technical Reference; IBM AT Technical Reference.
 *
 * One byte at a time stands in the output buffer; the controller's own answers
 * go before the keyboard's. A new byte moves up when the guest has read the
 * old one, and the interrupt line drops in between, since the input is edge
 * triggered. There is no pointing device: its loop command answers with the
 * wrong byte and its line test fails, by which drivers see that at once.
 */
import { type Buses, Device, type Line } from '../device';
import { CONTROLLER_QUEUE_BYTES } from '../limits';
import { flag, list, record, StateFormat, u8 } from '../state-format';
import {
  keyboardFields, powerOnKeyboard, pressKeys, sendToKeyboard, translateToSet1,
} from './at-keyboard';

const STATUS_FULL = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_AUX = 0x20;
const STATUS_TIMEOUT = 0x40;

const CONFIG_IRQ1 = 0x01;
const CONFIG_SYSTEM = 0x04;
const CONFIG_KEYBOARD_OFF = 0x10;
const CONFIG_AUX_OFF = 0x20;
const CONFIG_TRANSLATE = 0x40;

const OUTPUT_RESET = 0x01;
const OUTPUT_A20 = 0x02;

const AUX_LOOP_WITHOUT_DEVICE = 0xff;
const AUX_CLOCK_STUCK = 0x01;

const FORMAT = new StateFormat('i8042', 1, {
  config: u8('command byte'),
  outputPort: u8('output port as written, without the A20 bit'),
  command: u8('controller command that waits for its parameter; 0 for none'),
  lastWasCommand: flag('status bit 3: last write went to port 64'),
  full: flag('output buffer holds an unread byte'),
  buffer: u8('output buffer'),
  fromKeyboard: flag('the byte came from the keyboard: raises IRQ 1'),
  fromAux: flag('the byte came through the pointing device port'),
  released: flag('an F0 was swallowed by translation'),
  answers: list(
    record({ value: u8('byte'), aux: flag('through the pointing device port') }, 'controller answers not yet in the buffer'),
    { maxLength: CONTROLLER_QUEUE_BYTES },
  ),
  keyboard: record(keyboardFields),
});

export interface I8042Wiring {
  readonly irq1: Line;
  readonly a20: { enabled: boolean };
  readonly onReset: () => void;
}

export class I8042 extends Device<typeof FORMAT.fields> {
  constructor(private readonly wiring: I8042Wiring) {
    super(FORMAT, () => ({
      config: CONFIG_IRQ1 | CONFIG_SYSTEM | CONFIG_AUX_OFF | CONFIG_TRANSLATE,
      outputPort: OUTPUT_RESET, command: 0, lastWasCommand: false, full: false, buffer: 0, fromKeyboard: false,
      fromAux: false, released: false, answers: [], keyboard: powerOnKeyboard(),
    }));
  }

  override attach({ ports }: Buses): void {
    ports.register('i8042 data', 0x60, 0x60, {
      in8: () => this.readData(),
      out8: (_port, value) => this.writeData(value),
    });
    ports.register('i8042 command', 0x64, 0x64, {
      in8: () => this.status(),
      out8: (_port, value) => this.writeCommand(value),
    });
  }

  override reset(): void {
    super.reset();
    this.drive();
  }

  /** Key presses and releases as set 1 scan codes; false when the keyboard could not take them. */
  injectScancodes(set1: Iterable<number>): boolean {
    const taken = pressKeys(this.state.keyboard, set1);
    this.moveUp();
    return taken;
  }

  private status(): number {
    const { state } = this;
    return (
      STATUS_UNLOCKED |
      (state.full ? STATUS_FULL : 0) |
      (state.config & CONFIG_SYSTEM ? STATUS_SYSTEM : 0) |
      (state.lastWasCommand ? STATUS_COMMAND : 0) |
      (state.full && state.fromAux ? STATUS_AUX | STATUS_TIMEOUT : 0)
    );
  }

  private readData(): number {
    const { state } = this;
    const value = state.buffer;
    state.full = false;
    this.drive();
    this.moveUp();
    return value;
  }

  private writeData(value: number): void {
    const { state } = this;
    state.lastWasCommand = false;
    const parameter = PARAMETERS[state.command];
    state.command = 0;
    if (parameter) parameter(this.actions, value);
    else this.actions.toKeyboard(value);
    this.moveUp();
  }

  private writeCommand(value: number): void {
    this.state.lastWasCommand = true;
    this.state.command = 0;
    if (value >= 0xf0) {
      // Pulses output port bits low; bit 0 is the processor's reset.
      if (!(value & OUTPUT_RESET)) this.wiring.onReset();
    } else {
      COMMANDS[value]?.(this.actions);
    }
    this.moveUp();
  }

  /** What the command tables may do. */
  private readonly actions: Actions = {
    getConfig: () => this.state.config,
    setConfig: (value) => { this.state.config = value; this.drive(); },
    answer: (value, aux = false) => {
      if (this.state.answers.length < CONTROLLER_QUEUE_BYTES) this.state.answers.push({ value, aux });
    },
    expect: (command) => { this.state.command = command; },
    toKeyboard: (value) => {
      // Writing to the keyboard enables its interface.
      this.state.config &= ~CONFIG_KEYBOARD_OFF;
      sendToKeyboard(this.state.keyboard, value);
    },
    fakeKeyboardByte: (value) => {
      this.state.full = false;
      this.fill(value, true, false);
    },
    readOutputPort: () => this.state.outputPort | (this.wiring.a20.enabled ? OUTPUT_A20 : 0),
    writeOutputPort: (value) => {
      this.state.outputPort = (value & ~OUTPUT_A20) | OUTPUT_RESET;
      this.wiring.a20.enabled = (value & OUTPUT_A20) !== 0;
      if (!(value & OUTPUT_RESET)) this.wiring.onReset();
    },
    setA20: (enabled) => { this.wiring.a20.enabled = enabled; },
  };

  /** Fills the output buffer with the next byte there is. */
  private moveUp(): void {
    const { state } = this;
    if (state.full) return;
    const answer = state.answers.shift();
    if (answer) return this.fill(answer.value, false, answer.aux);
    if (state.config & CONFIG_KEYBOARD_OFF) return;
    const translate = (state.config & CONFIG_TRANSLATE) !== 0;
    for (let byte = state.keyboard.queue.shift(); byte !== undefined; byte = state.keyboard.queue.shift()) {
      state.keyboard.lastSent = byte;
      if (translate && byte === 0xf0) {
        state.released = true;
        continue;
      }
      const release = translate && state.released ? 0x80 : 0;
      state.released = false;
      return this.fill(translate ? translateToSet1(byte) | release : byte, true, false);
    }
  }

  private fill(value: number, fromKeyboard: boolean, fromAux: boolean): void {
    Object.assign(this.state, { full: true, buffer: value, fromKeyboard, fromAux });
    this.drive();
  }

  private drive(): void {
    const { full, fromKeyboard, config } = this.state;
    this.wiring.irq1(full && fromKeyboard && (config & CONFIG_IRQ1) !== 0);
  }
}

interface Actions {
  getConfig(): number;
  setConfig(value: number): void;
  answer(value: number, aux?: boolean): void;
  expect(command: number): void;
  toKeyboard(value: number): void;
  fakeKeyboardByte(value: number): void;
  readOutputPort(): number;
  writeOutputPort(value: number): void;
  setA20(enabled: boolean): void;
}

/** Commands to port 64; those not listed are ignored. */
const COMMANDS: Partial<Record<number, (a: Actions) => void>> = {
  0x20: (a) => a.answer(a.getConfig()),
  0x60: (a) => a.expect(0x60),
  0xa7: (a) => a.setConfig(a.getConfig() | CONFIG_AUX_OFF),
  // Without a device the clock line never comes up: the port stays off.
  0xa8: () => {},
  0xa9: (a) => a.answer(AUX_CLOCK_STUCK),
  0xaa: (a) => { a.setConfig(a.getConfig() | CONFIG_SYSTEM); a.answer(0x55); },
  0xab: (a) => a.answer(0),
  0xad: (a) => a.setConfig(a.getConfig() | CONFIG_KEYBOARD_OFF),
  0xae: (a) => a.setConfig(a.getConfig() & ~CONFIG_KEYBOARD_OFF),
  0xc0: (a) => a.answer(0x80), // input port: keyboard not locked
  0xd0: (a) => a.answer(a.readOutputPort()),
  0xd1: (a) => a.expect(0xd1),
  0xd2: (a) => a.expect(0xd2),
  0xd3: (a) => a.expect(0xd3),
  0xd4: (a) => a.expect(0xd4),
  0xdd: (a) => a.setA20(false),
  0xdf: (a) => a.setA20(true),
  0xe0: (a) => a.answer(0), // test inputs
};

/** The byte to port 60 after a command that takes one. */
const PARAMETERS: Partial<Record<number, (a: Actions, value: number) => void>> = {
  0x60: (a, value) => a.setConfig(value),
  0xd1: (a, value) => a.writeOutputPort(value),
  0xd2: (a, value) => a.fakeKeyboardByte(value),
  0xd3: (a) => a.answer(AUX_LOOP_WITHOUT_DEVICE),
  0xd4: (a) => a.answer(0xfe, true),
};
