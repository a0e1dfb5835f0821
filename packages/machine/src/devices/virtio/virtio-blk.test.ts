/** Proves virtio-blk: every request type, many in flight, errors, resets with requests on their way, and a machine saved in their midst. */
import { Bench, seededRandom } from '../../testing';
import { slotOf } from '../pci-host';
import { set32, set64 } from './bytes';
import { EVENT_INDEX, INDIRECT, type Piece, TestDisk, TestDriver, TestRam, type DriverOptions } from './testing';
import { VirtioBlk } from './virtio-blk';

const IN = 0,
  OUT = 1,
  FLUSH = 4,
  GET_ID = 8,
  DISCARD = 11,
  WRITE_ZEROES = 13;
const OK = 0,
  IOERR = 1,
  UNSUPP = 2;
const ALL_FEATURES = [2, 6, 9, 10, 13, 14, INDIRECT, EVENT_INDEX];
const HEADERS = 0x80000;
const STATUSES = 0x81000;
const DATA = 0x90000;

class Rig {
  readonly bench = new Bench();
  readonly disk: TestDisk;
  readonly blk: VirtioBlk;
  readonly driver: TestDriver;
  private count = 0;

  constructor(
    options: Partial<DriverOptions> = {},
    readonly ram = new TestRam(),
    from?: Rig,
    readOnly = false,
  ) {
    this.disk = new TestDisk(ram);
    this.disk.readOnly = readOnly;
    this.blk = new VirtioBlk({ slot: slotOf(4, 0), name: 'disk-0', port: this.disk, bus: ram });
    this.driver = new TestDriver(
      this.bench,
      ram,
      this.blk,
      from?.driver.options ?? { mode: 'modern', features: ALL_FEATURES, ...options },
      from?.driver,
    );
    this.count = from?.count ?? 0;
  }

  /** Offers a request; gives what tells it apart. */
  request(type: number, sector: number, data: readonly Piece[] = [], indirect = false): { head: number; statusGpa: number } {
    const header = HEADERS + 16 * this.count;
    const statusGpa = STATUSES + this.count++;
    set32(this.ram.bytes, header, type);
    set64(this.ram.bytes, header + 8, sector);
    this.ram.bytes[statusGpa] = 0xff;
    const head = this.driver.offer(0, [{ gpa: header, length: 16 }, ...data, { gpa: statusGpa, length: 1, write: true }], indirect);
    return { head, statusGpa };
  }

  status(request: { statusGpa: number }): number {
    return this.ram.bytes[request.statusGpa];
  }
}

const into = (gpa: number, length: number): Piece => ({ gpa, length, write: true });
const from = (gpa: number, length: number): Piece => ({ gpa, length });

describe.each([
  ['legacy', false],
  ['legacy', true],
  ['modern', false],
  ['modern', true],
] as const)('%s driver, indirect %s', (mode, indirect) => {
  test('writes and reads back; adjacent pieces are one', () => {
    const rig = new Rig({ mode });
    rig.ram.bytes.fill(0x5a, DATA, DATA + 1024);
    const write = rig.request(OUT, 10, [from(DATA, 512), from(DATA + 512, 512)], indirect);
    rig.driver.kick(0);
    expect(rig.disk.requests[0]).toMatchObject({
      kind: 'write',
      sector: 10,
      sectors: 2,
      fua: false,
      segments: [{ gpa: DATA, length: 1024 }],
    });
    rig.disk.finish();
    expect([rig.status(write), rig.driver.takeUsed(0)]).toEqual([OK, [{ head: write.head, length: 1 }]]);

    const read = rig.request(IN, 10, [into(DATA + 0x4000, 512), into(DATA + 0x8000, 512)], indirect);
    rig.driver.kick(0);
    rig.disk.finish();
    expect([rig.status(read), rig.driver.takeUsed(0)]).toEqual([OK, [{ head: read.head, length: 1025 }]]);
    expect([rig.ram.bytes[DATA + 0x4000], rig.ram.bytes[DATA + 0x81ff]]).toEqual([0x5a, 0x5a]);
  });
});

