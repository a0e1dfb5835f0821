/**
 * Proves the local APIC: priorities and end of interrupt, the timer in its
 * three modes and when the host is late, pins, messages between CPUs, errors,
 * switching off, and that its state goes on after a restore midway.
 */
import { TestClock } from '../testing';
import { ApicBus } from './apic-bus';
import { LocalApic } from './local-apic';

const Reg = {
  id: 0x20,
  version: 0x30,
  tpr: 0x80,
  ppr: 0xa0,
  eoi: 0xb0,
  ldr: 0xd0,
  dfr: 0xe0,
  svr: 0xf0,
  isr: 0x100,
  tmr: 0x180,
  irr: 0x200,
  esr: 0x280,
  icrLow: 0x300,
  icrHigh: 0x310,
  timer: 0x320,
  lint0: 0x350,
  lint1: 0x360,
  error: 0x370,
  initial: 0x380,
  current: 0x390,
  divide: 0x3e0,
} as const;
const MASKED = 0x10000;
const PERIODIC = 0x20000;
const TSC_DEADLINE = 0x40000;
const BASE = 0xfee00000n;

class Cpu {
  readonly log: string[] = [];
  readonly apic: LocalApic;
  /** The guest's TSC is at two ticks a nanosecond, plus this. */
  tscAhead = 0n;

  constructor(
    readonly bus = new ApicBus(),
    readonly clock = new TestClock(),
    id = 0,
    deadline = true,
  ) {
    const now = (): bigint => BigInt(Math.floor(clock.ns * 2)) + this.tscAhead;
    this.apic = new LocalApic({
      id,
      clock,
      bus,
      onChange: () => undefined,
      onInit: () => this.log.push('init'),
      onStartUp: (page) => this.log.push(`start ${page}`),
      tsc: deadline ? { now, nsAt: (tsc) => clock.ns + Number(tsc - now()) / 2 } : undefined,
    });
    this.set(Reg.svr, 0x1ff);
  }

  get(register: number): number {
    return this.apic.read(register, 4);
  }

  set(register: number, value: number): void {
    this.apic.write(register, 4, value >>> 0);
  }

  at(ns: number): this {
    this.clock.ns = ns;
    this.apic.advance(ns);
    return this;
  }

  /** Takes and ends what is ready. */
  take(): number[] {
    const vectors: number[] = [];
    while (this.apic.ready && vectors.length < 300) {
      vectors.push(this.apic.acknowledge());
      this.set(Reg.eoi, 0);
    }
    return vectors;
  }

  send(vector: number, level = false): void {
    this.apic.accept(0, vector, level);
  }
}

describe('priorities', () => {
  test('the highest class goes first, a lower or equal one waits for the end of interrupt', () => {
    const cpu = new Cpu();
    for (const vector of [0x41, 0x52, 0x45]) cpu.send(vector);
    expect(cpu.apic.acknowledge()).toBe(0x52);
    expect([cpu.get(Reg.ppr), cpu.apic.ready]).toEqual([0x50, false]);
    cpu.send(0x5f);
    expect(cpu.apic.ready).toBe(false);
    cpu.send(0x60);
    expect(cpu.apic.acknowledge()).toBe(0x60);
    cpu.set(Reg.eoi, 0);
    expect(cpu.get(Reg.isr + 0x20)).toBe(1 << (0x52 - 0x40));
    cpu.set(Reg.eoi, 0);
    expect(cpu.take()).toEqual([0x5f, 0x45, 0x41]);
    expect(cpu.get(Reg.irr + 0x20)).toBe(0);
  });

  test('the task priority holds back its own class and those below', () => {
    const cpu = new Cpu();
    cpu.set(Reg.tpr, 0x4f);
    cpu.send(0x4e);
    cpu.send(0x50);
    expect(cpu.take()).toEqual([0x50]);
    cpu.set(Reg.tpr, 0x30);
    expect(cpu.take()).toEqual([0x4e]);
  });

  test('with nothing ready the spurious vector comes, and nothing is in service', () => {
    const cpu = new Cpu();
    cpu.set(Reg.svr, 0x1a7);
    expect(cpu.apic.acknowledge()).toBe(0xa7);
    expect(cpu.get(Reg.isr + 0x50)).toBe(0);
  });

  test('only a level is told to the I/O APIC at its end', () => {
    const cpu = new Cpu();
    const ended: number[] = [];
    cpu.bus.addSource({ endOfInterrupt: (vector) => ended.push(vector), retry: () => undefined });
    cpu.send(0x61, true);
    expect(cpu.get(Reg.tmr + 0x30)).toBe(2);
    cpu.take();
    cpu.send(0x61);
    cpu.take();
    expect(ended).toEqual([0x61]);
    cpu.set(Reg.eoi, 0); // nothing in service
    expect(ended).toEqual([0x61]);
  });
});

