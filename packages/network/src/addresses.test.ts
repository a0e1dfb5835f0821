/** Proves MAC and IPv4 addresses, announcements, forwards and leases against examples worked out by hand. */
import fc from 'fast-check';
import { announceFrames } from './announce';
import { leaseIn } from './dhcp-leases';
import { formatForward, parseForward } from './forward';
import { formatMac, macForVm, parseMac } from './mac';
import { BROADCAST, ethernet, ipv4, mac, udp } from './testing/packets';

test('a VM has the same local, single address for ever, another for each adapter', () => {
  // Fixed: a change here changes the cards of VMs that exist.
  expect(formatMac(macForVm('web-1'))).toBe('56:0c:07:ec:9e:66');
  const many = new Set<string>();
  for (let i = 0; i < 5000; i++) many.add(formatMac(macForVm(`vm-${i}`, i % 3)));
  expect(many.size).toBe(5000);
  expect([...many].every((text) => /^56(:[0-9a-f]{2}){5}$/.test(text))).toBe(true);
});

test('MAC addresses are read strictly', () => {
  expect(formatMac(parseMac('52:54:00:AB:cd:0e'))).toBe('52:54:00:ab:cd:0e');
  for (const bad of ['', '52:54:00:ab:cd', '52-54-00-ab-cd-0e', '01:00:5e:00:00:01', '00:00:00:00:00:00', '5:54:0:ab:cd:ef']) {
    expect(() => parseMac(bad)).toThrow();
  }
});

test('announcements: RARP for switches, ARP for neighbours', () => {
  const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');
  const [rarp, request, reply] = announceFrames(mac(5), '10.1.2.3');
  expect(hex(rarp)).toBe(
    `ffffffffffff56000000000580350001080006040003560000000005${'00000000'}560000000005${'00000000'}${'00'.repeat(18)}`,
  );
  expect(hex(request).slice(0, 84)).toBe('ffffffffffff560000000005080600010800060400015600000000050a0102030000000000000a010203');
  expect(hex(reply).slice(40, 84)).toBe('00025600000000050a0102035600000000050a010203');
  expect([rarp, request, reply].map((f) => f.length)).toEqual([60, 60, 60]);
  expect(announceFrames(mac(5)).length).toBe(1);
  expect(() => announceFrames(mac(5), '10.1.2')).toThrow(/no IPv4/);
});

test('forwards are read and written', () => {
  expect(formatForward(parseForward('tcp:127.0.0.1:8080-80'))).toBe('tcp:127.0.0.1:8080-80');
  expect(formatForward(parseForward('udp::53-10.0.2.16:5353'))).toBe('udp:127.0.0.1:53-10.0.2.16:5353');
  expect(formatForward(parseForward('tcp:0.0.0.0:1-65535'))).toBe('tcp:0.0.0.0:1-65535');
  const wrong = [
    '',
    'tcp:80',
    'sctp::1-2',
    'tcp::0-2',
    'tcp::65536-1',
    'tcp::1-2-3',
    'tcp:1.2.3:1-2',
    'tcp:256.0.0.1:1-2',
    'tcp::1-x:2',
    'tcp::1-01.2.3.4:2',
  ];
  for (const bad of wrong) expect(() => parseForward(bad)).toThrow();
});

test('a lease is read off an acknowledgement and nothing else, whatever comes', () => {
  const message = (type: number): Uint8Array => {
    const bytes = new Uint8Array(260);
    bytes.set([2, 1, 6]);
    bytes.set([10, 0, 2, 17], 16);
    bytes.set(mac(7), 28);
    bytes.set([0x63, 0x82, 0x53, 0x63, 0, 1, 4, 255, 255, 255, 0, 53, 1, type, 255], 236);
    return bytes;
  };
  const frame = (type: number, port = 67): Uint8Array =>
    ethernet(BROADCAST, mac(1), 0x800, ipv4(17, 0x0a000202, 0xffffffff, udp(port, 68, message(type))));
  expect(leaseIn(frame(5))).toEqual({ mac: 0x560000000007, address: 0x0a000211 });
  expect(leaseIn(frame(2))).toBeUndefined();
  expect(leaseIn(frame(5, 66))).toBeUndefined();
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(301), fc.nat(255))), fc.integer({ min: 0, max: 302 }), (writes, length) => {
      const damaged = frame(5);
      for (const [at, value] of writes) damaged[at] = value;
      leaseIn(damaged.subarray(0, length));
    }),
  );
});
