/** Proves what a driver finds before it starts the adapter: identity, address PROM, both widths, resets, EEPROM, MII, timer. */
import { crc32Register, frameCheck } from './crc32';
import { PcnetDriver } from './testing/driver';
import { frameTo, MAC } from './testing/network';

test('PCI identity and base addresses of 32 bytes', () => {
  const d = new PcnetDriver();
  expect(d.configuration(0x00)).toBe(0x20001022);
  expect(d.configuration(0x08)).toBe(0x02000010);
  expect(d.configuration(0x3c) >>> 16).toBe(0xff06);
  d.configure(0x10, 0xffffffff);
  d.configure(0x14, 0xffffffff);
  expect([d.configuration(0x10), d.configuration(0x14)]).toEqual([0xffe1, 0xffffffe0]);
  expect(new PcnetDriver({ model: 'am79c973' }).configuration(0x2c)).toBe(0x20001022);
});

test('the address PROM: address, hardware id, letters and checksum, by any width', () => {
  const d = new PcnetDriver();
  const bytes = Array.from({ length: 16 }, (_, at) => d.access(at, 1));
  expect(bytes.slice(0, 6)).toEqual([...MAC]);
  expect([bytes[9], bytes[14], bytes[15]]).toEqual([0x11, 0x57, 0x57]);
  const sum = bytes.reduce((total, byte, at) => (at === 12 || at === 13 ? total : total + byte), 0);
  expect(d.access(12, 2)).toBe(sum);
  expect(d.access(0, 4)).toBe(0x12005452);
  d.access(0, 1, 0x77);
  expect(d.access(0, 1)).toBe(0x52);
  d.setBcr(2, 0x0102);
  d.access(0, 1, 0x77);
  expect(d.access(0, 1)).toBe(0x77);
});

test.each(['io', 'memory'] as const)('word mode, then dword mode until a hardware reset (%s)', (space) => {
  const d = new PcnetDriver({ space });
  d.access(0x12, 2, 88);
  expect([d.access(0x12, 2), d.access(0x10, 2), d.access(0x10, 4)]).toEqual([88, 0x1003, 0xffffffff]);
  d.access(0x10, 4, 0);
  expect([d.access(0x12, 2), d.access(0x10, 2)]).toEqual([0xffff, 0xffff]);
  d.access(0x14, 4, 89);
  expect([d.access(0x14, 4), d.access(0x10, 4)]).toEqual([89, 0x0262]);
  d.access(0x18, 4);
  d.access(0x14, 4, 18);
  expect(d.access(0x1c, 4)).toBe(0x9081);
  d.access(0x1c, 4, 0x9001);
  expect(d.access(0x1c, 4)).toBe(0x9081);
  d.bench.machine.reset();
  d.configure(0x10, 0xc000);
  d.configure(0x14, 0xfe000000);
  d.configure(0x04, 3);
  expect(d.access(0x10, 2)).toBe(0x0004);
});

test.each(['word', 'dword'] as const)('the sequence by which Linux finds the chip (%s)', (width) => {
  const d = new PcnetDriver({ width });
  d.softReset();
  expect(d.csr(0)).toBe(0x0004);
  const chip = d.csr(88) | (d.csr(89) << 16);
  expect([chip & 0xfff, chip >>> 12]).toEqual([0x003, 0x2621]);
  const address = [12, 13, 14].flatMap((number) => [d.csr(number) & 0xff, d.csr(number) >> 8]);
  expect(address).toEqual([...MAC]);
  expect(d.bcr(4)).toBe(0x80c0);
  d.card.setLink(false);
  expect(d.bcr(4)).toBe(0x00c0);
});

test('registers that a running chip keeps closed', () => {
  const d = new PcnetDriver();
  d.start();
  const before = [8, 15, 24, 76].map((number) => d.csr(number));
  for (const number of [8, 15, 24, 76]) d.setCsr(number, 0x1234);
  d.setBcr(20, 0);
  expect([8, 15, 24, 76].map((number) => d.csr(number))).toEqual(before);
  expect(d.bcr(20)).toBe(0x0302);
  d.setCsr(5, 1);
  expect(d.csr(5)).toBe(1);
  d.setCsr(8, 0x1234);
  expect(d.csr(8)).toBe(0x1234);
});

test('software styles decide the widths', () => {
  const d = new PcnetDriver();
  const set = (style: number): number => {
    d.setBcr(20, style);
    return d.bcr(20);
  };
  expect([0, 1, 2, 3, 9].map(set)).toEqual([0x0200, 0x0101, 0x0302, 0x0303, 0x0303]);
  expect(d.csr(58)).toBe(0x0303);
});

