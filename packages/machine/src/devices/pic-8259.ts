/**
 * The two cascaded 8259A interrupt controllers (ports 20, A0) and the edge or
 * level registers of the PIIX (4D0, 4D1). Source: Intel 8259A data sheet
 * (231468-003); PIIX data sheet for ELCR.
 *
 *   IRQ 0..7  ──►  master ──► INT to the CPU
 *   IRQ 8..15 ──►  slave  ──► master's input 2
 *
 * An edge input sets its request bit when the line rises and loses it when
 * the line falls before the CPU acknowledged, as the chip does. A level input's
 * request bit is the line. The cascade input always follows the slave's INT.
 * All input lines here have one driver each; sharing (PCI) happens before.
 */
import { type Buses, Device, type Line } from '../device';
import { flag, list, record, StateFormat, u8, type ValuesOf } from '../state-format';

const CASCADE_IRQ = 2;
const NONE = -1;

const chipFields = {
  lines: u8('levels of the eight inputs'),
  irr: u8('interrupt request register'),
  isr: u8('in-service register'),
  imr: u8('interrupt mask register (OCW1)'),
  elcr: u8('inputs that are level triggered (ports 4D0, 4D1)'),
  vectorBase: u8('ICW2 bits 7-3'),
  icw3: u8('ICW3 as written; the cascade itself is wired'),
  lowestPriority: u8('input of lowest priority, 0-7; rotation moves it'),
  initStep: u8('ICW expected next: 0 none, else 2, 3 or 4'),
  expectIcw4: flag('ICW1 bit 0'),
  single: flag('ICW1 bit 1: no cascade'),
  levelMode: flag('ICW1 bit 3: all inputs level triggered'),
  autoEoi: flag('ICW4 bit 1'),
  specialFullyNested: flag('ICW4 bit 4'),
  rotateOnAutoEoi: flag('OCW2 rotate in automatic EOI mode'),
  specialMask: flag('OCW3 special mask mode'),
  readIsr: flag('OCW3: even port reads ISR instead of IRR'),
  poll: flag('OCW3: next read is a poll'),
};
type Chip = ValuesOf<typeof chipFields>;

const FORMAT = new StateFormat('pic-8259', 1, {
  chips: list(record(chipFields, 'master, slave'), { length: 2 }),
});

const powerOnChip = (): Chip => ({
  lines: 0, irr: 0, isr: 0, imr: 0xff, elcr: 0, vectorBase: 0, icw3: 0, lowestPriority: 7, initStep: 0,
  expectIcw4: false, single: false, levelMode: false, autoEoi: false, specialFullyNested: false,
  rotateOnAutoEoi: false, specialMask: false, readIsr: false, poll: false,
});

/** IRQ 9, 10, 11: SCI and PCI, set to level as firmware leaves them. */
const SLAVE_FIRMWARE_ELCR = 0x0e;
/** Inputs that may be level triggered: not 0, 1, 2 and not 8, 13 (PIIX). */
const ELCR_WRITABLE = [0xf8, 0xde];

export class Pic8259 extends Device<typeof FORMAT.fields> {
  private int = false;

  /** `onChange` is told each time the INT output to the CPU rises or falls. */
  constructor(private readonly onChange: Line) {
    super(FORMAT, () => {
      const slave = powerOnChip();
      slave.elcr = SLAVE_FIRMWARE_ELCR;
      return { chips: [powerOnChip(), slave] };
    });
  }

  override attach({ ports }: Buses): void {
    for (const [chip, base] of [0x20, 0xa0].entries()) {
      ports.register('pic-8259', base, base + 1, {
        in8: (port) => this.read(chip, port & 1),
        out8: (port, value) => this.write(chip, port & 1, value),
      });
    }
    ports.register('pic-8259 elcr', 0x4d0, 0x4d1, {
      in8: (port) => this.state.chips[port & 1].elcr,
      out8: (port, value) => this.writeElcr(port & 1, value),
    });
  }

  override reset(): void {
    // Devices drive the lines; a reset of the chips does not change them.
    const lines = this.state.chips.map((chip) => chip.lines);
    super.reset();
    for (const [index, chip] of this.state.chips.entries()) {
      chip.lines = lines[index];
      chip.irr = chip.lines & levelInputs(chip);
    }
    this.settle();
  }

  override restore(saved: unknown): void {
    super.restore(saved);
    this.int = this.irqPending();
  }

  /** The wire to one of the 16 inputs. */
  line(irq: number): Line {
    return (level) => this.setLine(irq, level);
  }

  setLine(irq: number, level: boolean): void {
    const chip = this.state.chips[irq >> 3];
    const bit = 1 << (irq & 7);
    if (level === ((chip.lines & bit) !== 0)) return;
    chip.lines ^= bit;
    if (level) chip.irr |= bit;
    else chip.irr &= ~bit;
    this.settle();
  }

  /** The INT output. */
  irqPending(): boolean {
    return winner(this.state.chips[0]) !== NONE;
  }

  /**
   * The CPU's two INTA cycles: gives the vector and puts the request in
   * service. With nothing to give (the request went away) it is the spurious
   * vector of input 7, and nothing is in service.
   */
  acknowledge(): number {
    const [master, slave] = this.state.chips;
    const vector = this.acknowledgeChip(master, slave);
    this.settle();
    return vector;
  }

