/**
 * virtio-blk: a disk over a BlockPort. Source: VIRTIO 1.1, 5.2.
 *
 *   chain ──► BlkRequest ──► port.submit ··· (disk's thread) ··· done ──► status byte, used ring
 *
 * Any number of requests, up to the queue's size, are on their way at one
 * time. They are kept in the order they were submitted: a saved state holds
 * their heads, and `resume` takes their chains apart again, which still stand
 * in guest memory, and submits them anew. The port never answers those it had
 * before.
 *
 * A reset does not stop requests that are on their way, nor wait for them.
 * They become strays: their answers touch nothing, a modern driver sees the
 * reset end only after the last of them, and no new request overtakes one.
 */
import type { BlockPort, BlockStatus } from '../../ports/block';
import { flag, list, record, u16, type ValuesOf } from '../../state-format';
import { blkConfig, blkFeatures, BlkFeature, WRITEBACK } from './blk-config';
import { type BlkOwner, BlkRequest } from './blk-request';
import { Chain } from './chain';
import { BLK_QUEUE_SIZE } from './limits';
import { VirtioDevice, type VirtioOptions } from './virtio-device';

export interface VirtioBlkOptions extends VirtioOptions {
  readonly port: BlockPort;
}

const fields = {
  inFlight: list(u16('head of a request handed to the disk and not answered, in the order they were'), { maxLength: BLK_QUEUE_SIZE }),
  writeback: flag('the guest has the write cache on and flushes it'),
};
type BlkState = ValuesOf<typeof fields>;

export class VirtioBlk extends VirtioDevice<BlkState> implements BlkOwner {
  readonly port: BlockPort;
  private readonly chain: Chain;
  private readonly inFlight = new Set<BlkRequest>();
  /** Heads a restored state brought, until `resume`. */
  private restored: readonly number[] = [];
  private strays = 0;

  constructor(options: VirtioBlkOptions) {
    const { port } = options;
    super(options, {
      type: 2,
      classCode: 0x010000,
      version: 1,
      queueSizes: [BLK_QUEUE_SIZE],
      featureBits: blkFeatures(port),
      config: blkConfig(port),
      state: record(fields, 'virtio-blk'),
    });
    this.port = port;
    this.chain = new Chain(options.bus);
  }

  /** Each write is to be on stable storage before it is answered (5.2.6.2). */
  get writeThrough(): boolean {
    if (this.core.has(BlkFeature.configWce)) return this.config[WRITEBACK] === 0;
    return !this.core.has(BlkFeature.flush);
  }

  get acceptedDiscard(): boolean {
    return this.core.has(BlkFeature.discard);
  }

  get acceptedWriteZeroes(): boolean {
    return this.core.has(BlkFeature.writeZeroes);
  }

  notified(): void {
    const queue = this.queue(0);
    if (this.strays > 0 || !queue.open()) return;
    for (let head = queue.pop(this.chain); head >= 0 && this.core.running; head = queue.pop(this.chain)) this.start(head);
    if (this.core.broken) return;
    queue.wantKicks(true);
    queue.publish();
  }

  /** A request handed to the port has its answer. */
  finished(request: BlkRequest, status: BlockStatus): void {
    if (!this.inFlight.delete(request)) return this.strayed(request);
    const queue = this.queue(0);
    if (!this.core.running) return void queue.fail('the driver took memory away from a request on its way');
    if (!queue.open()) return;
    if (!request.answer(this.bus, status)) return void queue.fail('a status byte outside RAM');
    queue.push(request.head, request.bytesWritten(status));
    queue.publish();
  }

  configWritten(at: number, value: number): void {
    if (at === WRITEBACK && this.core.has(BlkFeature.configWce)) this.config[WRITEBACK] = value & 1;
  }

  resetModel(): void {
    for (const request of this.inFlight) request.stray = true;
    this.strays += this.inFlight.size;
    this.inFlight.clear();
    this.restored = [];
    this.config[WRITEBACK] = 1;
  }

  draining(): boolean {
    return this.strays > 0;
  }

  resume(): void {
    const heads = [...this.heads()];
    this.inFlight.clear();
    this.restored = [];
    this.strays = 0;
    const queue = this.queue(0);
    if (!this.core.running || !queue.open()) return;
    for (const head of heads) if (!queue.load(head, this.chain) || !this.start(head)) return;
    queue.publish();
    this.notified();
  }

  protected saveModel(): BlkState {
    return { inFlight: [...this.heads()], writeback: this.config[WRITEBACK] === 1 };
  }

  protected restoreModel(state: BlkState): void {
    this.inFlight.clear();
    this.strays = 0;
    this.restored = state.inFlight;
    this.config[WRITEBACK] = Number(state.writeback);
  }

  private heads(): readonly number[] {
    return this.restored.length > 0 ? this.restored : Array.from(this.inFlight, (request) => request.head);
  }

  /** Begins the request in `chain`. False when it broke the queue. */
  private start(head: number): boolean {
    const request = BlkRequest.parse(this, head, this.chain);
    if (typeof request === 'string') return this.queue(0).fail(request);
    if (request instanceof BlkRequest) {
      this.inFlight.add(request);
      this.port.submit(request);
      return true;
    }
    this.queue(0).push(head, request.bytesWritten);
    return true;
  }

  private strayed(request: BlkRequest): void {
    if (!request.stray) return;
    request.stray = false;
    if (--this.strays === 0) this.core.notify(0);
  }
}