test('configuration: capacity, segments, block size, topology, discard limits', () => {
  const { driver } = new Rig();
  const word = (at: number): number => driver.memory(0x200 + at, 4);
  expect([word(0), word(4), word(12), word(20), driver.memory(0x218, 1), driver.memory(0x220, 1)]).toEqual([256, 0, 254, 512, 3, 1]);
  expect([word(36), word(40), word(44), word(48), word(52), driver.memory(0x238, 1)]).toEqual([1 << 22, 1, 8, 1 << 22, 1, 1]);
});

test('many requests are under way and are answered in any order', () => {
  const rig = new Rig();
  const requests = Array.from({ length: 60 }, (_, index) => rig.request(IN, index, [into(DATA + index * 512, 512)]));
  for (let index = 0; index < 60; index++) rig.disk.data.fill(index, index * 512, index * 512 + 512);
  rig.driver.kick(0);
  expect(rig.disk.requests).toHaveLength(60);
  const random = seededRandom(7);
  while (rig.disk.requests.length > 0) rig.disk.finish(random(rig.disk.requests.length));
  expect(
    rig.driver
      .takeUsed(0)
      .map(({ head }) => head)
      .sort((a, b) => a - b),
  ).toEqual(requests.map(({ head }) => head));
  for (let index = 0; index < 60; index++) expect(rig.ram.bytes[DATA + index * 512 + 511]).toBe(index);
});

test('flush, serial number, discard, zeroes; what is unknown is unsupported', () => {
  const rig = new Rig();
  const range = (sector: number, sectors: number, flags: number): Piece => {
    const gpa = DATA + 0x1000 + sector * 16;
    set64(rig.ram.bytes, gpa, sector);
    set32(rig.ram.bytes, gpa + 8, sectors);
    set32(rig.ram.bytes, gpa + 12, flags);
    return from(gpa, 16);
  };
  const cases = [
    [rig.request(FLUSH, 0), OK],
    [rig.request(GET_ID, 0, [into(DATA, 20)]), OK],
    [rig.request(DISCARD, 0, [range(8, 8, 0)]), OK],
    [rig.request(DISCARD, 0, [range(16, 8, 1)]), UNSUPP],
    [rig.request(WRITE_ZEROES, 0, [range(32, 8, 1)]), OK],
    [rig.request(WRITE_ZEROES, 0, [range(40, 8, 2)]), UNSUPP],
    [rig.request(WRITE_ZEROES, 0, [range(250, 8, 0)]), IOERR],
    [rig.request(DISCARD, 0, [from(DATA + 0x3000, 32)]), IOERR],
    [rig.request(2, 0), UNSUPP],
    [rig.request(0xffffffff, 0), UNSUPP],
  ] as const;
  rig.driver.kick(0);
  expect(rig.disk.requests.map(({ kind, sector, sectors }) => [kind, sector, sectors])).toEqual([
    ['flush', 0, 0],
    ['discard', 8, 8],
    ['write-zeroes', 32, 8],
  ]);
  while (rig.disk.requests.length > 0) rig.disk.finish();
  expect(cases.map(([request]) => rig.status(request))).toEqual(cases.map(([, status]) => status));
  expect(Buffer.from(rig.ram.bytes.subarray(DATA, DATA + 20)).toString()).toBe('disk-0'.padEnd(20, '\0'));
  expect(rig.driver.takeUsed(0)).toHaveLength(cases.length);
});

