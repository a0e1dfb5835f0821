/** Proves virtio-net: frames both ways, merged buffers, back-pressure, receive filter, link and announcement, offloads, delayed interrupts, and a machine saved in their midst. */
import { Bench } from '../../testing';
import { slotOf } from '../pci-host';
import { set16 } from './bytes';
import { EVENT_INDEX, INDIRECT, TestDriver, TestNetwork, TestRam, type DriverOptions } from './testing';
import { VirtioNet, type VirtioNetOptions } from './virtio-net';
import type { Offloads } from './net-header';

const RX = 0,
  TX = 1,
  CONTROL = 2;
const MAC = 5,
  MERGE = 15,
  STATUS = 16,
  CTRL_VQ = 17,
  CTRL_RX = 18,
  CTRL_VLAN = 19,
  ANNOUNCE = 21,
  CTRL_MAC = 23;
const CSUM = 0,
  GUEST_CSUM = 1,
  GUEST_TSO4 = 7,
  HOST_TSO4 = 11;
const PLAIN = [MAC, MERGE, STATUS, CTRL_VQ, CTRL_RX, ANNOUNCE, CTRL_MAC, INDIRECT];
const BUFFERS = 0x90000;
const OUT = 0x60000;

class Rig {
  readonly bench = new Bench();
  readonly net: VirtioNet;
  readonly driver: TestDriver;
  readonly accepted: Offloads[] = [];
  readonly messages: number[] = [];

  constructor(
    options: Partial<DriverOptions> = {},
    readonly network = new TestNetwork(),
    more: Partial<VirtioNetOptions> = {},
    readonly ram = new TestRam(),
    from?: Rig,
  ) {
    this.net = new VirtioNet({
      slot: slotOf(5, 0),
      name: 'net-0',
      port: network,
      bus: ram,
      msi: (_address, data) => this.messages.push(data),
      onReceiveOffloads: (offloads) => this.accepted.push(offloads),
      ...more,
    });
    this.driver = new TestDriver(
      this.bench,
      ram,
      this.net,
      from?.driver.options ?? { mode: 'modern', features: PLAIN, queueSize: 16, ...options },
      from?.driver,
    );
  }

  buffers(count: number, length: number): void {
    for (let index = 0; index < count; index++) this.driver.offer(RX, [{ gpa: BUFFERS + index * 0x1000, length, write: true }]);
  }

  send(frame: readonly number[], header: readonly number[] = new Array<number>(12).fill(0)): void {
    this.ram.bytes.set(header, OUT);
    this.ram.bytes.set(frame, OUT + 0x100);
    this.driver.offer(TX, [
      { gpa: OUT, length: header.length },
      { gpa: OUT + 0x100, length: frame.length },
    ]);
    this.driver.kick(TX);
  }

  /** One command; its answer. */
  command(...bytes: number[]): number {
    this.ram.bytes.set(bytes, OUT + 0x2000);
    this.ram.bytes[OUT + 0x3000] = 0xff;
    this.driver.offer(CONTROL, [
      { gpa: OUT + 0x2000, length: bytes.length },
      { gpa: OUT + 0x3000, length: 1, write: true },
    ]);
    this.driver.kick(CONTROL);
    return this.ram.bytes[OUT + 0x3000];
  }
}

const frameTo = (target: readonly number[], length = 60, fill = 0x11): Uint8Array => {
  const frame = new Uint8Array(length).fill(fill);
  frame.set(target);
  frame.set([2, 0, 0, 0, 0, 9, 8, 0], 6);
  return frame;
};
const OWN = [0x52, 0x54, 0, 0, 0, 1];
const OTHER = [0x52, 0x54, 0, 0, 0, 2];
const BROADCAST = [255, 255, 255, 255, 255, 255];
const GROUP = [1, 0, 0x5e, 0, 0, 1];

test('identity and configuration: address and link', () => {
  const { driver } = new Rig();
  expect([driver.config(0, 4), driver.config(8, 4), driver.config(0x2c, 4)]).toEqual([0x10001af4, 0x02000000, 0x00011af4]);
  expect([0, 1, 2, 3, 4, 5, 6, 7].map((at) => driver.memory(0x200 + at, 1))).toEqual([...OWN, 1, 0]);
});

