/** Proves the interrupt controllers' priorities, ends of interrupt, trigger modes and cascade. */
import { MmioBus } from '../bus/mmio-bus';
import { PortBus } from '../bus/port-bus';
import { Pic8259 } from './pic-8259';

class PicBench {
  readonly ports = new PortBus();
  readonly changes: boolean[] = [];
  readonly pic = new Pic8259((int) => this.changes.push(int));

  constructor(icw4 = 0x01) {
    this.pic.attach({ ports: this.ports, mmio: new MmioBus() });
    for (const [base, vector, wiring] of [[0x20, 0x20, 4], [0xa0, 0x28, 2]]) {
      this.out(base, 0x11);
      this.out(base + 1, vector);
      this.out(base + 1, wiring);
      this.out(base + 1, icw4);
      this.out(base + 1, 0);
    }
  }
  out(port: number, value: number): void {
    this.ports.out(port, 1, value);
  }
  in(port: number): number {
    return this.ports.in(port, 1);
  }
  raise(...irqs: number[]): void {
    for (const irq of irqs) this.pic.setLine(irq, true);
  }
  lower(...irqs: number[]): void {
    for (const irq of irqs) this.pic.setLine(irq, false);
  }
  isr(base: number): number {
    this.out(base, 0x0b);
    return this.in(base);
  }
  irr(base: number): number {
    this.out(base, 0x0a);
    return this.in(base);
  }
}

test('the lowest input wins; a lower one waits for the end of the higher', () => {
  const b = new PicBench();
  b.raise(5, 3);
  expect(b.pic.acknowledge()).toBe(0x23);
  expect(b.pic.irqPending()).toBe(false);
  b.raise(1);
  expect(b.pic.acknowledge()).toBe(0x21); // nests
  expect(b.isr(0x20)).toBe(0b1010);
  b.out(0x20, 0x20);
  expect(b.isr(0x20)).toBe(0b1000);
  b.out(0x20, 0x63);
  expect(b.pic.acknowledge()).toBe(0x25);
});

test('slave inputs come through input 2 and need two ends', () => {
  const b = new PicBench();
  b.raise(8, 14);
  expect(b.pic.acknowledge()).toBe(0x28);
  expect([b.isr(0x20), b.isr(0xa0)]).toEqual([4, 1]);
  b.out(0xa0, 0x20);
  expect(b.pic.irqPending()).toBe(false); // input 2 still in service
  b.out(0x20, 0x20);
  expect(b.pic.acknowledge()).toBe(0x2e);
});

test('an edge input is served once a rise; a line that falls first withdraws its request', () => {
  const b = new PicBench();
  b.raise(4);
  b.pic.acknowledge();
  b.out(0x20, 0x20);
  expect(b.pic.irqPending()).toBe(false);
  b.lower(4);
  b.raise(4);
  expect(b.pic.irqPending()).toBe(true);
  b.lower(4);
  expect(b.pic.irqPending()).toBe(false);
  expect(b.pic.acknowledge()).toBe(0x27); // spurious
  expect(b.isr(0x20)).toBe(0);
});

test('a level input asks again until its line falls', () => {
  const b = new PicBench();
  expect(b.in(0x4d1)).toBe(0x0e);
  b.raise(10);
  expect(b.pic.acknowledge()).toBe(0x2a);
  b.out(0xa0, 0x20);
  b.out(0x20, 0x20);
  expect(b.pic.acknowledge()).toBe(0x2a);
  b.lower(10);
  b.out(0xa0, 0x20);
  b.out(0x20, 0x20);
  expect(b.pic.irqPending()).toBe(false);
});

test('masking holds a request back and unmasking lets it through; INT changes are told once', () => {
  const b = new PicBench();
  b.changes.length = 0;
  b.out(0x21, 0x10);
  b.raise(4);
  expect(b.pic.irqPending()).toBe(false);
  expect(b.irr(0x20)).toBe(0x10);
  b.out(0x21, 0);
  expect(b.changes).toEqual([true]);
  b.pic.acknowledge();
  expect(b.changes).toEqual([true, false]);
});

test('rotation on end of interrupt and set priority', () => {
  const b = new PicBench();
  b.raise(3);
  b.pic.acknowledge();
  b.out(0x20, 0xa0); // rotate: 3 becomes the lowest
  b.raise(4);
  b.lower(3);
  b.raise(3);
  expect(b.pic.acknowledge()).toBe(0x24);
  b.out(0x20, 0x20);
  b.out(0x20, 0xc0 | 4); // 4 lowest, 5 highest
  b.raise(6, 1);
  expect([b.pic.acknowledge(), (b.out(0x20, 0x20), b.pic.acknowledge())]).toEqual([0x26, 0x21]);
});

test('automatic end of interrupt leaves nothing in service, and may rotate', () => {
  const b = new PicBench(0x03);
  b.out(0x20, 0x80);
  b.raise(0, 1);
  expect([b.pic.acknowledge(), b.pic.acknowledge()]).toEqual([0x20, 0x21]);
  expect(b.isr(0x20)).toBe(0);
  b.lower(0, 1);
  b.raise(0, 1, 7);
  expect(b.pic.acknowledge()).toBe(0x27); // 1 went to the end last, then comes 2..7
});

test('special mask mode lets lower inputs through while a masked one is in service', () => {
  const b = new PicBench();
  b.raise(1);
  b.pic.acknowledge();
  b.raise(6);
  expect(b.pic.irqPending()).toBe(false);
  b.out(0x21, 0x02);
  b.out(0x20, 0x68);
  expect(b.pic.acknowledge()).toBe(0x26);
  b.out(0x20, 0x20); // ends 6, not the masked 1
  expect(b.isr(0x20)).toBe(0x02);
});

test('special fully nested mode lets a higher slave input nest in a lower one', () => {
  const b = new PicBench(0x11);
  b.raise(12);
  expect(b.pic.acknowledge()).toBe(0x2c);
  b.raise(9);
  expect(b.pic.irqPending()).toBe(true);
  expect(b.pic.acknowledge()).toBe(0x29);
});

test('a poll takes the request without the CPU', () => {
  const b = new PicBench();
  b.raise(5);
  b.out(0x20, 0x0c);
  expect(b.in(0x20)).toBe(0x85);
  expect(b.isr(0x20)).toBe(0x20);
  b.out(0x20, 0x0c);
  expect(b.in(0x20)).toBe(0);
});

test('nothing is asked for while the chip is being initialised', () => {
  const b = new PicBench();
  b.out(0x20, 0x11);
  b.raise(1);
  expect(b.pic.irqPending()).toBe(false);
});
