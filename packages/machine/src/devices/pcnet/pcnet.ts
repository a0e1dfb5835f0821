/**
 * AMD PCnet: the Ethernet adapter that the systems of the nineties have a
 * driver for, as a PCI function 1022:2000. Source: AMD's Am79C970A
 * PCnet-PCI II and Am79C973 PCnet-FAST III data sheets.
 *
 *   BARs ─► io-map ─► csr, bcr ─┬─► init-block
 *                               ├─► transmitter ─► NetworkPort
 *                               └─► receiver    ◄─ NetworkPort
 *                 descriptor, address-filter, interrupts, phy, eeprom, software-timer
 *
 * All work is done at once, within the register access, the frame's arrival or
 * `advance`: between two of them nothing is under way but what the state says.
 * The link's speed, collisions and byte swapping (CSR3, BSWP) are not modelled;
 * look-ahead packet processing (LAPPEN) reports a frame only when it is whole.
 */
import type { Clock } from '../../clock';
import { Device } from '../../device';
import type { BusMaster } from '../../ports/bus-master';
import type { NetworkClient, NetworkPort } from '../../ports/network';
import { StateFormat } from '../../state-format';
import { PciFunction } from '../pci-function';
import { type BcrActions, readBcr, writeBcr } from './bcr';
import { Csr, Csr0, Csr5, Mode } from './bits';
import type { Chip } from './chip';
import { type CsrActions, readCsr, stopRegisters, writeCsr } from './csr';
import { pciIdentity } from './identity';
import { initialize } from './init-block';
import { interruptAsserted } from './interrupts';
import { type IoTarget, readIo, writeIo } from './io-map';
import { PCNET_MODELS, type PcnetModel, type PcnetModelName } from './models';
import { Receiver } from './receiver';
import { softwareTimerDeadlineNs, startSoftwareTimer, updateSoftwareTimer } from './software-timer';
import { hardReset, NEVER, pcnetFields, type PcnetState, softReset } from './state';
import { Transmitter } from './transmitter';

export interface PcnetOptions {
  /** PCI device number << 3 | function number. */
  readonly slot: number;
  readonly port: NetworkPort;
  readonly bus: BusMaster;
  readonly clock: Clock;
  /** Name of its section in a snapshot. */
  readonly name: string;
  /** The default is the Am79C970A, which the oldest drivers know. */
  readonly model?: PcnetModelName;
  /** `nextDeadlineNs` changed by a frame that came: no access by the guest. */
  readonly onDeadlineChange?: () => void;
}

type Size = 1 | 2 | 4;

const PCI_COMMAND = 4;
const PCI_COMMAND_BUS_MASTER = 4;

export class Pcnet extends Device<typeof pcnetFields> implements NetworkClient, Chip, CsrActions, BcrActions, IoTarget {
  readonly function: PciFunction;
  readonly model: PcnetModel;
  readonly clock: Clock;
  readonly bus: BusMaster;
  readonly port: NetworkPort;
  private readonly onDeadlineChange: () => void;
  private readonly receiver: Receiver;
  private readonly transmitter: Transmitter;
  /** The host's cable, not the guest's state. */
  private cable = true;

  constructor(options: PcnetOptions) {
    const { slot, port, bus, clock, name, model = 'am79c970a' } = options;
    super(new StateFormat(name, 1, pcnetFields), () => hardReset(PCNET_MODELS[model], port.mac));
    this.model = PCNET_MODELS[model];
    this.clock = clock;
    this.bus = bus;
    this.port = port;
    this.onDeadlineChange = options.onDeadlineChange ?? (() => {});
    this.receiver = new Receiver(this);
    this.transmitter = new Transmitter(this, (frame, checked) => this.receiver.loopBack(frame, checked));
    this.function = new PciFunction(
      slot,
      pciIdentity(this.model, {
        read: (offset, size) => this.read(offset, size),
        write: (offset, size, value) => this.write(offset, size, value),
      }),
    );
  }

  // --- the network's side ---------------------------------------------------------------

  receive(frame: Uint8Array): boolean {
    const taken = this.receiver.receive(frame);
    this.updateInterrupt();
    if (!taken) this.onDeadlineChange();
    return taken;
  }