test.each([
  ['legacy', [], 10],
  ['legacy', [MERGE], 12],
  ['modern', [], 12],
] as const)('%s with %j: headers of %i bytes both ways', (mode, features, headerBytes) => {
  const rig = new Rig({ mode, features });
  const frame = frameTo(OWN);
  rig.send([...frame], new Array<number>(headerBytes).fill(0));
  expect(rig.network.sent).toEqual([{ frame: [...frame] }]);
  expect(rig.driver.takeUsed(TX)).toEqual([{ head: 0, length: 0 }]);
  rig.buffers(2, 2048);
  expect(rig.net.receive(frame)).toBe(true);
  expect(rig.driver.takeUsed(RX)).toEqual([{ head: 0, length: headerBytes + 60 }]);
  const header = new Array<number>(headerBytes).fill(0);
  if (headerBytes === 12) header[10] = 1;
  expect([...rig.ram.bytes.subarray(BUFFERS, BUFFERS + headerBytes + 60)]).toEqual([...header, ...frame]);
});

test('a long frame fills several buffers and says how many', () => {
  const rig = new Rig();
  rig.buffers(8, 100);
  const frame = frameTo(OWN, 350);
  for (let index = 14; index < 350; index++) frame[index] = index;
  expect(rig.net.receive(frame)).toBe(true);
  const used = rig.driver.takeUsed(RX);
  expect(used).toEqual([0, 1, 2, 3].map((head) => ({ head, length: head === 3 ? 62 : 100 })));
  expect(rig.ram.bytes[BUFFERS + 10]).toBe(4);
  const arrived = used.flatMap(({ head, length }) => [
    ...rig.ram.bytes.subarray(BUFFERS + head * 0x1000, BUFFERS + head * 0x1000 + length),
  ]);
  expect(arrived.slice(12)).toEqual([...frame]);
});

test('without merged buffers a frame that does not fit is lost, and its buffer is not', () => {
  const rig = new Rig({ features: [MAC] });
  rig.buffers(1, 100);
  expect(rig.net.receive(frameTo(OWN, 200))).toBe(true);
  expect(rig.driver.takeUsed(RX)).toEqual([]);
  expect(rig.net.receive(frameTo(OWN, 60))).toBe(true);
  expect(rig.driver.takeUsed(RX)).toEqual([{ head: 0, length: 72 }]);
});

test.each([[[]], [[EVENT_INDEX]]])(
  'no room with %j: the frame is refused whole, the driver asked to notify, and then it comes',
  (features) => {
    const rig = new Rig({ features: [...PLAIN, ...features] });
    rig.buffers(2, 100);
    expect(rig.net.receive(frameTo(OWN))).toBe(true);
    expect(rig.driver.wantsKick(RX, 2)).toBe(false);
    const long = frameTo(OWN, 300);
    expect(rig.net.receive(long)).toBe(false);
    expect(rig.driver.takeUsed(RX)).toHaveLength(1);
    rig.network.onReady = () => expect(rig.net.receive(long)).toBe(true);
    rig.buffers(4, 100);
    expect(rig.driver.wantsKick(RX, 2)).toBe(true);
    rig.driver.kick(RX);
    expect(rig.network.readies).toBe(1);
    expect(rig.driver.takeUsed(RX)).toHaveLength(4);
    rig.buffers(2, 100);
    expect(rig.driver.wantsKick(RX, 6)).toBe(false);
  },
);

test('a frame that even a full queue cannot hold is lost, not held for ever', () => {
  const rig = new Rig();
  rig.buffers(16, 20);
  expect(rig.net.receive(frameTo(OWN, 1000))).toBe(true);
  expect(rig.net.receive(frameTo(OWN, 60))).toBe(true);
  expect(rig.driver.takeUsed(RX)).toHaveLength(4);
});

test('a reset lets the network go on, and frames without a driver are dropped', () => {
  const rig = new Rig();
  expect(rig.net.receive(frameTo(OWN))).toBe(false);
  rig.driver.status = 0;
  expect([rig.network.readies, rig.net.receive(frameTo(OWN))]).toEqual([1, true]);
});