describe('timer', () => {
  test('one-shot counts down at 1 GHz through the divider, once', () => {
    const cpu = new Cpu();
    cpu.set(Reg.timer, 0x40);
    cpu.set(Reg.divide, 0x3); // by 16
    cpu.set(Reg.initial, 1000);
    expect(cpu.apic.nextDeadlineNs()).toBe(16_000);
    cpu.at(8_000);
    expect([cpu.get(Reg.current), cpu.take()]).toEqual([500, []]);
    cpu.at(16_000);
    expect([cpu.get(Reg.current), cpu.take(), cpu.apic.nextDeadlineNs()]).toEqual([0, [0x40], Infinity]);
    expect(cpu.at(1e9).take()).toEqual([]);
  });

  test.each([
    [0x0, 2],
    [0x1, 4],
    [0x2, 8],
    [0x3, 16],
    [0x8, 32],
    [0x9, 64],
    [0xa, 128],
    [0xb, 1],
  ])('divide configuration %i divides by %i', (code, by) => {
    const cpu = new Cpu();
    cpu.set(Reg.timer, 0x40);
    cpu.set(Reg.divide, code);
    cpu.set(Reg.initial, 100);
    expect(cpu.apic.nextDeadlineNs()).toBe(100 * by);
  });

  test('periodic keeps its phase; what a late host missed is one interrupt, and counted', () => {
    const cpu = new Cpu();
    cpu.set(Reg.divide, 0xb);
    cpu.set(Reg.timer, PERIODIC | 0x40);
    cpu.set(Reg.initial, 1_000_000);
    cpu.at(1_300_000);
    expect([cpu.take(), cpu.apic.nextDeadlineNs(), cpu.get(Reg.current)]).toEqual([[0x40], 2_000_000, 700_000]);
    cpu.at(7_100_000);
    expect([cpu.take(), cpu.apic.nextDeadlineNs(), cpu.apic.coalescedTicks]).toEqual([[0x40], 8_000_000, 5]);
  });

  test('a period of nanoseconds does not wake the host all the time', () => {
    const cpu = new Cpu();
    cpu.set(Reg.divide, 0xb);
    cpu.set(Reg.timer, PERIODIC | 0x40);
    cpu.set(Reg.initial, 1);
    let wakes = 0;
    for (let next = cpu.apic.nextDeadlineNs(); next < 1e7; next = cpu.apic.nextDeadlineNs()) {
      cpu.at(next);
      wakes++;
    }
    expect(wakes).toBeLessThanOrEqual(200);
  });

  test('the divider changes while it runs: the count goes on from where it is', () => {
    const cpu = new Cpu();
    cpu.set(Reg.divide, 0xb);
    cpu.set(Reg.timer, 0x40);
    cpu.set(Reg.initial, 1000);
    cpu.at(400);
    cpu.set(Reg.divide, 0x0);
    expect([cpu.get(Reg.current), cpu.apic.nextDeadlineNs()]).toEqual([600, 400 + 1200]);
  });

  test('masked it expires unheard, and no interrupt comes late when unmasked', () => {
    const cpu = new Cpu();
    cpu.set(Reg.timer, MASKED | 0x40);
    cpu.set(Reg.initial, 1000);
    expect(cpu.apic.nextDeadlineNs()).toBe(Infinity);
    cpu.clock.ns = 1e6;
    cpu.set(Reg.timer, 0x40);
    expect([cpu.at(2e6).take(), cpu.get(Reg.current)]).toEqual([[], 0]);
  });

  test('TSC-deadline: fires when the TSC is there, not before, and disarms', () => {
    const cpu = new Cpu();
    cpu.set(Reg.timer, TSC_DEADLINE | 0x40);
    cpu.apic.msrs.writeDeadline(2_000_000n);
    expect([cpu.apic.nextDeadlineNs(), cpu.apic.msrs.readDeadline()]).toEqual([1_000_000, 2_000_000n]);
    // The guest set its TSC back: guest time says now, the TSC says later.
    cpu.tscAhead = -1_000_000n;
    cpu.at(1_000_000);
    expect([cpu.take(), cpu.apic.nextDeadlineNs()]).toEqual([[], 1_500_000]);
    cpu.at(1_500_000);
    expect([cpu.take(), cpu.apic.msrs.readDeadline(), cpu.apic.nextDeadlineNs()]).toEqual([[0x40], 0n, Infinity]);
  });

  test('TSC-deadline: one that has passed fires at once; zero disarms; the farthest one is no trouble', () => {
    const cpu = new Cpu().at(1e9);
    cpu.set(Reg.timer, TSC_DEADLINE | 0x40);
    cpu.apic.msrs.writeDeadline(5n);
    expect(cpu.take()).toEqual([0x40]);
    cpu.apic.msrs.writeDeadline(2n ** 64n - 1n);
    expect(cpu.apic.nextDeadlineNs()).toBe(1e9 + 86_400e9);
    cpu.apic.msrs.writeDeadline(0n);
    expect([cpu.apic.nextDeadlineNs(), cpu.at(2e9).take()]).toEqual([Infinity, []]);
  });

  test('TSC-deadline: the guest sets its TSC forward, and the deadline follows', () => {
    const cpu = new Cpu();
    cpu.set(Reg.timer, TSC_DEADLINE | 0x40);
    cpu.apic.msrs.writeDeadline(2_000_000n);
    cpu.tscAhead = 1_000_000n;
    cpu.apic.msrs.tscMoved();
    expect(cpu.apic.nextDeadlineNs()).toBe(500_000);
  });

  test('the modes keep out of each other, and a CPU without TSC-deadline has neither mode nor MSR', () => {
    const cpu = new Cpu();
    cpu.apic.msrs.writeDeadline(100n); // one-shot mode: ignored
    expect(cpu.apic.msrs.readDeadline()).toBe(0n);
    cpu.set(Reg.initial, 1000);
    cpu.set(Reg.timer, TSC_DEADLINE | 0x40);
    cpu.set(Reg.initial, 1000);
    expect([cpu.get(Reg.initial), cpu.get(Reg.current), cpu.apic.nextDeadlineNs()]).toEqual([0, 0, Infinity]);
    const old = new Cpu(new ApicBus(), new TestClock(), 0, false);
    old.set(Reg.timer, TSC_DEADLINE | 0x40);
    expect([old.get(Reg.timer), old.apic.msrs.readDeadline(), old.apic.msrs.writeDeadline(1n)]).toEqual([0x40, undefined, false]);
  });
});

