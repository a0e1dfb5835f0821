/**
 * What every virtio device has, whatever bus it sits on: status, feature
 * negotiation, queues, configuration and what is to be told to the driver.
 * Source: VIRTIO 1.1, chapters 2 and 3. The registers that reach it are
 * tables in registers.ts; VirtioPci puts them on a bus.
 *
 *   status:  0 ──ACKNOWLEDGE, DRIVER──► features ──FEATURES_OK──► queues
 *            ▲                                                       │
 *            └── 0 written ◄── NEEDS_RESET ◄──(broken)── DRIVER_OK ◄─┘
 *
 * A legacy driver knows no FEATURES_OK and may use its queues before DRIVER_OK.
 */
import type { BusMaster } from '../../ports/bus-master';
import { list, record, StateFormatError, text, u16, u32, u8, type ValuesOf } from '../../state-format';
import { MAX_QUEUES } from './limits';
import { NO_VECTOR, queueState, Virtqueue } from './virtqueue';

export const Status = { driverOk: 4, featuresOk: 8, needsReset: 0x40, failed: 0x80 } as const;
/** Feature bits that belong to no kind of device (VIRTIO 1.1, chapter 6). */
export const Feature = { anyLayout: 27, indirect: 28, eventIndex: 29, version1: 32 } as const;
const COMMON = [Feature.anyLayout, Feature.indirect, Feature.eventIndex, Feature.version1];

const ISR_QUEUE = 1;
const ISR_CONFIG = 2;
const FAULT_CHARACTERS = 200;

const fields = {
  status: u8('device status'),
  featureSelect: u32('which 32 offered features are shown'),
  driverFeatureSelect: u32('which 32 accepted features are shown'),
  features: list(u32('features that the driver accepted, 32 a word'), { length: 2 }),
  queueSelect: u16('queue that the queue registers are about'),
  isr: u8('bit 0: a queue, bit 1: the configuration has news'),
  configVector: u16('MSI-X vector of configuration changes; FFFF for none'),
  generation: u8('grows with each change of the configuration'),
  fault: text('what broke the device, or empty', FAULT_CHARACTERS),
  queues: list(queueState, { maxLength: MAX_QUEUES }),
};
export const coreState = record(fields, 'the part that all virtio devices share');
export type CoreState = ValuesOf<typeof fields>;

/** What makes a virtio device one of its kind. */
export interface VirtioModel {
  readonly queueSizes: readonly number[];
  /** Bits beyond the common ones. */
  readonly featureBits: readonly number[];
  /** Device configuration as the driver reads it. */
  readonly config: Uint8Array;
  /** The driver wrote a byte of it; the model stores it if it may. */
  configWritten(at: number, value: number): void;
  /** The driver said DRIVER_OK: features are settled. */
  started(): void;
  /** The driver offered entries. */
  notified(queue: number): void;
  /** The driver began anew. */
  resetModel(): void;
  /** Whether work from before the reset is still under way. */
  draining(): boolean;
}

/** How the bus carries news to the driver. */
export interface InterruptSink {
  /** Whether vectors are in use; the interrupt status register is not, then. */
  usesVectors(): boolean;
  raise(vector: number): void;
  /** The interrupt status register changed. */
  isrChanged(): void;
  /** Whether the device may reach memory. */
  busMaster(): boolean;
}

export class VirtioCore {
  readonly queues: readonly Virtqueue[];
  featureSelect = 0;
  driverFeatureSelect = 0;
  queueSelect = 0;
  configVector = NO_VECTOR;
  generation = 0;
  isr = 0;
  /** What broke the device, for people; empty while it works. */
  fault = '';
  private status = 0;
  private readonly accepted = new Uint32Array(2);
  private readonly offered = new Uint32Array(2);

  constructor(
    readonly model: VirtioModel,
    bus: BusMaster,
    private readonly sink: InterruptSink,
  ) {
    for (const bit of [...COMMON, ...model.featureBits]) this.offered[bit >> 5] |= 1 << (bit & 31);
    this.queues = model.queueSizes.map(
      (size, index) =>
        new Virtqueue(
          size,
          bus,
          (vector) => this.queueNews(vector),
          (why) => this.fail(`queue ${index}: ${why}`),
        ),
    );
  }

  /** Queues may be worked on. */
  get running(): boolean {
    if (this.status & (Status.needsReset | Status.failed) || !this.sink.busMaster()) return false;
    return (this.status & Status.driverOk) !== 0 || !this.has(Feature.version1);
  }

  get driverReady(): boolean {
    return (this.status & Status.driverOk) !== 0;
  }

  get broken(): boolean {
    return (this.status & Status.needsReset) !== 0;
  }

  /** Whether the driver accepted a feature. */
  has(bit: number): boolean {
    return (((this.accepted[bit >> 5] & this.offered[bit >> 5]) >>> (bit & 31)) & 1) !== 0;
  }

  get selectedQueue(): Virtqueue | undefined {
    return this.queues[this.queueSelect];
  }

  offeredFeatures(word: number): number {
    return this.offered[word] ?? 0;
  }

  acceptedFeatures(word: number): number {
    return this.accepted[word] ?? 0;
  }