test('STOP and the reset register', () => {
  const d = new PcnetDriver();
  d.start();
  expect(d.csr(0)).toBe(0x0073);
  d.setCsr(4, 0x0995); // UINTCMD
  expect([d.csr(0), d.csr(4), d.interrupting]).toEqual([0x00f3, 0x0955, true]);
  d.setCsr(0, 0x0004);
  expect([d.csr(0), d.csr(4), d.interrupting]).toEqual([0x0004, 0x0915, false]);
  d.setCsr(3, 0xffff);
  expect(d.csr(3)).toBe(0x5f7c);
  d.softReset();
  expect([d.csr(3), d.csr(4), d.csr(0)]).toEqual([0, 0x0115, 0x0004]);
  d.setCsr(0, 0x0007);
  expect(d.csr(0)).toBe(0x0004);
});

test('the EEPROM is there and reads as the address PROM', () => {
  const d = new PcnetDriver();
  expect(d.bcr(19) & 0xa000).toBe(0xa000);
  const clock = (bit: number): number => {
    d.setBcr(19, 0x14 | bit);
    d.setBcr(19, 0x16 | bit);
    return d.bcr(19) & 1;
  };
  const word = (address: number): number => {
    d.setBcr(19, 0x10);
    for (const bit of [0, 1, 1, 0]) clock(bit);
    for (let bit = 5; bit >= 0; bit--) clock((address >> bit) & 1);
    let value = 0;
    for (let bit = 0; bit < 16; bit++) value = (value << 1) | clock(0);
    return value;
  };
  expect([0, 1, 2, 7, 40].map(word)).toEqual([0x5452, 0x1200, 0x5634, 0x5757, 0]);
});

test('the PHY of the Am79C973 answers at 30 alone and follows the link', () => {
  const d = new PcnetDriver({ model: 'am79c973' });
  const mii = (phy: number, register: number): number => {
    d.setBcr(33, (phy << 5) | register);
    return d.bcr(34);
  };
  expect(d.bcr(33) >> 5).toBe(30);
  const found = Array.from({ length: 32 }, (_, phy) => phy).filter((phy) => mii(phy, 2) !== 0xffff);
  expect(found).toEqual([30]);
  expect([mii(30, 1), mii(30, 5), mii(30, 3)]).toEqual([0x782d, 0x45e1, 0x6b60]);
  d.card.setLink(false);
  d.card.setLink(true);
  expect([mii(30, 1), mii(30, 1)]).toEqual([0x7809, 0x782d]);
  d.setBcr(33, 30 << 5);
  d.setBcr(34, 0x0000);
  expect(mii(30, 0)).toBe(0);
  d.setBcr(34, 0x8000);
  expect(mii(30, 0)).toBe(0x3100);
  expect(d.csr(7) & 0x0220).toBe(0x0220);
  const old = new PcnetDriver();
  old.setBcr(33, 30 << 5);
  expect([old.bcr(33), old.bcr(34), old.csr(88)]).toEqual([0, 0, 0x1003]);
});

test('the software timer of the Am79C973 interrupts each period', () => {
  const d = new PcnetDriver({ model: 'am79c973' });
  d.start();
  d.setCsr(4, 0x1115); // no polling: the timer is alone
  d.setCsr(0, 0x0148);
  d.setBcr(31, 1000);
  d.bench.runTo(12_800_000);
  expect(d.csr(7)).toBe(0x0800);
  expect(d.interrupting).toBe(false);
  d.setCsr(7, 0x0c00);
  const times: number[] = [];
  d.bench.runTo(60_000_000, () => {
    if (!d.interrupting) return;
    times.push(d.bench.clock.ns);
    d.setCsr(7, 0x0c00);
  });
  expect(times).toEqual([25_600_000, 38_400_000, 51_200_000]);
});

test('the CRC is that of Ethernet', () => {
  const bytes = Uint8Array.from('123456789', (letter) => letter.charCodeAt(0));
  expect(frameCheck(bytes, 9)).toBe(0xcbf43926);
  const frame = frameTo(MAC, 61);
  for (let length = 0; length < 61; length++) {
    let crc = 0xffffffff;
    for (const byte of frame.subarray(0, length)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    expect(crc32Register(frame, length)).toBe(crc >>> 0);
  }
});