describe('pins', () => {
  test('as firmware leaves it, the first CPU has the 8259 pair on LINT0 and the NMI on LINT1', () => {
    const { apic } = new Cpu();
    expect(apic.takesExtInt).toBe(true);
    apic.setPin(1, true);
    expect(apic.nmiPending).toBe(true);
    apic.acknowledgeNmi();
    expect(apic.nmiPending).toBe(false);
  });

  test('a masked LINT0 lets nothing through; a fixed one is an interrupt like others', () => {
    const cpu = new Cpu();
    cpu.set(Reg.lint0, MASKED | 0x700);
    expect(cpu.apic.takesExtInt).toBe(false);
    cpu.set(Reg.lint0, 0x35);
    cpu.apic.setPin(0, true);
    expect([cpu.apic.takesExtInt, cpu.take()]).toEqual([false, [0x35]]);
    cpu.apic.setPin(0, true);
    expect(cpu.take()).toEqual([]); // an edge, once
  });

  test('a level on LINT0 asks again after its end while it is high', () => {
    const cpu = new Cpu();
    cpu.set(Reg.lint0, 0x8035);
    cpu.apic.setPin(0, true);
    expect(cpu.apic.acknowledge()).toBe(0x35);
    expect(cpu.get(Reg.lint0)).toBe(0xc035);
    cpu.set(Reg.eoi, 0);
    expect(cpu.apic.acknowledge()).toBe(0x35);
    cpu.apic.setPin(0, false);
    cpu.set(Reg.eoi, 0);
    expect([cpu.apic.ready, cpu.get(Reg.lint0)]).toEqual([false, 0x8035]);
  });
});

