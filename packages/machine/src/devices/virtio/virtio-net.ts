/**
 * virtio-net: a network adapter over a NetworkPort. Source: VIRTIO 1.1, 5.1.
 *
 *   queue 0  receive: buffers that NetReceiver fills
 *   queue 1  transmit: frames to the port, which copies them before it returns
 *   queue 2  control: receive filter, address, announcement
 *
 * A sent frame is shown as done at once, but the interrupt for it waits a
 * little when there is a clock, so that one serves many. Whether frames sent or
 * received may have open checksums or be trains of TCP segments is agreed on
 * only with a port that has `offloads`.
 */
import type { Clock } from '../../clock';
import type { NetworkClient, NetworkPort } from '../../ports/network';
import { flag, list, record, u8, type ValuesOf } from '../../state-format';
import { Chain } from './chain';
import {
  MAX_FRAME_BYTES,
  MIN_FRAME_BYTES,
  NET_CONTROL_QUEUE_SIZE,
  NET_QUEUE_SIZE,
  TX_INTERRUPT_DELAY_NS,
  TX_INTERRUPT_FRAMES,
} from './limits';
import { LINK_ANNOUNCE, LINK_STATUS, LINK_UP, MAC_BYTES, NET_CONFIG_BYTES, NetFeature, netFeatures } from './net-config';
import { control, type ControlTarget } from './net-control';
import { filterState, NetFilter } from './net-filter';
import { adapt, cleanHeader, HEADER_BYTES, headerValid, NO_OFFLOADS, type Offloads, SHORT_HEADER_BYTES } from './net-header';
import { NetReceiver } from './net-receiver';
import { Feature } from './virtio-core';
import { VirtioDevice, type VirtioOptions } from './virtio-device';

export interface VirtioNetOptions extends VirtioOptions {
  readonly port: NetworkPort;
  /** For delaying interrupts of sent frames; without it they are never delayed. */
  readonly clock?: Clock;
  /** What the guest's driver takes now in frames that it receives; the network is to send nothing else. At first it takes nothing. */
  readonly onReceiveOffloads?: (offloads: Offloads) => void;
}

const RX = 0;
const TX = 1;
const CONTROL = 2;

const fields = {
  mac: list(u8('byte of the address the driver sees'), { length: MAC_BYTES }),
  linkStatus: u8('bit 0: link up, bit 1: the driver is to announce itself'),
  filter: filterState,
  starved: flag('a frame was refused for want of receive buffers'),
};
type NetState = ValuesOf<typeof fields>;

export class VirtioNet extends VirtioDevice<NetState> implements NetworkClient, ControlTarget {
  readonly filter = new NetFilter();
  private readonly port: NetworkPort;
  private readonly clock: Clock | undefined;
  private readonly onReceiveOffloads: (offloads: Offloads) => void;
  private readonly receiver: NetReceiver;
  private readonly chain: Chain;
  private readonly parts: Uint8Array[] = [];
  private readonly txHeader = new Uint8Array(HEADER_BYTES);
  private readonly rxHeader = new Uint8Array(HEADER_BYTES);
  private toNetwork = NO_OFFLOADS;
  private toGuest = NO_OFFLOADS;
  private linkUp = true;
  private txInterruptAtNs = Infinity;

  constructor(options: VirtioNetOptions) {
    const { port } = options;
    super(options, {
      type: 1,
      classCode: 0x020000,
      version: 1,
      queueSizes: [NET_QUEUE_SIZE, NET_QUEUE_SIZE, NET_CONTROL_QUEUE_SIZE],
      featureBits: netFeatures(port.offloads),
      config: new Uint8Array(NET_CONFIG_BYTES),
      state: record(fields, 'virtio-net'),
    });
    this.port = port;
    this.clock = options.clock;
    this.onReceiveOffloads = options.onReceiveOffloads ?? (() => {});
    this.receiver = new NetReceiver(options.bus, this.queue(RX));
    this.chain = new Chain(options.bus);
    this.powerOnConfig();
  }

  receive(frame: Uint8Array, header?: Uint8Array): boolean {
    if (!this.core.running || frame.length < MIN_FRAME_BYTES || frame.length > MAX_FRAME_BYTES) return true;
    if (!this.linkUp || !this.filter.passes(frame, this.config, this.core.has(NetFeature.controlVlan))) return true;
    this.rxHeader.fill(0);
    if (header) this.rxHeader.set(header.length > HEADER_BYTES ? header.subarray(0, HEADER_BYTES) : header);
    const adapted = header ? adapt(frame, this.rxHeader, this.toGuest) : frame;
    if (!adapted) return true;
    return this.receiver.deliver(adapted, this.rxHeader, this.headerBytes(), this.core.has(NetFeature.mergeBuffers));
  }

  setLink(up: boolean): void {
    this.linkUp = up;
    this.updateLink();
  }

  /**
   * After a migration: has the guest tell the network where it is now. False
   * when its driver cannot; somebody else must announce its address then.
   */
  announce(): boolean {
    if (!this.core.driverReady || this.core.broken || !this.core.has(NetFeature.announce) || !this.core.has(NetFeature.status))
      return false;
    this.config[LINK_STATUS] |= LINK_ANNOUNCE;
    this.core.configChanged();
    return true;
  }

  announced(): void {
    this.config[LINK_STATUS] &= ~LINK_ANNOUNCE;
  }

  /** The address that the guest uses now. */
  get mac(): Uint8Array {
    return this.config.slice(0, MAC_BYTES);
  }

