/**
 * `node echo-guest.js {tap, bridge?, ip}`: a guest of two threads, as a VMM has
 * them. This thread owns the adapter (RingPort) and answers ARP and ping; a
 * worker pumps. Ends when its input ends, the worker in the midst of its work.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createFrameRing } from '../frame-ring';
import { parseIpv4 } from '../ipv4';
import { macForVm } from '../mac';
import { bellRinger, openBell, startNetPump } from '../net-pump';
import { RingPort } from '../ring-port';
import { openTap } from '../tap';
import { arp, ethernet, etherType, icmpEcho, ipv4 } from './packets';

if (isMainThread) main();
else startNetPump({ ...workerData, wake: () => parentPort?.postMessage(0) });

function main(): void {
  const { tap: name, bridge, ip: text } = JSON.parse(process.argv[2]);
  const tap = openTap({ name, bridge });
  const rings = { tx: createFrameRing(), rx: createFrameRing(), bell: openBell() };
  const mac = macForVm('echo');
  const ip = parseIpv4(text);
  const port = new RingPort({ mac, offloads: false, ...rings, ringBell: bellRinger(rings.bell) });
  port.connect({
    setLink: () => {},
    receive: (frame) => {
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      const sender = frame.slice(6, 12);
      if (etherType(frame) === 0x806 && frame[21] === 1 && view.getUint32(38) === ip) {
        port.send([ethernet(sender, mac, 0x806, arp(2, mac, ip, sender, view.getUint32(28)))]);
      } else if (etherType(frame) === 0x800 && frame[23] === 1 && frame[34] === 8) {
        const echo = icmpEcho(0, view.getUint16(38), new Uint8Array(frame.slice(42, 14 + view.getUint16(16))));
        new DataView(echo.buffer).setUint16(6, view.getUint16(40));
        echo.set(new Uint8Array(2), 2);
        echo.set(sum(echo), 2);
        // In pieces, as descriptors have it.
        const reply = ethernet(sender, mac, 0x800, ipv4(1, ip, view.getUint32(26), echo));
        port.send([reply.subarray(0, 14), reply.subarray(14, 40), reply.subarray(40)]);
      }
      return true;
    },
  });
  const worker = new Worker(__filename, { workerData: { ...rings, backend: { kind: 'tap', fd: tap.fd } } });
  worker.on('message', () => {
    while (port.poll());
  });
  process.stdin.on('end', async () => {
    const code = await worker.terminate();
    process.stdout.write(`worker ended ${code}\n`);
    tap.close();
  });
  process.stdin.resume();
  port.poll();
  worker.once('online', () => process.stdout.write('ready\n'));
}

function sum(bytes: Uint8Array): [number, number] {
  let total = 0;
  for (let i = 0; i < bytes.length; i++) total += i & 1 ? bytes[i] : bytes[i] << 8;
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return [(~total >> 8) & 255, ~total & 255];
}
