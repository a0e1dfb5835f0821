/**
 * Proves the I/O APIC and the ways into it: edges and levels, remote IRR and
 * end of interrupt, masks, ISA and PCI wiring beside the 8259 pair, and
 * message-signalled interrupts.
 */
import { Bench } from '../testing';
import { LOCAL_APIC_AT } from './local-apic';
import { IO_APIC_AT, IO_APIC_PINS } from './io-apic';
import { PciFunction } from './pci-function';
import { slotOf } from './pci-host';

const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;

class ApicBench extends Bench {
  constructor() {
    super();
    this.local(0xf0, 0x1ff);
    // As Linux does when it goes over to the I/O APIC.
    this.local(0x350, MASKED);
    this.out(0x21, 0xff);
    this.out(0xa1, 0xff);
  }

  local(register: number, value: number): void {
    this.machine.mmio.write(LOCAL_APIC_AT + register, 4, value);
  }

  io(register: number, value?: number): number {
    this.machine.mmio.write(IO_APIC_AT, 4, register);
    if (value !== undefined) this.machine.mmio.write(IO_APIC_AT + 0x10, 4, value);
    return this.machine.mmio.read(IO_APIC_AT + 0x10, 4);
  }

  pin(pin: number, low: number, destination = 0): void {
    this.io(0x11 + 2 * pin, destination * 2 ** 24);
    this.io(0x10 + 2 * pin, low);
  }

  entry(pin: number): number {
    return this.io(0x10 + 2 * pin);
  }

  take(): number[] {
    const vectors: number[] = [];
    while (this.machine.irqPending() && vectors.length < 64) {
      vectors.push(this.machine.acknowledgeIrq());
      this.local(0xb0, 0);
    }
    return vectors;
  }
}

test('id, version and power-on state', () => {
  const b = new ApicBench();
  expect([b.io(0), b.io(1), b.io(2), b.io(0x40)]).toEqual([0x01000000, 0x00170020, 0x01000000, 0]);
  for (let pin = 0; pin < IO_APIC_PINS; pin++) expect(b.entry(pin)).toBe(MASKED);
  b.io(0, 0xff000000);
  expect(b.io(0)).toBe(0x0f000000);
  expect(b.io(0x10, 0xffffffff) & (REMOTE_IRR | 0x1000)).toBe(0);
});

test('an edge is sent once; while masked it is lost', () => {
  const b = new ApicBench();
  const line = b.machine.irqLine(5);
  line(true);
  b.pin(5, 0x45);
  expect(b.take()).toEqual([]);
  line(false);
  line(true);
  expect([b.take(), b.take()]).toEqual([[0x45], []]);
});

test('a level is sent once, and again after its end while the line is high', () => {
  const b = new ApicBench();
  const line = b.machine.irqLine(5);
  b.pin(5, LEVEL | 0x45);
  line(true);
  expect(b.machine.acknowledgeIrq()).toBe(0x45);
  expect(b.entry(5) & REMOTE_IRR).toBe(REMOTE_IRR);
  line(false);
  line(true);
  expect(b.machine.irqPending()).toBe(false); // not before the end
  b.local(0xb0, 0);
  expect(b.machine.acknowledgeIrq()).toBe(0x45);
  line(false);
  b.local(0xb0, 0);
  expect([b.machine.irqPending(), b.entry(5)]).toEqual([false, LEVEL | 0x45]);
});

test('a level that rose while masked comes when unmasked; the EOI register and an edge entry forget it', () => {
  const b = new ApicBench();
  const line = b.machine.irqLine(5);
  b.pin(5, MASKED | LEVEL | 0x45);
  line(true);
  b.pin(5, LEVEL | 0x45);
  expect(b.machine.acknowledgeIrq()).toBe(0x45);
  b.pin(5, MASKED | 0x45);
  expect(b.entry(5)).toBe(MASKED | 0x45);
  b.local(0xb0, 0);
  b.pin(5, LEVEL | 0x45);
  expect(b.machine.acknowledgeIrq()).toBe(0x45);
  line(false);
  b.machine.mmio.write(IO_APIC_AT + 0x40, 4, 0x45);
  expect(b.entry(5) & REMOTE_IRR).toBe(0);
});

