/** Proves when the transmit ring is polled: often enough for every driver, and not when nobody needs it. */
import { type PcnetDriver, started } from './testing/driver';
import { BROADCAST, frameTo } from './testing/network';

const TDMD = 0x0048;

describe('polling', () => {
  const wakeUps = (d: PcnetDriver, ms: number): number => {
    const { card, bench } = d;
    const end = bench.clock.ns + ms * 1e6;
    let count = 0;
    for (; card.nextDeadlineNs() <= end; count++) {
      bench.clock.ns = card.nextDeadlineNs();
      card.advance(bench.clock.ns);
    }
    bench.clock.ns = end;
    return count;
  };

  test('finds frames of a driver that never says TDMD, soon after the last and late after a rest', () => {
    const d = started();
    for (let each = 0; each < 5; each++) {
      d.put([frameTo(BROADCAST, 60 + each)], { demand: false });
      d.bench.runTo(d.bench.clock.ns + 4e6);
      expect(d.network.sent.length).toBe(each + 1);
    }
    expect(wakeUps(d, 10_000)).toBeLessThan(170);
    d.put([frameTo(BROADCAST, 70)], { demand: false });
    d.bench.runTo(d.bench.clock.ns + 64e6);
    expect(d.network.sent.length).toBe(6);
  });

  test('ends after a driver that says TDMD has nothing more to send', () => {
    const d = started();
    d.put([frameTo(BROADCAST, 60)]);
    expect(wakeUps(d, 10_000)).toBe(3);
    d.put([frameTo(BROADCAST, 60)]);
    d.put([frameTo(BROADCAST, 60)], { demand: false });
    d.bench.runTo(d.bench.clock.ns + 3e6);
    expect(d.network.sent.length).toBe(3);
  });

  test('is off with TXDPOLL', () => {
    const d = started();
    d.setCsr(4, 0x1115);
    d.bench.runTo(10e6);
    d.put([frameTo(BROADCAST, 60)], { demand: false });
    expect(wakeUps(d, 10_000)).toBe(0);
    d.setCsr(0, TDMD);
    expect(d.network.sent.length).toBe(1);
  });

  test('half a frame waits for a poll, then it is an underflow that stops the transmitter', () => {
    const d = started();
    const frame = frameTo(BROADCAST, 100);
    d.put([frame.subarray(0, 40), frame.subarray(40, 50)], { end: false });
    expect(d.readTransmit(0).status & 0x8000).toBe(0x8000);
    d.bench.runTo(3e6);
    expect([d.readTransmit(0), d.readTransmit(1)]).toEqual([
      { status: 0x0200, errors: 0 },
      { status: 0x4000, errors: 0xc000 },
    ]);
    expect([d.csr(0) & 0x0210, d.network.sent.length]).toEqual([0x0200, 0]);
  });
});