  setLink(up: boolean): void {
    if (this.cable && !up) this.state.phy.linkFell = true;
    this.cable = up;
  }

  // --- the machine's side ---------------------------------------------------------------

  override reset(): void {
    this.stop();
    super.reset();
    this.updateInterrupt();
  }

  /** The network of this host may hold a frame back, or not: it is asked for it again. */
  resume(): void {
    this.receiver.letCome();
  }

  override nextDeadlineNs(): number {
    const { transmitPollNs, receivePollNs } = this.state;
    const or = (ns: number): number => (ns === NEVER ? Infinity : ns);
    return Math.min(or(transmitPollNs), or(receivePollNs), softwareTimerDeadlineNs(this.state));
  }

  override advance(nowNs: number): void {
    if (nowNs < this.nextDeadlineNs()) return;
    const { transmitPollNs, receivePollNs } = this.state;
    if (transmitPollNs !== NEVER && nowNs >= transmitPollNs) this.transmitter.poll();
    if (receivePollNs !== NEVER && nowNs >= receivePollNs) this.receiver.look();
    updateSoftwareTimer(this.state, nowNs);
    this.updateInterrupt();
  }

  // --- the guest's side -----------------------------------------------------------------

  readCsr(number: number): number {
    return readCsr(this, number);
  }

  writeCsr(number: number, value: number): void {
    writeCsr(this, number, value);
  }

  readBcr(number: number): number {
    return readBcr(this, number);
  }

  writeBcr(number: number, value: number): void {
    writeBcr(this, number, value);
  }

  softReset(): void {
    this.stop();
    softReset(this.state, this.model);
  }

  // --- what registers set going ---------------------------------------------------------

  get registers(): PcnetState {
    return this.state;
  }

  get fast(): boolean {
    return this.model.fast;
  }

  get linkUp(): boolean {
    return this.cable;
  }

  get busMaster(): boolean {
    return this.function.busMaster;
  }

  stop(): void {
    stopRegisters(this.state);
    this.state.chainWaiting = this.state.missing = false;
    this.state.transmitPollNs = NEVER;
    this.receiver.letCome();
  }

  init(): void {
    this.leaveStop(Csr0.init);
    if (!initialize(this)) this.systemError();
  }

  /** Both rings begin anew, also without INIT (data sheet, "Re-Initialization"). */
  start(): void {
    const { state } = this;
    const mode = state.csr[Csr.mode];
    this.leaveStop(Csr0.strt | (mode & Mode.dtx ? 0 : Csr0.txon) | (mode & Mode.drx ? 0 : Csr0.rxon));
    state.transmitIndex = state.receiveIndex = state.idlePolls = 0;
    state.demandSeen = state.chainWaiting = state.missing = false;
    this.transmitter.schedule();
  }

  look(demanded: boolean): void {
    if (demanded) this.transmitter.demand();
    else this.transmitter.look();
    this.receiver.look();
  }

  startTimer(): void {
    startSoftwareTimer(this.state, this.clock.nowNs());
  }

  updateTimer(): void {
    updateSoftwareTimer(this.state, this.clock.nowNs());
  }

  systemError(): void {
    this.stop();
    this.state.csr[Csr.control] |= Csr5.sint;
  }

  /** Drivers of old leave bus mastering to the firmware, so to start the chip is to ask for it. */
  private leaveStop(bits: number): void {
    const { csr } = this.state;
    csr[Csr.status] = (csr[Csr.status] & ~Csr0.stop) | bits;
    this.function.write(PCI_COMMAND, 1, this.function.stored8(PCI_COMMAND) | PCI_COMMAND_BUS_MASTER);
  }

  private updateInterrupt(): void {
    this.function.setInterrupt(interruptAsserted(this.state));
  }

  private read(offset: number, size: Size): number {
    const value = readIo(this, offset, size);
    this.updateInterrupt();
    return value;
  }

  private write(offset: number, size: Size, value: number): void {
    writeIo(this, offset, size, value);
    this.updateInterrupt();
  }
}
