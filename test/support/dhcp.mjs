/**
 * A DHCP server (RFC 2131) for test networks: each client gets the address that its MAC
 * was given on the command line, or the next free one. Runs until its input ends.
 *
 *   node dhcp.mjs SERVER_ADDRESS FIRST_ADDRESS [MAC=ADDRESS …]
 */
import { createSocket } from 'node:dgram';

const [server, first, ...fixed] = process.argv.slice(2);
const addresses = new Map(fixed.map((pair) => pair.split('=')));
const bytes = (address) => address.split('.').map(Number);
let next = bytes(first)[3];

function addressOf(mac) {
  if (!addresses.has(mac)) addresses.set(mac, [...bytes(first).slice(0, 3), next++].join('.'));
  return addresses.get(mac);
}

const option = (code, ...data) => [code, data.length, ...data];
const seconds = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

function optionsOf(packet) {
  const found = new Map();
  for (let at = 240; at < packet.length && packet[at] !== 255; at += packet[at] === 0 ? 1 : 2 + packet[at + 1]) {
    if (packet[at] !== 0) found.set(packet[at], packet.subarray(at + 2, at + 2 + packet[at + 1]));
  }
  return found;
}

const socket = createSocket({ type: 'udp4', reuseAddr: true });
socket.on('message', (packet) => {
  if (packet.length < 241 || packet[0] !== 1) return;
  const wanted = optionsOf(packet).get(53)?.[0];
  if (wanted !== 1 && wanted !== 3) return;
  const mac = [...packet.subarray(28, 34)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  const answer = Buffer.alloc(548);
  packet.copy(answer, 0, 0, 240);
  answer[0] = 2;
  answer.set(bytes(addressOf(mac)), 16);
  answer.set(bytes(server), 20);
  answer.set([...option(53, wanted === 1 ? 2 : 5), ...option(54, ...bytes(server)), ...option(51, ...seconds(86_400)), ...option(1, 255, 255, 255, 0), 255], 240);
  socket.send(answer, 68, '255.255.255.255');
});
socket.bind(67, '0.0.0.0', () => {
  socket.setBroadcast(true);
  process.stdout.write('ready\n');
});
process.stdin.resume().on('close', () => process.exit(0));