test('receive filter: modes, tables, own address', () => {
  const rig = new Rig();
  rig.buffers(16, 200);
  const arrives = (target: number[]): boolean => {
    rig.net.receive(frameTo(target));
    const came = rig.driver.takeUsed(RX).length === 1;
    if (came) rig.buffers(1, 200);
    return came;
  };
  const all = (): boolean[] => [OWN, OTHER, BROADCAST, GROUP].map(arrives);
  expect(all()).toEqual([true, true, true, true]);
  expect(rig.command(0, 0, 0)).toBe(0);
  expect(all()).toEqual([true, false, true, false]);
  expect(rig.command(0, 1, 1)).toBe(0); // all multicast
  expect(all()).toEqual([true, false, true, true]);
  rig.command(0, 1, 0);
  expect(rig.command(1, 0, 1, 0, 0, 0, ...OTHER, 1, 0, 0, 0, ...GROUP)).toBe(0);
  expect(all()).toEqual([true, true, true, true]);
  expect(rig.command(0, 3, 1)).toBe(0); // no multicast
  expect(rig.command(0, 5, 1)).toBe(0); // no broadcast
  expect(rig.command(0, 4, 1)).toBe(0); // no unicast
  expect(all()).toEqual([false, false, false, false]);
  for (const mode of [3, 4, 5]) rig.command(0, mode, 0);
  expect(rig.command(1, 0, 0, 0, 0, 0, 0, 0, 0, 0)).toBe(0);
  expect(rig.command(1, 1, ...OTHER)).toBe(0);
  expect([...rig.net.mac]).toEqual(OTHER);
  expect(all()).toEqual([false, true, true, false]);
});

test('more addresses than are kept let all of their kind pass', () => {
  const rig = new Rig();
  rig.buffers(2, 200);
  rig.command(0, 0, 0);
  expect(rig.command(1, 0, 65, 0, 0, 0, ...new Array<number>(65 * 6).fill(2), 0, 0, 0, 0)).toBe(0);
  rig.net.receive(frameTo(OTHER));
  rig.net.receive(frameTo(GROUP));
  expect(rig.driver.takeUsed(RX)).toHaveLength(1);
});

test('VLANs pass when added, with the feature only', () => {
  const tagged = frameTo(OWN);
  tagged.set([0x81, 0, 0x20, 5], 12);
  const rig = new Rig({ features: [...PLAIN, CTRL_VLAN] });
  rig.buffers(4, 200);
  rig.net.receive(tagged);
  expect(rig.command(2, 0, 5, 0)).toBe(0);
  rig.net.receive(tagged);
  expect(rig.command(2, 1, 5, 0)).toBe(0);
  rig.net.receive(tagged);
  expect(rig.driver.takeUsed(RX)).toHaveLength(1);
  const without = new Rig();
  without.buffers(1, 200);
  without.net.receive(tagged);
  expect(without.driver.takeUsed(RX)).toHaveLength(1);
});

test('commands that are wrong are answered so and change nothing', () => {
  const rig = new Rig();
  const model = (): unknown => (JSON.parse(JSON.stringify(rig.net.save())) as { model: unknown }).model;
  const before = model();
  for (const bytes of [
    [9, 9],
    [0, 6, 1],
    [0, 0],
    [0, 0, 2],
    [0, 0, 1, 1],
    [1, 0, 255, 255, 255, 255],
    [1, 0, 1, 0, 0, 0],
    [1, 1, 1, 2, 3],
    [2, 0, 0, 0x10],
    [4, 0, 1, 0],
  ]) {
    expect([bytes, rig.command(...bytes)]).toEqual([bytes, 1]);
  }
  expect(model()).toEqual(before);
  expect(rig.net.fault).toBe('');
});

test('link changes and announcements are configuration changes', () => {
  const rig = new Rig({ msix: true });
  rig.net.setLink(true);
  expect(rig.messages).toEqual([]);
  const generation = rig.driver.memory(0x15, 1);
  rig.net.setLink(false);
  expect([rig.messages.splice(0), rig.driver.memory(0x206, 2), rig.driver.memory(0x15, 1)]).toEqual([[0x40], 0, generation + 1]);
  rig.net.setLink(true);
  expect([rig.messages.splice(0), rig.net.announce(), rig.messages.splice(0), rig.driver.memory(0x206, 2)]).toEqual([
    [0x40],
    true,
    [0x40],
    3,
  ]);
  expect([rig.command(3, 0), rig.driver.memory(0x206, 2)]).toEqual([0, 1]);
  expect(new Rig({ features: [MAC] }).net.announce()).toBe(false);
});

test('a legacy driver writes its address', () => {
  const rig = new Rig({ mode: 'legacy', features: [MAC] });
  for (const [at, value] of OTHER.entries()) rig.driver.setIo(0x14 + at, 1, value);
  expect([...rig.net.mac]).toEqual(OTHER);
  rig.driver.status = 0;
  expect([...rig.net.mac]).toEqual(OWN);
});

