/** Proves configuration mechanism 1, base address sizing and placing, and interrupt routing. */
import { Bench } from '../testing';
import { PciFunction, type PciBar } from './pci-function';
import { slotOf } from './pci-host';

const config = (b: Bench, slot: number, at: number): number => {
  b.out(0xcf8, (0x80000000 | (slot << 8) | at) >>> 0, 4);
  return b.in(0xcfc, 4);
};
const setConfig = (b: Bench, slot: number, at: number, value: number): void => {
  b.out(0xcf8, (0x80000000 | (slot << 8) | at) >>> 0, 4);
  b.out(0xcfc, value, 4);
};

const SLOT = slotOf(3, 0);
function withCard(): { b: Bench; card: PciFunction } {
  const registers = new Uint8Array(4096);
  const bars: Record<number, PciBar> = {
    0: { kind: 'io', size: 32, handler: (base) => ({ in8: (port) => port - base }) },
    1: {
      kind: 'memory', size: 4096,
      handler: { read: (offset) => registers[offset], write: (offset, _size, value) => { registers[offset] = value; } },
    },
  };
  const b = new Bench();
  const card = new PciFunction(SLOT, { vendor: 0x1234, device: 0x5678, revision: 1, classCode: 0x020000, interruptPin: 1, bars });
  b.machine.pci.add(card);
  return { b, card };
}

test('the chipset is there and the rest of the bus is empty', () => {
  const b = new Bench();
  const found: string[] = [];
  for (let slot = 0; slot < 256; slot++) {
    const id = config(b, slot, 0);
    if (id !== 0xffffffff) found.push(`${slot >> 3}.${slot & 7} ${(id & 0xffff).toString(16)}:${(id >>> 16).toString(16)}`);
  }
  expect(found).toEqual(['0.0 8086:1237', '1.0 8086:7000', '1.3 8086:7113']);
  b.out(0xcf8, 0x80010000, 4);
  expect(b.in(0xcfc, 4)).toBe(0xffffffff); // bus 1
});

test('CF8 is a dword register; its second byte is the reset control', () => {
  const b = new Bench();
  b.out(0xcf8, 0x80000800, 4);
  b.out(0xcf9, 0x02);
  expect(b.in(0xcf8, 4)).toBe(0x80000800);
  expect(b.in(0xcfc, 2)).toBe(0x8086);
  expect(b.in(0xcfe, 2)).toBe(0x7000);
  expect(b.in(0xcff)).toBe(0x70);
});

test('base addresses: size, place, move, switch off', () => {
  const { b } = withCard();
  setConfig(b, SLOT, 0x10, 0xffffffff);
  expect(config(b, SLOT, 0x10)).toBe(0xffe1);
  setConfig(b, SLOT, 0x14, 0xffffffff);
  expect(config(b, SLOT, 0x14)).toBe(0xfffff000);
  setConfig(b, SLOT, 0x10, 0xc000);
  setConfig(b, SLOT, 0x14, 0xfe000000);
  expect(b.in(0xc003)).toBe(0xff); // not decoded yet
  setConfig(b, SLOT, 0x04, 3);
  expect(b.in(0xc003)).toBe(3);
  b.machine.mmio.write(0xfe000010, 1, 0x77);
  expect(b.machine.mmio.read(0xfe000010, 1)).toBe(0x77);
  setConfig(b, SLOT, 0x10, 0xd000);
  expect([b.in(0xc003), b.in(0xd003)]).toEqual([0xff, 3]);
  setConfig(b, SLOT, 0x04, 0);
  expect([b.in(0xd003), b.machine.mmio.read(0xfe000010, 1)]).toEqual([0xff, 0xff]);
});

test('a base address on top of a fixed device does not take its ports', () => {
  const { b } = withCard();
  setConfig(b, SLOT, 0x10, 0x20);
  setConfig(b, SLOT, 0x04, 1);
  expect(b.in(0x21)).toBe(0xff); // the interrupt mask, not 1
  expect(b.in(0x23)).toBe(3);
});

test('a pin interrupts on the IRQ its PIRQ line is routed to', () => {
  const { b, card } = withCard();
  b.startInterrupts(10, 11);
  card.setInterrupt(true);
  expect(b.machine.acknowledgeIrq() - 0x30).toBe(11);
  setConfig(b, slotOf(1, 0), 0x60, 0x0b0a0b0a & ~0xff0000 | 0x800000); // 3.0 INTA is PIRQ line 3: now IRQ 11; line 2 off
  setConfig(b, slotOf(1, 0), 0x60, 0x800b0a0b); // line 3 off
  card.setInterrupt(false);
  b.out(0xa0, 0x20);
  b.out(0x20, 0x20);
  expect(b.machine.irqPending()).toBe(false);
});

test('placed ranges come back with a restore', () => {
  const { b } = withCard();
  setConfig(b, SLOT, 0x10, 0xc000);
  setConfig(b, SLOT, 0x04, 1);
  const saved = JSON.parse(JSON.stringify(b.machine.save()));
  const other = withCard().b;
  other.machine.restore(saved);
  expect(other.in(0xc005)).toBe(5);
  expect(() => new Bench().machine.restore(saved)).toThrow(/pci-host: 4 functions saved, this machine has 3/);
});