test('a level that no CPU took is sent when one can be reached', () => {
  const b = new ApicBench();
  b.local(0xf0, 0xff);
  b.pin(5, LEVEL | 0x45);
  b.machine.irqLine(5)(true);
  expect([b.entry(5) & REMOTE_IRR, b.machine.irqPending()]).toEqual([0, false]);
  b.local(0xf0, 0x1ff);
  expect(b.machine.acknowledgeIrq()).toBe(0x45);
});

test('the timer is on pin 2, the cascade on none, others on their own; the 8259 pair sees the same lines', () => {
  const b = new ApicBench();
  for (let pin = 0; pin < 16; pin++) b.pin(pin, 0x40 + pin);
  for (const irq of [3, 4, 9, 14, 15]) b.machine.irqLine(irq)(true);
  b.machine.irqLine(2)(true);
  b.runTo(1e9);
  expect(b.take().sort((x, y) => x - y)).toEqual([0x42, 0x43, 0x44, 0x49, 0x4e, 0x4f]);
  b.out(0xa0, 0x0a);
  expect(b.in(0xa0)).toBe(0xc2); // IRQs 9, 14 and 15 are requested there, too
});

test('PCI pins reach the 8259 pair by their PIRQ line and the I/O APIC at pins 16 to 23', () => {
  const b = new ApicBench();
  const card = new PciFunction(slotOf(7, 0), { vendor: 1, device: 2, revision: 0, classCode: 0x020000, interruptPin: 2 });
  b.machine.pci.add(card);
  expect(card.read8(0x3c)).toBe(10);
  b.pin(16, LEVEL | 0x50);
  b.pin(10, 0x51);
  card.setInterrupt(true);
  expect(b.machine.acknowledgeIrq()).toBe(0x50);
  b.out(0xa0, 0x0a);
  expect(b.in(0xa0)).toBe(0x04);
  card.setInterrupt(false);
  b.local(0xb0, 0);
  expect(b.machine.irqPending()).toBe(false);
});

test('messages: fixed, by logical id, NMI; those for nobody or from elsewhere go nowhere', () => {
  const b = new ApicBench();
  b.local(0xd0, 0x01000000);
  b.machine.msi(0xfee00000, 0x4051);
  b.machine.msi(0xfee0100c, 0x4052); // logical, redirection hint
  b.machine.msi(0xfee05000, 0x4053); // id 5
  b.machine.msi(0xfed00000, 0x4054);
  b.machine.msi(0xfee00000, 0x0003); // illegal vector
  expect(b.take()).toEqual([0x52, 0x51]);
  expect(b.machine.nmiPending()).toBe(false);
  b.machine.msi(0xfee00000, 0x0400);
  expect(b.machine.nmiPending()).toBe(true);
});

test('an INIT to the first CPU asks for a reset', () => {
  const b = new ApicBench();
  b.local(0x300, 0x4500);
  expect(b.events).toEqual(['reset init']);
});

test('a machine without APICs is the 8259 pair alone', () => {
  const b = new Bench(undefined, { apic: false });
  expect(b.machine.mmio.read(LOCAL_APIC_AT + 0x30, 4)).toBe(0xffffffff);
  expect(b.machine.apicMsrs).toBeUndefined();
  b.startInterrupts(0);
  b.machine.msi(0xfee00000, 0x4051);
  b.runTo(1e8);
  expect(b.takeInterrupts()).toEqual([0]);
  expect(Object.keys(b.machine.save().devices)).not.toContain('io-apic');
});

test('the 8259 pair goes through LINT0 as firmware leaves it, before and beside the APIC', () => {
  const b = new Bench();
  b.startInterrupts(4);
  b.machine.irqLine(4)(true);
  expect(b.machine.irqPending()).toBe(true);
  b.machine.mmio.write(LOCAL_APIC_AT + 0x350, 4, MASKED | 0x700);
  expect(b.machine.irqPending()).toBe(false);
  b.machine.mmio.write(LOCAL_APIC_AT + 0x350, 4, 0x700);
  b.machine.msi(0xfee00000, 0x4051);
  expect([b.machine.acknowledgeIrq(), b.machine.acknowledgeIrq()]).toEqual([0x34, 0x51]);
});