describe('offloads', () => {
  const features = [...PLAIN, CSUM, GUEST_CSUM, GUEST_TSO4, HOST_TSO4];
  /** flags, GSO type, header length, GSO size, checksum start, checksum offset */
  const header = (flags: number, gso: number, headerLength: number, size: number, start: number, offset: number): number[] => {
    const bytes = new Uint8Array(12);
    bytes.set([flags, gso]);
    for (const [index, value] of [headerLength, size, start, offset].entries()) set16(bytes, 2 + index * 2, value);
    return [...bytes];
  };

  test('are offered with a port that has them, and the network hears what the driver takes', () => {
    expect(new Rig().driver.memory(4, 4) & ((1 << CSUM) | (1 << HOST_TSO4) | (1 << GUEST_TSO4))).toBe(0);
    const rig = new Rig({ features }, new TestNetwork(true));
    expect(rig.accepted).toEqual([{ checksum: true, tso4: true, tso6: false, ecn: false }]);
    rig.driver.status = 0;
    expect(rig.accepted).toHaveLength(2);
    expect(rig.accepted[1]).toEqual({ checksum: false, tso4: false, tso6: false, ecn: false });
  });

  test('sent: what was agreed on passes with its header, anything else is dropped', () => {
    const rig = new Rig({ features }, new TestNetwork(true));
    const frame = [...frameTo(OTHER, 200)];
    const good = [header(0, 0, 0, 0, 0, 0), header(1, 0, 0, 0, 34, 16), header(1, 1, 54, 100, 34, 16)];
    const bad = [
      header(1, 0, 0, 0, 199, 16),
      header(1, 4, 54, 100, 34, 16),
      header(1, 1, 54, 0, 34, 16),
      header(0, 1, 54, 100, 34, 16),
      header(1, 1, 201, 100, 34, 16),
      header(1, 0x81, 54, 100, 34, 16),
      header(1, 3, 54, 100, 34, 6),
    ];
    for (const each of [...good, ...bad]) rig.send(frame, each);
    expect(rig.network.sent.map((each) => each.header)).toEqual(good);
    expect(rig.driver.takeUsed(TX)).toHaveLength(good.length + bad.length);
    expect(rig.net.fault).toBe('');
  });

  test('received: passed on to a driver that takes them', () => {
    const rig = new Rig({ features }, new TestNetwork(true));
    rig.buffers(4, 2048);
    rig.net.receive(frameTo(OWN, 200), Uint8Array.from(header(1, 1, 54, 100, 34, 16)));
    expect([...rig.ram.bytes.subarray(BUFFERS, BUFFERS + 10)]).toEqual(header(1, 1, 54, 100, 34, 16).slice(0, 10));
  });

  test('received by a driver that takes none: checksums are filled in, segment trains dropped', () => {
    const rig = new Rig({ features: PLAIN }, new TestNetwork(true));
    rig.buffers(4, 2048);
    const frame = frameTo(OWN, 61, 0);
    frame.set([0x12, 0x34, 0, 0, 0x56, 0x78, 0x9a], 54); // checksummed from 54 on, stored at 56
    rig.net.receive(frame, Uint8Array.from(header(1, 0, 0, 0, 54, 2)));
    const sum = 0x1234 + 0x5678 + 0x9a00;
    const checksum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    expect([...rig.ram.bytes.subarray(BUFFERS + 12 + 54, BUFFERS + 12 + 61)]).toEqual([
      0x12,
      0x34,
      checksum >> 8,
      checksum & 0xff,
      0x56,
      0x78,
      0x9a,
    ]);
    expect(rig.ram.bytes[BUFFERS]).toBe(0);
    rig.net.receive(frame, Uint8Array.from(header(1, 1, 54, 100, 54, 2)));
    rig.net.receive(frame, Uint8Array.from(header(1, 0, 0, 0, 60, 2)));
    expect(rig.driver.takeUsed(RX)).toHaveLength(1);
  });
});

test('frames sent too short, too long or without a header', () => {
  const rig = new Rig();
  rig.send(new Array<number>(13).fill(1));
  rig.driver.offer(TX, [{ gpa: 0, length: 0x20000 }]);
  rig.driver.kick(TX);
  expect([rig.network.sent.length, rig.driver.takeUsed(TX).length, rig.net.fault]).toEqual([0, 2, '']);
  rig.driver.offer(TX, [{ gpa: OUT, length: 11 }]);
  rig.driver.kick(TX);
  expect([rig.network.sent.length, rig.net.fault]).toEqual([0, 'queue 1: a frame without header']);
});