  /** Modern drivers set what they like and hear at FEATURES_OK whether it is granted; the word of a legacy driver is cut to what is offered. */
  acceptFeatures(word: number, value: number, legacy: boolean): void {
    if (word > 1 || this.status & Status.featuresOk || (!legacy && this.driverReady)) return;
    this.accepted[word] = legacy ? value & this.offered[word] : value;
    this.applyRingFeatures();
  }

  /**
   * The status as a driver reads it. A reset has ended only when nothing from
   * before it is under way, and a modern driver waits for that (VIRTIO 1.1,
   * 4.1.4.3.1); a legacy one does not, and knows no such bit.
   */
  readStatus(legacy: boolean): number {
    return this.status === 0 && !legacy && this.model.draining() ? Status.needsReset : this.status;
  }

  writeStatus(value: number): void {
    if (value === 0) return this.reset();
    const before = this.status;
    this.status = (value & ~Status.needsReset) | (before & Status.needsReset);
    if (value & Status.featuresOk && !(before & Status.featuresOk) && !this.featuresGranted()) this.status &= ~Status.featuresOk;
    if (value & Status.driverOk && !(before & Status.driverOk)) this.start();
  }

  /** The driver wrote to the notification register. */
  notify(queue: number): void {
    if (this.queues[queue]?.enabled && this.running) this.model.notified(queue);
  }

  readConfig(at: number): number {
    return this.model.config[at] ?? 0;
  }

  writeConfig(at: number, value: number): void {
    if (at < this.model.config.length) this.model.configWritten(at, value);
  }

  /** The device changed its configuration by itself: the driver is told. */
  configChanged(): void {
    this.generation = (this.generation + 1) & 0xff;
    if (!this.driverReady) return;
    if (this.sink.usesVectors()) return this.sink.raise(this.configVector);
    this.isr |= ISR_CONFIG;
    this.sink.isrChanged();
  }

  /** The driver reads the interrupt status: that acknowledges. */
  takeIsr(): number {
    const isr = this.isr;
    if (isr !== 0) {
      this.isr = 0;
      this.sink.isrChanged();
    }
    return isr;
  }

  /** A driver broke the rules: nothing is touched any more until it resets the device (VIRTIO 1.1, 2.1.1). */
  fail(why: string): void {
    if (this.broken) return;
    this.status |= Status.needsReset;
    this.fault = why.slice(0, FAULT_CHARACTERS);
    this.configChanged();
  }

  reset(): void {
    this.status = this.featureSelect = this.driverFeatureSelect = this.queueSelect = this.isr = this.generation = 0;
    this.configVector = NO_VECTOR;
    this.fault = '';
    this.accepted.fill(0);
    for (const queue of this.queues) queue.reset();
    this.applyRingFeatures();
    this.model.resetModel();
    this.sink.isrChanged();
  }

  save(): CoreState {
    const { status, featureSelect, driverFeatureSelect, queueSelect, isr, configVector, generation, fault } = this;
    const queues = this.queues.map((queue) => queue.save());
    return {
      status,
      featureSelect,
      driverFeatureSelect,
      features: [...this.accepted],
      queueSelect,
      isr,
      configVector,
      generation,
      fault,
      queues,
    };
  }

  /** @throws StateFormatError when the queues are not those of this device. */
  restore(state: CoreState, device: string): void {
    if (state.queues.length !== this.queues.length) {
      throw new StateFormatError(`${device}: ${state.queues.length} queues saved, this device has ${this.queues.length}`);
    }
    const { status, featureSelect, driverFeatureSelect, queueSelect, isr, configVector, generation, fault } = state;
    if ((status & Status.featuresOk || status & Status.driverOk) && state.features.some((word, index) => word & ~this.offered[index])) {
      throw new StateFormatError(`${device}: the guest uses features that this disk or network does not offer here`);
    }
    for (const [index, queue] of this.queues.entries()) {
      if (!queue.restore(state.queues[index])) throw new StateFormatError(`${device}.queues[${index}].size: ${state.queues[index].size}`);
    }
    Object.assign(this, { status, featureSelect, driverFeatureSelect, queueSelect, isr, configVector, generation, fault });
    this.accepted.set(state.features);
    this.applyRingFeatures();
  }

  /** What was put into queues before DRIVER_OK is seen now. A driver that went on without a grant has what was offered. */
  private start(): void {
    for (const word of this.accepted.keys()) this.accepted[word] &= this.offered[word];
    this.applyRingFeatures();
    this.model.started();
    for (const index of this.queues.keys()) this.notify(index);
  }

  private featuresGranted(): boolean {
    return this.has(Feature.version1) && this.accepted.every((word, index) => (word & ~this.offered[index]) === 0);
  }

  private applyRingFeatures(): void {
    for (const queue of this.queues) {
      queue.eventIndex = this.has(Feature.eventIndex);
      queue.indirect = this.has(Feature.indirect);
    }
  }

  private queueNews(vector: number): void {
    if (this.sink.usesVectors()) return this.sink.raise(vector);
    if (this.isr & ISR_QUEUE) return;
    this.isr |= ISR_QUEUE;
    this.sink.isrChanged();
  }
}