describe('messages between CPUs', () => {
  function pair(): [Cpu, Cpu] {
    const bus = new ApicBus();
    const clock = new TestClock();
    return [new Cpu(bus, clock, 0), new Cpu(bus, clock, 1)];
  }
  const send = (from: Cpu, destination: number, low: number): void => {
    from.set(Reg.icrHigh, destination << 24);
    from.set(Reg.icrLow, low);
  };

  test('by physical id, by shorthand, to all', () => {
    const [a, b] = pair();
    send(a, 1, 0x4041);
    expect([a.take(), b.take()]).toEqual([[], [0x41]]);
    send(a, 0, 0x44042); // self
    expect([a.take(), b.take()]).toEqual([[0x42], []]);
    send(a, 0, 0x84043); // all
    expect([a.take(), b.take()]).toEqual([[0x43], [0x43]]);
    send(a, 0, 0xc4044); // all but self
    expect([a.take(), b.take()]).toEqual([[], [0x44]]);
    send(b, 0xff, 0x4045);
    expect([a.take(), b.take()]).toEqual([[0x45], [0x45]]);
    send(a, 9, 0x4046); // nobody
    expect([a.take(), b.take()]).toEqual([[], []]);
    expect(a.get(Reg.icrLow)).toBe(0x4046);
  });

  test('by logical id, flat and in clusters; lowest priority goes to the less busy one', () => {
    const [a, b] = pair();
    a.set(Reg.ldr, 0x01000000);
    b.set(Reg.ldr, 0x02000000);
    send(a, 3, 0x4841);
    expect([a.take(), b.take()]).toEqual([[0x41], [0x41]]);
    a.set(Reg.tpr, 0x20);
    send(a, 3, 0x4942);
    expect([a.take(), b.take()]).toEqual([[], [0x42]]);
    for (const [index, cpu] of [a, b].entries()) {
      cpu.set(Reg.dfr, 0x0fffffff);
      cpu.set(Reg.ldr, (0x21 + 0x10 * index) << 24);
    }
    send(a, 0x31, 0x4843);
    expect([a.take(), b.take()]).toEqual([[], [0x43]]);
  });

  test('NMI, INIT and start-up', () => {
    const [a, b] = pair();
    send(a, 1, 0x4400);
    expect(b.apic.nmiPending).toBe(true);
    b.set(Reg.tpr, 0x80);
    send(a, 1, 0xc500);
    send(a, 1, 0x8500); // de-assert: nothing
    expect([b.log, b.get(Reg.tpr), b.get(Reg.svr), b.apic.nmiPending]).toEqual([['init'], 0, 0xff, false]);
    send(a, 1, 0x4612);
    send(a, 1, 0x4613); // it runs already
    expect(b.log).toEqual(['init', 'start 18']);
    send(b, 0, 0x4500);
    send(b, 0, 0x4614);
    expect(a.log).toEqual(['init']); // the first CPU waits for no start-up
  });
});

describe('errors', () => {
  test('illegal vectors and registers are noted, shown after a write, and interrupt once', () => {
    const cpu = new Cpu();
    cpu.set(Reg.error, 0x70);
    cpu.set(Reg.icrLow, 0x44005);
    cpu.send(3);
    cpu.get(0x3f0);
    cpu.get(0x3f0);
    expect([cpu.get(Reg.esr), cpu.take()]).toEqual([0, [0x70]]);
    cpu.set(Reg.esr, 0);
    expect(cpu.get(Reg.esr)).toBe(0xe0);
    cpu.set(Reg.esr, 0);
    expect(cpu.get(Reg.esr)).toBe(0);
  });

  test('an error whose own vector is illegal ends there', () => {
    const cpu = new Cpu();
    cpu.set(Reg.error, 0x05);
    cpu.get(0x3f0);
    cpu.set(Reg.esr, 0);
    expect([cpu.get(Reg.esr), cpu.apic.ready]).toEqual([0xc0, false]);
  });
});