test('a failed disk is a failed request; so are ranges beyond the end and broken sectors', () => {
  const rig = new Rig();
  const failing = rig.request(OUT, 0, [from(DATA, 512)]);
  const beyond = [
    rig.request(IN, 256, [into(DATA, 512)]),
    rig.request(IN, 255, [into(DATA, 1024)]),
    rig.request(OUT, 2 ** 60, [from(DATA, 512)]),
    rig.request(IN, 0, [into(DATA, 500)]),
  ];
  rig.driver.kick(0);
  expect(rig.disk.requests).toHaveLength(1);
  rig.disk.finish(0, 'error');
  expect([failing, ...beyond].map((each) => rig.status(each))).toEqual([IOERR, IOERR, IOERR, IOERR, IOERR]);
});

test('a read-only disk says so and takes no writes', () => {
  const rig = new Rig({ features: [5] }, new TestRam(), undefined, true);
  expect(rig.driver.memory(4, 4) & ((1 << 5) | (1 << 13) | (1 << 14))).toBe(1 << 5);
  const write = rig.request(OUT, 0, [from(DATA, 512)]);
  rig.driver.kick(0);
  expect([rig.status(write), rig.disk.requests.length]).toEqual([IOERR, 0]);
});

test('writes go through to the medium for a driver that cannot flush, or that turned the cache off', () => {
  const fua = (features: number[], writeback?: number): boolean | undefined => {
    const rig = new Rig({ features });
    if (writeback !== undefined) rig.driver.setMemory(0x220, 1, writeback);
    rig.request(OUT, 0, [from(DATA, 512)]);
    rig.driver.kick(0);
    return rig.disk.requests[0].fua;
  };
  expect([fua([]), fua([9]), fua([9, 11]), fua([9, 11], 0), fua([9, 11], 1), fua([9], 0)]).toEqual([
    true,
    false,
    false,
    true,
    false,
    false,
  ]);
});

test('header, data and status may be cut anywhere', () => {
  const rig = new Rig({ mode: 'modern', features: [] });
  set32(rig.ram.bytes, DATA, OUT);
  set64(rig.ram.bytes, DATA + 8, 3);
  rig.ram.bytes.fill(0x77, DATA + 16, DATA + 528);
  rig.driver.offer(0, [from(DATA, 5), from(DATA + 5, 0), from(DATA + 5, 523), into(DATA + 0x1000, 1)]);
  rig.driver.kick(0);
  rig.disk.finish();
  expect([rig.disk.data[3 * 512], rig.disk.data[4 * 512 - 1], rig.disk.data[4 * 512], rig.ram.bytes[DATA + 0x1000]]).toEqual([
    0x77,
    0x77,
    0,
    OK,
  ]);
});

test('a reset with requests under way ends when they have; they touch nothing and none overtakes them', () => {
  for (const mode of ['legacy', 'modern'] as const) {
    const rig = new Rig({ mode });
    const old = rig.request(OUT, 0, [from(DATA, 512)]);
    rig.driver.kick(0);
    rig.driver.status = 0;
    expect(rig.driver.status === 0).toBe(mode === 'legacy');
    rig.driver.rings.length = 0;
    rig.driver.start();
    rig.request(OUT, 0, [from(DATA + 512, 512)]);
    rig.driver.kick(0);
    expect(rig.disk.requests).toHaveLength(1);
    rig.disk.finish();
    expect([rig.status(old), rig.driver.takeUsed(0)]).toEqual([0xff, []]);
    expect(rig.disk.requests).toHaveLength(1);
    rig.disk.finish();
    expect(rig.driver.takeUsed(0)).toHaveLength(1);
  }
});

