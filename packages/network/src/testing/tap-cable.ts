/**
 * `node tap-cable.js {tap, bridge?, offloads?, socket}`, in the namespace where the
 * TAP is to be: a cable from the kernel's network stack to a usernet. The
 * pump of the TAP and that of the socket share two rings, so the kernel plays
 * the guest that leaves checksums and segmentation to its adapter.
 */
import { createFrameRing } from '../frame-ring';
import { bellRinger, openBell, startNetPump } from '../net-pump';
import { openTap } from '../tap';

const { tap: name, bridge, socket, offloads } = JSON.parse(process.argv[2]);
const tap = openTap({ name, bridge });
if (offloads) tap.setReceiveOffloads({ checksum: true, tso4: true, tso6: true });
const fromKernel = createFrameRing();
const toKernel = createFrameRing();
const tapBell = openBell();
const socketBell = openBell();
const links: string[] = [];
const onLink = (up: boolean, why: string): void => void links.push(`${up} ${why}`);
const socketPump = startNetPump({
  backend: { kind: 'socket', path: socket },
  tx: fromKernel,
  rx: toKernel,
  bell: socketBell,
  wake: bellRinger(tapBell),
  onLink,
});
const tapPump = startNetPump({
  backend: { kind: 'tap', fd: tap.fd },
  tx: toKernel,
  rx: fromKernel,
  bell: tapBell,
  wake: bellRinger(socketBell),
  onLink,
});
process.stdin.on('end', () => {
  process.stdout.write(`${JSON.stringify({ tap: tapPump.counters(), socket: socketPump.counters(), links })}\n`);
  tapPump.stop();
  socketPump.stop();
  tap.close();
});
process.stdin.resume();
process.stdout.write('ready\n');