describe('registers', () => {
  test('only aligned dwords are written; any part is read', () => {
    const cpu = new Cpu();
    cpu.apic.write(Reg.tpr, 1, 0x40);
    cpu.apic.write(Reg.tpr + 4, 4, 0x40);
    expect(cpu.get(Reg.tpr)).toBe(0);
    expect([cpu.get(Reg.version), cpu.apic.read(Reg.version + 2, 2), cpu.apic.read(Reg.version + 4, 4)]).toEqual([0x50014, 5, 0]);
    cpu.set(Reg.version, 0xffffffff);
    expect(cpu.get(Reg.version)).toBe(0x50014);
  });

  test('switched off by software it takes no interrupts and keeps its vectors masked', () => {
    const cpu = new Cpu();
    cpu.set(Reg.svr, 0xff);
    cpu.send(0x41);
    cpu.set(Reg.lint0, 0x700);
    expect([cpu.take(), cpu.get(Reg.lint0), cpu.apic.takesExtInt]).toEqual([[], 0x10700, false]);
    cpu.apic.accept(4, 0, false);
    expect(cpu.apic.nmiPending).toBe(true);
  });

  test("switched off by IA32_APIC_BASE the registers are gone, and the pins are the CPU's; back on it is as after INIT", () => {
    const cpu = new Cpu();
    const { msrs } = cpu.apic;
    expect(msrs.readBase()).toBe(BASE | 0x900n);
    for (const wrong of [0n, 0xfed00900n, BASE | 0xc00n, BASE | 0x801n, BASE | (1n << 36n)]) expect(msrs.writeBase(wrong)).toBe(false);
    cpu.set(Reg.tpr, 0x50);
    cpu.set(Reg.lint0, MASKED);
    expect(msrs.writeBase(BASE)).toBe(true);
    expect([msrs.readBase(), cpu.get(Reg.version), cpu.apic.takesExtInt]).toEqual([BASE | 0x100n, 0xffffffff, true]);
    cpu.send(0x41);
    cpu.apic.setPin(1, true);
    expect([cpu.apic.ready, cpu.apic.nmiPending]).toEqual([false, true]);
    msrs.writeBase(BASE | 0x800n);
    expect([cpu.get(Reg.tpr), cpu.get(Reg.svr), cpu.get(Reg.lint0)]).toEqual([0, 0xff, MASKED]);
  });
});

test('saved and restored midway, everything goes on: timer, requests, service, pins, deadline', () => {
  const original = new Cpu();
  original.set(Reg.divide, 0xb);
  original.set(Reg.timer, PERIODIC | 0x40);
  original.set(Reg.initial, 1_000_000);
  original.set(Reg.lint0, 0x8035);
  original.apic.setPin(0, true);
  original.send(0x80);
  original.apic.acknowledge();
  original.send(0x70, true);
  original.at(1_300_000);
  const copy = new Cpu(new ApicBus(), new TestClock(1_300_000));
  copy.apic.restore(JSON.parse(JSON.stringify(original.apic.save())));
  expect(copy.apic.save()).toEqual(original.apic.save());
  const tale = (cpu: Cpu): unknown[] => {
    cpu.set(Reg.eoi, 0);
    const seen: unknown[] = [cpu.apic.acknowledge(), cpu.apic.acknowledge(), cpu.apic.nextDeadlineNs(), cpu.get(Reg.current)];
    cpu.apic.setPin(0, false);
    cpu.at(2_500_000);
    return [...seen, cpu.take(), cpu.apic.save()];
  };
  expect(tale(copy)).toEqual(tale(original));

  original.set(Reg.timer, TSC_DEADLINE | 0x41);
  original.apic.msrs.writeDeadline(8_000_000n);
  const second = new Cpu(new ApicBus(), new TestClock(2_500_000));
  second.apic.restore(original.apic.save());
  expect(second.apic.nextDeadlineNs()).toBe(4_000_000);
  for (let each = 0; each < 3; each++) second.set(Reg.eoi, 0);
  expect(second.at(4_000_000).take()).toContain(0x41);
});