  setMac(mac: Uint8Array): void {
    this.config.set(mac);
  }

  started(): void {
    this.agree();
  }

  notified(queue: number): void {
    if (queue === RX) this.flow();
    else if (queue === TX) this.transmit();
    else if (queue === CONTROL) this.command();
  }

  /** Legacy drivers change the address here; modern ones by a command. */
  configWritten(at: number, value: number): void {
    if (at < MAC_BYTES && !this.core.has(Feature.version1)) this.config[at] = value;
  }

  resetModel(): void {
    this.filter.reset();
    this.txInterruptAtNs = Infinity;
    this.powerOnConfig();
    this.agree();
    this.flow();
  }

  draining(): boolean {
    return false;
  }

  override nextDeadlineNs(): number {
    return this.txInterruptAtNs;
  }

  override advance(nowNs: number): void {
    if (nowNs < this.txInterruptAtNs) return;
    this.txInterruptAtNs = Infinity;
    if (this.core.running && this.queue(TX).open()) this.queue(TX).signal();
  }

  /** Delayed interrupts come now; the network may have changed since. */
  resume(): void {
    this.agree();
    this.txInterruptAtNs = 0;
    this.advance(0);
    this.updateLink();
    if (this.receiver.starved) this.port.ready();
  }

  protected saveModel(): NetState {
    const { config, filter, receiver } = this;
    return { mac: [...this.mac], linkStatus: config[LINK_STATUS], filter: filter.save(), starved: receiver.starved };
  }

  protected restoreModel(state: NetState): void {
    this.config.set(state.mac);
    this.config[LINK_STATUS] = state.linkStatus;
    this.filter.restore(state.filter);
    this.receiver.starved = state.starved;
    this.txInterruptAtNs = Infinity;
  }

  private headerBytes(): number {
    return this.core.has(NetFeature.mergeBuffers) || this.core.has(Feature.version1) ? HEADER_BYTES : SHORT_HEADER_BYTES;
  }

  /** New receive buffers, or none needed any more: what was refused may come. */
  private flow(): void {
    if (!this.receiver.starved) return;
    this.receiver.starved = false;
    this.port.ready();
  }

  private transmit(): void {
    const queue = this.queue(TX);
    if (!queue.open()) return;
    for (let head = queue.pop(this.chain); head >= 0; head = queue.pop(this.chain)) {
      const wrong = this.send();
      if (wrong !== undefined) return void queue.fail(wrong);
      queue.push(head, 0);
    }
    this.parts.length = 0;
    if (!this.core.running) return;
    queue.wantKicks(true);
    queue.show();
    if (!this.clock || queue.unsignalled >= TX_INTERRUPT_FRAMES) queue.signal();
    else if (this.txInterruptAtNs === Infinity && queue.unsignalled > 0) this.txInterruptAtNs = this.clock.nowNs() + TX_INTERRUPT_DELAY_NS;
  }

  /** Sends the frame in `chain`, or drops it when no network would take it; how it breaks the rules, if it does. */
  private send(): string | undefined {
    const { chain, parts, txHeader, port } = this;
    const headerBytes = this.headerBytes();
    const frameBytes = chain.readableBytes - headerBytes;
    if (frameBytes < 0) return 'a frame without header';
    if (!chain.read(0, txHeader, headerBytes)) return 'a frame outside RAM';
    parts.length = 0;
    if (!chain.views(headerBytes, parts)) return 'a frame outside RAM';
    if (frameBytes < MIN_FRAME_BYTES || frameBytes > MAX_FRAME_BYTES) return undefined;
    if (!port.offloads) port.send(parts);
    else if (headerValid(txHeader, frameBytes, this.toNetwork)) {
      cleanHeader(txHeader);
      port.send(parts, txHeader);
    }
    return undefined;
  }

  private command(): void {
    const queue = this.queue(CONTROL);
    if (!queue.open()) return;
    for (let head = queue.pop(this.chain); head >= 0; head = queue.pop(this.chain)) {
      const wrong = control(this, this.chain);
      if (wrong !== undefined) return void queue.fail(wrong);
      queue.push(head, 1);
    }
    if (!this.core.running) return;
    queue.wantKicks(true);
    queue.publish();
  }

  /** Takes over what the driver accepted, and tells the network of a change. */
  private agree(): void {
    const { checksum, hostTso4, hostTso6, hostEcn, guestChecksum, guestTso4, guestTso6, guestEcn } = NetFeature;
    const agreed = (csum: number, four: number, six: number, ecn: number): Offloads => {
      const { core } = this;
      return { checksum: core.has(csum), tso4: core.has(four), tso6: core.has(six), ecn: core.has(ecn) };
    };
    const before = this.toGuest;
    this.toNetwork = agreed(checksum, hostTso4, hostTso6, hostEcn);
    this.toGuest = agreed(guestChecksum, guestTso4, guestTso6, guestEcn);
    const names = ['checksum', 'tso4', 'tso6', 'ecn'] as const;
    if (names.some((name) => before[name] !== this.toGuest[name])) this.onReceiveOffloads(this.toGuest);
  }

  private powerOnConfig(): void {
    this.config.set(this.port.mac.subarray(0, MAC_BYTES));
    this.config[LINK_STATUS] = this.linkUp ? LINK_UP : 0;
  }

  private updateLink(): void {
    const shown = (this.config[LINK_STATUS] & LINK_UP) !== 0;
    if (shown === this.linkUp) return;
    this.config[LINK_STATUS] ^= LINK_UP;
    this.core.configChanged();
  }
}