  private acknowledgeChip(master: Chip, slave: Chip): number {
    const irq = winner(master);
    if (irq === NONE) return master.vectorBase | 7;
    take(master, irq);
    if (irq !== CASCADE_IRQ || master.single) return master.vectorBase | irq;
    const slaveIrq = winner(slave);
    if (slaveIrq === NONE) return slave.vectorBase | 7;
    take(slave, slaveIrq);
    return slave.vectorBase | slaveIrq;
  }

  private read(index: number, a0: number): number {
    const chip = this.state.chips[index];
    if (chip.poll) {
      chip.poll = false;
      const irq = winner(chip);
      if (irq === NONE) return 0;
      take(chip, irq);
      this.settle();
      return 0x80 | irq;
    }
    if (a0 === 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  private write(index: number, a0: number, value: number): void {
    const chip = this.state.chips[index];
    if (a0 === 0) {
      if (value & 0x10) writeIcw1(chip, value);
      else if (value & 0x08) writeOcw3(chip, value);
      else writeOcw2(chip, value);
    } else if (chip.initStep === 0) {
      chip.imr = value;
    } else {
      writeNextIcw(chip, value);
    }
    this.settle();
  }

  private writeElcr(index: number, value: number): void {
    const chip = this.state.chips[index];
    chip.elcr = value & ELCR_WRITABLE[index];
    const level = levelInputs(chip);
    chip.irr = (chip.irr & ~level) | (chip.lines & level);
    this.settle();
  }

  /** Carries the slave's INT to the master and the master's to the CPU. */
  private settle(): void {
    const [master, slave] = this.state.chips;
    const bit = 1 << CASCADE_IRQ;
    if (winner(slave) !== NONE) {
      master.lines |= bit;
      master.irr |= bit;
    } else {
      master.lines &= ~bit;
      master.irr &= ~bit;
    }
    const int = this.irqPending();
    if (int === this.int) return;
    this.int = int;
    this.onChange(int);
  }
}

const levelInputs = (chip: Chip): number => (chip.levelMode ? 0xff : chip.elcr);

/** 0 for the input of highest priority, 7 for the lowest. */
const rank = (chip: Chip, irq: number): number => (irq - chip.lowestPriority - 1) & 7;

function highest(chip: Chip, bits: number): number {
  for (let order = 0; order < 8; order++) {
    const irq = (chip.lowestPriority + 1 + order) & 7;
    if (bits & (1 << irq)) return irq;
  }
  return NONE;
}

/** The request that INT stands for, or NONE. */
function winner(chip: Chip): number {
  if (chip.initStep !== 0) return NONE;
  const irq = highest(chip, chip.irr & ~chip.imr);
  if (irq === NONE) return NONE;
  const blocking = highest(chip, chip.specialMask ? chip.isr & ~chip.imr : chip.isr);
  if (blocking === NONE || rank(chip, irq) < rank(chip, blocking)) return irq;
  const nestedSlave = chip.specialFullyNested && irq === CASCADE_IRQ && blocking === irq;
  return nestedSlave ? irq : NONE;
}

function take(chip: Chip, irq: number): void {
  const bit = 1 << irq;
  if (!(levelInputs(chip) & bit)) chip.irr &= ~bit;
  if (!chip.autoEoi) chip.isr |= bit;
  else if (chip.rotateOnAutoEoi) chip.lowestPriority = irq;
}

function writeIcw1(chip: Chip, value: number): void {
  chip.expectIcw4 = (value & 1) !== 0;
  chip.single = (value & 2) !== 0;
  chip.levelMode = (value & 8) !== 0;
  chip.initStep = 2;
  chip.imr = 0;
  chip.isr = 0;
  // The edge sense circuit starts anew: a line that is high must fall and rise again.
  chip.irr = chip.lines & levelInputs(chip);
  chip.lowestPriority = 7;
  chip.specialMask = false;
  chip.readIsr = false;
  chip.poll = false;
  chip.autoEoi = false;
  chip.specialFullyNested = false;
  chip.rotateOnAutoEoi = false;
}

function writeNextIcw(chip: Chip, value: number): void {
  const afterIcw3 = chip.expectIcw4 ? 4 : 0;
  if (chip.initStep === 2) {
    chip.vectorBase = value & 0xf8;
    chip.initStep = chip.single ? afterIcw3 : 3;
  } else if (chip.initStep === 3) {
    chip.icw3 = value;
    chip.initStep = afterIcw3;
  } else {
    chip.autoEoi = (value & 2) !== 0;
    chip.specialFullyNested = (value & 0x10) !== 0;
    chip.initStep = 0;
  }
}

/** Bits 7-5: rotate, specific, end of interrupt. */
function writeOcw2(chip: Chip, value: number): void {
  const rotate = (value & 0x80) !== 0;
  const specific = (value & 0x40) !== 0;
  const eoi = (value & 0x20) !== 0;
  if (!eoi) {
    if (!specific) chip.rotateOnAutoEoi = rotate;
    else if (rotate) chip.lowestPriority = value & 7;
    return;
  }
  const serviced = chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
  const irq = specific ? value & 7 : highest(chip, serviced);
  if (irq === NONE) return;
  chip.isr &= ~(1 << irq);
  if (rotate) chip.lowestPriority = irq;
}

function writeOcw3(chip: Chip, value: number): void {
  if (value & 0x40) chip.specialMask = (value & 0x20) !== 0;
  if (value & 0x04) chip.poll = true;
  if (value & 0x02) chip.readIsr = (value & 1) !== 0;
}
