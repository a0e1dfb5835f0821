import { parentPort, workerData } from 'node:worker_threads';
import { loadNative } from '@godwit/metal';
import { Cell } from './channel';
import type { DiskMessage, DiskOrder, ImageSpec } from './disk-host';
import { openImage } from './open-image';
import { BlockServer } from './server';

/**
 * The thread of one disk. While nothing is under way it sleeps on the channel
 * itself, which is the quickest to wake; while an image works asynchronously
 * (a slow disk, an NFS server) it waits in its event loop instead.
 */
const IDLE_MS = 1000;

const port = parentPort!;
const { spec, later, channel } = workerData as { spec: ImageSpec; later: boolean; channel: SharedArrayBuffer };
const post = (message: DiskMessage): void => port.postMessage(message);

async function main(): Promise<void> {
  let closing = false;
  let orders = 0;
  const cells = new Int32Array(channel);
  const orderComing = (): boolean => Atomics.load(cells, Cell.Orders) !== orders;
  let onOrder = (): void => {};
  const ordered = new Promise<void>((resolve) => {
    onOrder = resolve;
  });
  port.on('message', (message: DiskOrder) => {
    orders++;
    if (message.type === 'close') closing = true;
    if (message.type === 'open' || message.type === 'close') onOrder();
  });
  if (later) {
    await lookOnly();
    await ordered;
    if (closing) return;
  }
  const image = await openImage(spec);
  let server: BlockServer | undefined;
  /** Timers armed and orders under way: the event loop is needed. */
  let timers = 0;
  port.on('message', (order: DiskOrder) => {
    if (order.type === 'settle') void settle();
    else if (order.type === 'abandon') server?.abandonHeld();
  });
  post(later ? { type: 'opened' } : { type: 'ready', shape: image.shape });
  const settle = async (): Promise<void> => {
    timers++;
    try {
      await image.flush();
      post({ type: 'settled', mark: await image.mark() });
    } catch (error) {
      post({ type: 'settled', mark: { bytes: 0, mtimeMs: 0 }, error: `${spec.location}: ${(error as Error).message}` });
    } finally {
      timers--;
    }
  };
  const start = (): BlockServer =>
    new BlockServer(channel, new Uint8Array(loadNative().ram()), image, {
      wakeVcpu: () => loadNative().kick(),
      onHeld: (why) => post({ type: 'held', why }),
      setTimer: (action, milliseconds) => {
        timers++;
        setTimeout(() => {
          timers--;
          action();
        }, milliseconds);
      },
    });
  const idle = new BlockServer(channel, new Uint8Array(0), image, { wakeVcpu: () => {}, onHeld: () => {}, setTimer: () => {} });
  while (!closing) {
    // Guest RAM is there once the vCPU submits anything.
    if (!server && idle.pending) server = start();
    if (server?.serve()) continue;
    if (timers > 0 || (server && server.active > 0)) await Promise.race([(server ?? idle).waitForRing(orderComing), pause(20)]);
    else (server ?? idle).waitBlocking(IDLE_MS, orderComing);
    await pause(0);
  }
  server?.serve();
  while (server && server.active > 0) await pause(5);
  await image.close();
}

/** What the disk looks like, while it is another host's to write. */
async function lookOnly(): Promise<void> {
  const image = await openImage({ ...spec, readOnly: true, lease: undefined });
  post({ type: 'ready', shape: { ...image.shape, readOnly: spec.readOnly } });
  await image.close();
}

/** Lets the event loop run: messages, timers, finished I/O. */
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => (milliseconds === 0 ? setImmediate(resolve) : setTimeout(resolve, milliseconds)));

main().then(
  () => {
    post({ type: 'closed' });
    port.close();
  },
  (error: NodeJS.ErrnoException) => {
    post({ type: 'failed', code: error.code ?? 'GODWIT_IMAGE', message: error.message });
    post({ type: 'closed', error: error.message });
    port.close();
  },
);