test('saved in the midst: open requests are submitted again in order, answered once, new ones work', () => {
  for (const mode of ['legacy', 'modern'] as const) {
    const before = new Rig({ mode });
    const requests = Array.from({ length: 8 }, (_, index) => {
      before.ram.bytes.fill(index + 1, DATA + index * 512, DATA + index * 512 + 512);
      return before.request(OUT, index, [from(DATA + index * 512, 512)], index % 2 === 1);
    });
    before.driver.kick(0);
    for (const index of [5, 2]) before.disk.finish(index);
    const done = before.driver.takeUsed(0).map(({ head }) => head);
    expect(done).toEqual([requests[5].head, requests[2].head]);
    const notYetKicked = before.request(FLUSH, 0);
    const saved = JSON.parse(JSON.stringify(before.bench.machine.save())) as unknown;

    const ram = new TestRam();
    ram.bytes.set(before.ram.bytes);
    const after = new Rig({}, ram, before);
    after.disk.data.set(before.disk.data);
    after.bench.machine.restore(saved);
    expect(after.disk.requests).toHaveLength(0);
    expect(JSON.parse(JSON.stringify(after.bench.machine.save()))).toEqual(saved); // paused, saved again
    after.bench.machine.resume();
    expect(after.disk.requests.map(({ kind, sector }) => [kind, sector])).toEqual(
      [0, 1, 3, 4, 6, 7].map((sector) => ['write', sector] as [string, number]).concat([['flush', 0]]),
    );
    while (after.disk.requests.length > 0) after.disk.finish(after.disk.requests.length - 1);
    expect(after.driver.takeUsed(0)).toHaveLength(7);
    expect([...requests, notYetKicked].map((each) => after.status(each))).toEqual(new Array(9).fill(OK));
    for (let index = 0; index < 8; index++) expect(after.disk.data[index * 512]).toBe(index + 1);
    const next = after.request(IN, 7, [into(DATA + 0x8000, 512)]);
    after.driver.kick(0);
    after.disk.finish();
    expect([after.status(next), ram.bytes[DATA + 0x8000]]).toEqual([OK, 8]);
  }
});

test('a machine that goes on after it was saved submits its open requests again; late answers to the old ones count for nothing', () => {
  const rig = new Rig();
  const write = rig.request(OUT, 0, [from(DATA, 512)]);
  rig.driver.kick(0);
  rig.bench.machine.save();
  const [old] = rig.disk.requests.splice(0);
  rig.bench.machine.resume();
  expect(rig.disk.requests).toHaveLength(1);
  old.done('error');
  expect([rig.status(write), rig.driver.takeUsed(0)]).toEqual([0xff, []]);
  rig.disk.finish();
  expect([rig.status(write), rig.driver.takeUsed(0).length]).toEqual([OK, 1]);
});

test('a saved state that does not fit is refused', () => {
  const saved = () => JSON.parse(JSON.stringify(new Rig().blk.save()));
  const refuse = (change: (state: ReturnType<typeof saved>) => void): void => {
    const state = saved();
    change(state);
    expect(() => new Rig().blk.restore(state)).toThrow(/disk-0/);
  };
  refuse((state) => {
    state.core.queues[0].size = 100;
  });
  refuse((state) => {
    state.core.queues[0].size = 1024;
  });
  refuse((state) => {
    state.core.queues = [];
  });
  refuse((state) => {
    state.core.features[0] |= 1 << 12;
  });
  refuse((state) => {
    state.model.inFlight = new Array(257).fill(0);
  });
  refuse((state) => {
    state.version = 2;
  });
  refuse((state) => {
    state.model.more = 1;
  });
});

test('a driver that takes bus mastering away from a request on its way has to reset the device', () => {
  const rig = new Rig();
  const write = rig.request(OUT, 0, [from(DATA, 512)]);
  rig.driver.kick(0);
  rig.driver.setConfig(4, 2, 3);
  rig.disk.finish();
  expect([rig.status(write), rig.driver.takeUsed(0), rig.driver.status & 0x40]).toEqual([0xff, [], 0x40]);
});

test('a status byte outside RAM stops the device when the request is done', () => {
  const rig = new Rig();
  const header = HEADERS + 0x800;
  rig.ram.bytes[header] = FLUSH;
  rig.driver.offer(0, [from(header, 16), into(0xfffff000, 1)]);
  rig.driver.kick(0);
  rig.disk.finish();
  expect([rig.blk.fault, rig.driver.takeUsed(0)]).toEqual(['queue 0: a status byte outside RAM', []]);
});
