/**
 * The registers of the two 8237A DMA controllers (ports 00-0F, C0-DF) and of
 * the page latch (81-8F). No device of this machine transfers through them;
 * software still programs and reads them back. Source: Intel 8237A data sheet.
 */
import { type Buses, Device } from '../device';
import { flag, list, record, StateFormat, u8, u16, type ValuesOf } from '../state-format';

const controllerFields = {
  address: list(u16('base and current address'), { length: 4 }),
  count: list(u16('base and current count'), { length: 4 }),
  mode: list(u8('mode register'), { length: 4 }),
  command: u8('command register'),
  request: u8('software requests'),
  mask: u8('masked channels'),
  highByteNext: flag('the byte pointer flip-flop'),
};
type Controller = ValuesOf<typeof controllerFields>;

const FORMAT = new StateFormat('dma-8237', 1, {
  controllers: list(record(controllerFields, 'channels 0-3, channels 4-7'), { length: 2 }),
  pages: list(u8('page registers 80-8F; 80 itself is the POST port'), { length: 16 }),
});

const powerOn = (): Controller => ({
  address: [0, 0, 0, 0], count: [0, 0, 0, 0], mode: [0, 0, 0, 0], command: 0, request: 0, mask: 0x0f, highByteNext: false,
});

export class Dma8237 extends Device<typeof FORMAT.fields> {
  constructor() {
    super(FORMAT, () => ({ controllers: [powerOn(), powerOn()], pages: new Array<number>(16).fill(0) }));
  }

  override attach({ ports }: Buses): void {
    ports.register('dma-8237', 0x00, 0x0f, {
      in8: (port) => read(this.state.controllers[0], port),
      out8: (port, value) => write(this.state.controllers[0], port, value),
    });
    // The second controller sits on even ports only.
    ports.register('dma-8237', 0xc0, 0xdf, {
      in8: (port) => read(this.state.controllers[1], (port - 0xc0) >> 1),
      out8: (port, value) => write(this.state.controllers[1], (port - 0xc0) >> 1, value),
    });
    ports.register('dma-8237 pages', 0x81, 0x8f, {
      in8: (port) => this.state.pages[port & 15],
      out8: (port, value) => { this.state.pages[port & 15] = value; },
    });
  }
}

function read(c: Controller, register: number): number {
  if (register < 8) {
    const value = (register & 1 ? c.count : c.address)[register >> 1];
    c.highByteNext = !c.highByteNext;
    return c.highByteNext ? value & 0xff : value >> 8;
  }
  // 8: status, no terminal count and no request ever; D: temporary register.
  return register === 8 || register === 13 ? 0 : register === 15 ? 0xf0 | c.mask : 0xff;
}

const WRITES: Partial<Record<number, (c: Controller, value: number) => void>> = {
  8: (c, value) => { c.command = value; },
  9: (c, value) => { c.request = withBit(c.request, value); },
  10: (c, value) => { c.mask = withBit(c.mask, value); },
  11: (c, value) => { c.mode[value & 3] = value; },
  12: (c) => { c.highByteNext = false; },
  13: (c) => { Object.assign(c, { command: 0, request: 0, mask: 0x0f, highByteNext: false }); },
  14: (c) => { c.mask = 0; },
  15: (c, value) => { c.mask = value & 15; },
};

function write(c: Controller, register: number, value: number): void {
  if (register >= 8) return WRITES[register]?.(c, value);
  const words = register & 1 ? c.count : c.address;
  const old = words[register >> 1];
  words[register >> 1] = c.highByteNext ? (old & 0xff) | (value << 8) : (old & 0xff00) | value;
  c.highByteNext = !c.highByteNext;
}

/** Bits 1-0 choose the channel, bit 2 is its new value. */
function withBit(bits: number, value: number): number {
  const bit = 1 << (value & 3);
  return value & 4 ? bits | bit : bits & ~bit;
}
