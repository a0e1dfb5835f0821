/** Proves what drivers of CD-ROM drives rely on: data by PIO and DMA, changes of the medium, answers to questions. */
import { BUS_MASTER, filled, IdeBench, withCd } from './testing';

describe('CD-ROM', () => {
  test('signature, IDENTIFY, INQUIRY, capacity, table of contents', () => {
    const { b } = withCd();
    expect([b.in(4), b.in(5)]).toEqual([0x14, 0xeb]);
    b.command(0xec);
    expect(b.in(7) & 1).toBe(1);
    b.command(0xa1);
    expect(b.readWords(512)[1]).toBe(0x85);
    expect(Buffer.from(b.packet([0x12, 0, 0, 0, 36]).data.subarray(8, 14)).toString()).toBe('GODWIT');
    expect([...b.packet([0x25]).data]).toEqual([0, 0, 0x03, 0xff, 0, 0, 8, 0]);
    expect(b.packet([0x43, 2, 0, 0, 0, 0, 0, 0, 20]).data).toHaveLength(20);
  });

  test('READ(10) by PIO, in phases that the guest limits, and by DMA', () => {
    const { b, disc } = withCd();
    const { data, status } = b.packet([0x28, 0, 0, 0, 0, 3, 0, 0, 2], { limit: 1024, serve: () => void disc.serve() });
    expect(status).toBe(0x50);
    expect([...data]).toEqual(filled(12, 8));
    b.startDma([[0x40000, 4096]], true);
    b.out(1, 1);
    b.out(7, 0xa0);
    b.writeWords(Uint8Array.from([0x28, 0, 0, 0, 0, 5, 0, 0, 2, 0, 0, 0]));
    disc.serve();
    expect([...b.ram.bytes.subarray(0x40000, 0x41000)]).toEqual(filled(20, 8));
    expect([b.in(7), b.in(2)]).toEqual([0x50, 3]);
  });

  test('a long read refills the buffer', () => {
    const { b, disc } = withCd();
    const { data } = b.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 100], { limit: 0xfffe, serve: () => void disc.serve() });
    expect([...data.subarray(99 * 2048, 99 * 2048 + 3)]).toEqual([140, 140, 140]);
    expect(data).toHaveLength(204800);
  });

  test('empty tray, change of the medium, lock, errors', () => {
    const { b, disc } = withCd();
    const sense = (): number[] => [...b.packet([0x03, 0, 0, 0, 18]).data].filter((_, index) => index === 2 || index === 12);
    expect(b.ide.changeMedium(0, 0, null)).toBe(true);
    expect(b.packet([0x00]).status & 1).toBe(1);
    expect(sense()).toEqual([2, 0x3a]);
    b.ide.changeMedium(0, 0, disc);
    expect(b.packet([0x00]).status & 1).toBe(1);
    expect(sense()).toEqual([6, 0x28]);
    expect(b.packet([0x00]).status & 1).toBe(0);
    b.packet([0x1e, 0, 0, 0, 1]);
    expect(b.ide.changeMedium(0, 0, null)).toBe(false);
    expect(b.packet([0x28, 0, 0, 0, 0xff, 0, 0, 0, 1]).status & 1).toBe(1);
    expect(sense()).toEqual([5, 0x21]);
    expect(b.packet([0xfe]).status & 1).toBe(1);
    expect(sense()).toEqual([5, 0x20]);
  });

  test('DMA carries answers that are no READ, and fails without memory to put them', () => {
    const { b } = withCd();
    b.sendPacket([0x12, 0, 0, 0, 96], { dma: true });
    expect(b.irqs[14]).toBe(false);
    b.startDma([[0x40000, 96]], true);
    expect([b.irqs[14], b.in(7), b.in(2)]).toEqual([true, 0x50, 3]);
    expect(Buffer.from(b.ram.bytes.subarray(0x40008, 0x4000e)).toString()).toBe('GODWIT');
    // Less than the table has room for: the bus master waits to be stopped.
    expect(b.busMasterStatus & 7).toBe(5);
    b.ports.out(BUS_MASTER, 1, 0);
    b.sendPacket([0x12, 0, 0, 0, 36], { dma: true });
    b.startDma([[0xfff00000, 96]], true);
    expect([b.in(7) & 1, b.in(1), b.busMasterStatus & 3]).toEqual([1, 0xb4, 2]);
  });

  test('phases are whole blocks where there is room for one', () => {
    const { b, disc } = withCd();
    const serve = (): void => void disc.serve();
    const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 40];
    expect(b.packet(read, { limit: 0xffff, serve }).phases).toEqual([31 * 2048, 9 * 2048]);
    expect(b.packet([...read.slice(0, 8), 2], { limit: 3000, serve }).phases).toEqual([2048, 2048]);
    expect(b.packet([...read.slice(0, 8), 1], { limit: 800, serve }).phases).toEqual([800, 800, 448]);
    expect(b.packet([0x12, 0, 0, 0, 5], { limit: 1 }).phases).toEqual([5]);
  });

  test('READ(12) and READ CD', () => {
    const { b, disc } = withCd();
    const serve = (): void => void disc.serve();
    expect([...b.packet([0xa8, 0, 0, 0, 0, 7, 0, 0, 0, 1], { serve }).data]).toEqual(filled(28, 4));
    expect([...b.packet([0xbe, 0x08, 0, 0, 0, 7, 0, 0, 1, 0x10], { serve }).data]).toEqual(filled(28, 4));
    expect(b.packet([0xbe, 0x04, 0, 0, 0, 7, 0, 0, 1, 0x10]).error >> 4).toBe(5); // audio
    expect(b.packet([0xbe, 0, 0, 0, 0, 7, 0, 0, 1, 0xf8]).error >> 4).toBe(5); // raw
    disc.failing = 'error';
    expect(b.packet([0x28, 0, 0, 0, 0, 3, 0, 0, 1], { serve }).error >> 4).toBe(3);
  });

  test('a guest that polls learns of events once, and of a wish to take the medium out', () => {
    const { b, disc } = withCd();
    const event = (): number[] => [...b.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).data.subarray(4, 6)];
    expect(event()).toEqual([0, 2]);
    b.packet([0x1e, 0, 0, 0, 1]);
    expect(b.ide.changeMedium(0, 0, null)).toBe(false);
    expect([event(), event()]).toEqual([
      [1, 2],
      [0, 2],
    ]);
    expect(b.packet([0x1b, 0, 0, 0, 2]).error >> 4).toBe(5); // locked
    b.packet([0x1e, 0, 0, 0, 0]);
    b.packet([0x1b, 0, 0, 0, 2]);
    expect([event(), event()]).toEqual([
      [3, 1],
      [0, 1],
    ]);
    b.ide.changeMedium(0, 0, disc);
    expect(event()).toEqual([2, 2]);
  });

  test('tables of contents, configuration, mode pages', () => {
    const { b } = withCd();
    const full = b.packet([0x43, 2, 2, 0, 0, 0, 0, 0xff, 0xff]).data;
    expect([full.length, full[1], full[7], full[full.length - 8]]).toEqual([48, 46, 0xa0, 1]);
    expect([...b.packet([0x43, 0, 0, 0, 0, 0, 0xaa, 0, 12]).data]).toEqual([0, 10, 1, 1, 0, 0x16, 0xaa, 0, 0, 0, 4, 0]);
    expect(b.packet([0x43, 0, 0, 0, 0, 0, 5, 0, 12]).error >> 4).toBe(5);
    const features = b.packet([0x46, 0, 0, 0, 0, 0, 0, 0, 200]).data;
    expect([features.length, features[3], features[7]]).toEqual([features[3] + 4, features.length - 4, 8]);
    const mode = b.packet([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128]).data;
    expect([mode.length, mode[1], mode[8]]).toEqual([28, 26, 0x2a]);
    expect(b.packet([0x5a, 0, 0x15, 0, 0, 0, 0, 0, 128]).error >> 4).toBe(5);
    expect(b.packet([0x46, 0, 0, 0, 0, 0, 0, 0, 0]).status).toBe(0x50); // asks for no byte
  });

  test('a disc too large for a CD is a DVD', () => {
    const blocks = 2_300_000;
    const port = { sectors: blocks * 4, readOnly: true, serial: '', submit: () => {} };
    const b = new IdeBench(() => [[{ kind: 'cdrom', port }, undefined]]);
    expect(b.packet([0x46, 0, 0, 0, 0, 0, 0, 0, 8]).data[7]).toBe(0x10);
    const { data } = b.packet([0xad, 0, 0, 0, 0, 0, 0, 0, 0x10, 0], { limit: 0xfffe });
    expect([data.length, data[1] | (data[0] << 8), new DataView(data.buffer).getUint32(12)]).toEqual([2052, 2050, blocks - 1]);
    // Its end does not fit minutes, seconds and frames.
    expect(b.packet([0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12]).data[9]).toBe(255);
  });
});
