import { EventEmitter } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { Cell, createChannel, ring } from './channel';
import type { DiskShape } from './client';

/** Which image a disk is. */
export interface ImageSpec {
  /** A file's path; with `store`, its path in that datastore. */
  location: string;
  /** A datastore's folder or nfs:// URL. */
  store?: string;
  /** The VM's lease as shared memory: writes are refused once it has run out (storage's Deadline). */
  lease?: SharedArrayBuffer;
  /** qcow2 for a name that ends so, else raw. */
  format?: 'raw' | 'qcow2';
  readOnly: boolean;
  /** Shown to the guest; made from the location otherwise. */
  serial?: string;
}

/** From the disk's thread. */
export type DiskMessage =
  | { type: 'ready'; shape: DiskShape }
  | { type: 'opened' }
  | { type: 'failed'; code: string; message: string }
  | { type: 'held'; why: string | null }
  | { type: 'settled'; mark: DiskMark; error?: string }
  | { type: 'closed'; error?: string };
/** To it; each is followed by a wake. */
export type DiskOrder = { type: 'close' } | { type: 'abandon' } | { type: 'settle' } | { type: 'open' };

/** By which a disk is known again: anything that writes to it changes one of these. */
export interface DiskMark {
  bytes: number;
  mtimeMs: number;
}

/** What an image that cannot be opened is refused with; `code` as Node's, or GODWIT_IMAGE. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/**
 * A disk's thread as the shell sees it. Events: `held` (why: string | null): the
 * datastore does not serve the disk at the moment, or does so again.
 */
export class DiskHost extends EventEmitter {
  readonly channel = createChannel();
  private readonly cells = new Int32Array(this.channel);
  private readonly worker: Worker;
  private readonly opened: Promise<DiskShape>;
  private readonly ended: Promise<void>;
  private settling: Promise<unknown> = Promise.resolve();

  /** @param later the image is only looked at, until `openForWriting`: it is still another host's. */
  constructor(readonly spec: ImageSpec, later = false) {
    super();
    this.worker = new Worker(path.join(__dirname, 'disk-worker.js'), { workerData: { spec, later, channel: this.channel } });
    let closeError: string | undefined;
    this.opened = new Promise((resolve, reject) => {
      this.worker.on('message', (message: DiskMessage) => {
        if (message.type === 'ready') resolve(message.shape);
        else if (message.type === 'opened') this.emit('opened', undefined);
        else if (message.type === 'failed') {
          const error = new DiskError(message.code, message.message);
          reject(error);
          this.emit('opened', error);
        }
        else if (message.type === 'held') this.emit('held', message.why);
        else if (message.type === 'settled') this.emit('settled', message);
        else closeError = message.error;
      });
      this.worker.on('error', (error) => reject(error));
    });
    this.opened.catch(() => {});
    this.ended = new Promise((resolve, reject) => {
      this.worker.on('exit', () => (closeError ? reject(new DiskError('EIO', closeError)) : resolve()));
    });
    this.ended.catch(() => {});
  }

  /** @throws DiskError */
  open(): Promise<DiskShape> {
    return this.opened;
  }

  /** Opens an image that was made with `later`, anew: nothing that was read of it before counts. @throws DiskError */
  openForWriting(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.once('opened', (error?: DiskError) => (error ? reject(error) : resolve()));
      this.order({ type: 'open' });
    });
  }

  /** Requests held for want of the datastore are given up: whoever has the saved machine does them. */
  abandonHeld(): void {
    this.order({ type: 'abandon' });
  }

  /** Everything written so far is on stable storage when it resolves, and closing the image will write nothing more. @throws DiskError */
  settle(): Promise<DiskMark> {
    // One after the other: each covers what was written before it was asked for.
    const after = this.settling.catch(() => {}).then(() => this.settleNow());
    this.settling = after;
    return after;
  }

  private settleNow(): Promise<DiskMark> {
    return new Promise((resolve, reject) => {
      this.once('settled', ({ mark, error }: { mark: DiskMark; error?: string }) => (error ? reject(new DiskError('EIO', error)) : resolve(mark)));
      this.ended.then(() => reject(new DiskError('EIO', `disk ${this.spec.location} was closed`)), reject);
      this.order({ type: 'settle' });
    });
  }

  /** Flushes and closes the image. @throws DiskError when what the guest wrote may not all be there. */
  async close(): Promise<void> {
    this.order({ type: 'close' });
    await this.ended;
  }

  private order(order: DiskOrder): void {
    Atomics.add(this.cells, Cell.Orders, 1);
    this.worker.postMessage(order);
    ring(this.cells);
  }
}
