/**
 * Sends a round: batches from the encoder, packed where it pays, paced, at most SEND_AHEAD
 * on their way. Memory is that many message buffers; pages are read only when a buffer
 * is free, so a slow connection makes the round longer and nothing larger.
 */
import { packedBound, type ClockPort, type CodecPort } from './ports';
import { PAGE_BYTES, SEND_AHEAD, WORTH_PACKING } from './limits';
import type { MessageWriter } from './message-writer';
import { Pacer } from './pacer';
import type { RoundPlanner } from './round-planner';
import type { Counts } from './statistics';
import { FRAME_KIND, newMessageBuffer } from './stream/frame';
import { PackAdvisor } from './stream/pack-advisor';
import { type Batch, finishBatch, PAGE_AREA, type PageEncoder } from './stream/page-encoder';

export interface RoundSent {
  /** Dealt with in any way but skipped. */
  readonly pages: number;
  readonly pacedMs: number;
}

export class PageSender {
  private readonly free: Uint8Array[] = [];
  /** What is packed into; as many as are packed at a time. */
  private readonly spares: Uint8Array[] = [];
  private readonly waiting: ((buffer: Uint8Array) => void)[] = [];
  private readonly pacer = new Pacer();
  private readonly advisor = new PackAdvisor();
  private stopped = false;
  private failure: unknown;
  /** Messages of pages sent, and pages in them: the target counts the same. */
  messages = 0;
  pages = 0;

  constructor(
    private readonly encoder: PageEncoder,
    private readonly writer: MessageWriter,
    private readonly clock: ClockPort,
    private readonly codec: CodecPort,
    private readonly bandwidth: () => number,
    private readonly progress: (counts: Partial<Counts>) => void,
  ) {
    for (let count = 0; count <= SEND_AHEAD; count++) this.free.push(newMessageBuffer(encoder.messageBytes));
  }

  /** The rounds under way and to come end at once. */
  stop(): void {
    this.stopped = true;
  }

  /** Settles once the transport has taken all of it. Rejects when it cannot. @param fresh what is dirty again by now */
  async round(planner: RoundPlanner, round: number, final: boolean, fresh?: Uint8Array): Promise<RoundSent> {
    let pages = 0;
    let pacedMs = 0;
    this.advisor.begin(this.clock.now());
    // Each batch goes after the one before it, although they are packed side by side.
    let turn: Promise<void> = Promise.resolve();
    const taken = new Set<Promise<void>>();
    while (!this.stopped && this.failure === undefined) {
      const buffer = await this.take();
      const batch = this.encoder.next(planner, round, buffer, final ? undefined : fresh);
      if (!batch) {
        this.give(buffer);
        break;
      }
      const { skippedPages, ...sent } = batch.counts;
      pages += sent.zeroPages + sent.fillPages + sent.deltaPages + sent.rawPages + sent.unchangedPages;
      if (batch.runs === 0) {
        this.give(buffer);
        this.progress(batch.counts);
      } else {
        if (!final) pacedMs += await this.pace();
        const before = turn;
        const packed = this.pack(batch, final);
        turn = (async () => {
          const body = await packed;
          await before;
          const posted = this.post(batch, body);
          taken.add(posted);
          posted.then(() => taken.delete(posted));
        })().catch((error) => void (this.failure ??= error));
      }
      await this.clock.breathe();
    }
    await turn;
    await Promise.all(taken);
    if (this.failure !== undefined) throw this.failure;
    return { pages, pacedMs };
  }

  private async pace(): Promise<number> {
    const ms = this.pacer.waitMs(this.clock.now(), this.bandwidth());
    if (ms > 0) await new Promise<void>((resolve) => void this.clock.after(ms, resolve));
    return ms;
  }

  /** The buffer to send from, with how many bytes of page area, packed or not. */
  private async pack(batch: Batch, final: boolean): Promise<{ buffer: Uint8Array; pageBytes: number; packed: boolean; spare?: Uint8Array }> {
    const rawBytes = batch.rawPages * PAGE_BYTES;
    const plain = { buffer: batch.buffer, pageBytes: rawBytes, packed: false };
    const { compress } = this.codec;
    if (!compress || rawBytes === 0) return plain;
    if (!this.advisor.wants(rawBytes, this.clock.now(), final)) return plain;
    // Of a pool of its own: one more in `free` would be one more message on its way.
    const spare = this.spares.pop() ?? newMessageBuffer(this.encoder.messageBytes);
    const area = spare.subarray(PAGE_AREA, PAGE_AREA + packedBound(rawBytes));
    const packedBytes = await compress.call(this.codec, batch.buffer.subarray(PAGE_AREA, PAGE_AREA + rawBytes), area);
    this.advisor.note(rawBytes, packedBytes);
    if (packedBytes > 0 && packedBytes <= rawBytes * WORTH_PACKING)
      return { buffer: spare, pageBytes: packedBytes, packed: true, spare: batch.buffer };
    return { ...plain, spare };
  }

  /** Gives the message to the transport; settles once the buffer is free again, never rejects. */
  private async post(batch: Batch, body: { buffer: Uint8Array; pageBytes: number; packed: boolean; spare?: Uint8Array }): Promise<void> {
    if (body.spare) this.spares.push(body.spare);
    if (this.stopped) return this.give(body.buffer);
    const { zeroPages, fillPages, deltaPages, rawPages } = batch.counts;
    const bodyBytes = finishBatch(batch, body.buffer, body.pageBytes, body.packed);
    const started = this.clock.now();
    this.messages++;
    this.pages += zeroPages + fillPages + deltaPages + rawPages;
    try {
      const { bytes, taken } = this.writer.sealed(FRAME_KIND.pages, body.buffer, bodyBytes);
      this.pacer.sent(started, bytes, this.bandwidth());
      const by = body.packed ? { rawPages: 0, packedPages: rawPages, packedBytes: body.pageBytes } : { rawBytes: body.pageBytes };
      this.progress({ ...batch.counts, ...by, fillBytes: fillPages * 8, messages: 1 });
      await taken;
    } catch (error) {
      this.failure ??= error;
    }
    this.give(body.buffer);
  }

  private take(): Promise<Uint8Array> | Uint8Array {
    return this.free.pop() ?? new Promise((resolve) => this.waiting.push(resolve));
  }

  private give(buffer: Uint8Array): void {
    const next = this.waiting.shift();
    if (next) next(buffer);
    else this.free.push(buffer);
  }
}