test('with a clock, one interrupt for sent frames serves many; the frames are shown at once', () => {
  const bench = new Bench();
  const rig = new Rig({ msix: true, features: PLAIN, queueSize: 1024 }, new TestNetwork(), { clock: bench.clock });
  for (let index = 0; index < 5; index++) rig.send([...frameTo(OTHER)]);
  expect([rig.messages.length, rig.driver.takeUsed(TX).length, rig.net.nextDeadlineNs()]).toEqual([0, 5, 100_000]);
  rig.net.advance(99_999);
  expect(rig.messages).toEqual([]);
  rig.net.advance(100_000);
  expect([rig.messages.splice(0), rig.net.nextDeadlineNs()]).toEqual([[0x42], Infinity]);
  for (let index = 0; index < 256; index++) rig.send([...frameTo(OTHER)]);
  expect(rig.messages.splice(0)).toEqual([0x42]);
});

test('saved in the midst: filter, address, link, back-pressure and a delayed interrupt go on', () => {
  const before = new Rig({ msix: true, features: [...PLAIN, EVENT_INDEX] }, new TestNetwork(), { clock: new Bench().clock });
  before.command(0, 0, 0);
  before.command(1, 1, ...OTHER);
  before.driver.takeUsed(CONTROL);
  before.buffers(1, 100);
  expect(before.net.receive(frameTo(OTHER, 300))).toBe(false);
  before.messages.length = 0;
  before.send([...frameTo(GROUP)]);
  expect(before.messages).toEqual([]);
  const saved = JSON.parse(JSON.stringify(before.bench.machine.save())) as unknown;

  const ram = new TestRam();
  ram.bytes.set(before.ram.bytes);
  const after = new Rig({}, new TestNetwork(), {}, ram, before);
  after.net.setLink(false); // the cable is not plugged here
  after.bench.machine.restore(saved);
  expect(JSON.parse(JSON.stringify(after.bench.machine.save()))).toEqual(saved);
  after.bench.machine.resume();
  expect(after.messages.splice(0)).toEqual([0x42, 0x40]);
  expect(after.driver.takeUsed(TX)).toHaveLength(1);
  after.net.setLink(true);
  expect([after.network.readies, after.driver.wantsKick(RX, 1)]).toEqual([1, false]);
  after.buffers(3, 100);
  expect(after.driver.wantsKick(RX, 1)).toBe(true);
  after.driver.kick(RX);
  expect(after.network.readies).toBe(2);
  after.net.receive(frameTo(OWN));
  expect(after.driver.takeUsed(RX)).toEqual([]);
  after.net.receive(frameTo(OTHER));
  expect(after.driver.takeUsed(RX)).toHaveLength(1);
  expect(after.net.announce()).toBe(true);
});

test('a network may answer from inside `send`', () => {
  const rig = new Rig();
  rig.buffers(4, 200);
  rig.network.send = () => void rig.net.receive(frameTo(OWN));
  rig.send([...frameTo(OTHER)]);
  rig.send([...frameTo(OTHER)]);
  expect([rig.driver.takeUsed(TX).length, rig.driver.takeUsed(RX).length, rig.net.fault]).toEqual([2, 2, '']);
});

test.each([
  ['a read-only receive buffer', RX, [{ gpa: BUFFERS, length: 2000 }]],
  ['a receive buffer with no room behind the header', RX, [{ gpa: BUFFERS, length: 12, write: true }]],
  ['a receive buffer outside RAM', RX, [{ gpa: 0xfffff000, length: 2000, write: true }]],
  [
    'a frame outside RAM',
    TX,
    [
      { gpa: OUT, length: 12 },
      { gpa: 0xfffff000, length: 100 },
    ],
  ],
  ['a command without answer', CONTROL, [{ gpa: OUT, length: 2 }]],
  [
    'an answer outside RAM',
    CONTROL,
    [
      { gpa: OUT, length: 2 },
      { gpa: 0xfffff000, length: 1, write: true },
    ],
  ],
])('%s stops the device until it is reset', (_name, queue, pieces) => {
  const rig = new Rig();
  rig.driver.offer(queue, pieces);
  rig.driver.kick(queue);
  expect(rig.net.receive(frameTo(OWN))).toBe(queue !== RX || rig.net.fault !== '');
  expect([rig.net.fault.startsWith(`queue ${queue}: `), rig.driver.status & 0x40]).toEqual([true, 0x40]);
  rig.buffers(1, 200);
  expect(rig.net.receive(frameTo(OWN))).toBe(true);
  rig.driver.rings.length = 0;
  rig.driver.start();
  rig.buffers(1, 200);
  rig.net.receive(frameTo(OWN));
  expect(rig.driver.takeUsed(RX)).toHaveLength(1);
});
