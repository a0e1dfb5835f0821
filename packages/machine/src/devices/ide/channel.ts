/**
 * One IDE channel: two drives' registers, data port, bus master; and the one
 * command under way, as steps between which the guest or the disk is at work.
 *
 *   command ─► [BusMaster] ─► Disk ─► ToHost ─► Disk … ─► Idle + interrupt
 *           ─► ToDrive ─► Disk ─► ToDrive … ─► Idle + interrupt
 *           ─► Packet ─► ToHost …
 *   reset   ─► Reset ─► Idle
 *
 * A drive is busy from a request to its answer, and registers of a busy channel
 * take no writes, so the selected drive stays the command's. A reset cannot
 * call a request back: the drive stays busy until it has been answered, so that
 * data never reaches memory that the guest has put to other use since.
 *
 * Sources: ATA/ATAPI-6; Programming Interface for Bus Master IDE 1.0.
 */
import type { Line } from '../../device';
import type { BlockPort, BlockRequest, BlockStatus } from '../../ports/block';
import type { BusMaster } from '../../ports/bus-master';
import { ACCESSES, requestKind } from './accesses';
import { ataDone } from './ata-transfer';
import { readBusMaster, writeBusMaster } from './bus-master-registers';
import { regionsMoved, takeRegions } from './dma';
import { type ChannelState, type CommandState, type DriveState, idleCommand, newChannel, newDrive, Stage } from './drive-state';
import { BUFFER_BYTES } from './limits';
import { packetDone, refuse, sendReply } from './packet-transfer';
import type { Regions } from './region-table';
import { BusMasterCommand, BusMasterStatus, Control, Device, Fault, Opcode, PACKET_BYTES, READY, SECTOR_BYTES, Status } from './registers';
import { showSignature } from './task-file';
import { fetchRanges, rangeAt } from './trim';

export interface Drive {
  readonly kind: 'disk' | 'cdrom';
  /** Null: an empty tray. */
  port: BlockPort | null;
}

export interface ChannelWiring {
  readonly drives: readonly [Drive | undefined, Drive | undefined];
  readonly bus: BusMaster;
  readonly irq: Line;
  /** Whether the PCI function may reach memory. */
  readonly mayMaster: () => boolean;
}

/** A request that has not been answered. */
interface Open {
  readonly regions: Regions | undefined;
}

export class IdeChannel {
  state: ChannelState = newChannel();
  readonly buffer = new Uint8Array(BUFFER_BYTES);
  readonly words = new DataView(this.buffer.buffer);
  readonly drives: ChannelWiring['drives'];
  private open: Open | undefined;

  constructor(readonly wiring: ChannelWiring) {
    this.drives = wiring.drives;
    this.reset();
  }

  get index(): 0 | 1 {
    return this.state.device & Device.DEV ? 1 : 0;
  }

  /** The one that is selected. */
  get drive(): Drive | undefined {
    return this.drives[this.index];
  }

  get driveState(): DriveState {
    return this.state.drives[this.index];
  }

  // --- steps, for commands ---------------------------------------------------------

  /** The command has ended well. */
  finish(): void {
    this.end(READY, 0);
    this.raise();
  }

  fail(error: number, status = 0): void {
    this.end(READY | Status.ERR | status, error);
    this.raise();
  }

  /** The guest has read the last data: no interrupt tells it so. */
  endQuietly(): void {
    this.end(READY, 0);
  }

  /** One block of data that the adapter has itself. */
  give(bytes: Uint8Array): void {
    this.buffer.set(bytes);
    this.state.command.remaining = 0;
    this.toHost(0, bytes.length);
  }

  /** The guest is to read the buffer from `position` to `end`. */
  toHost(position: number, end: number): void {
    this.phase(Stage.ToHost, position, end);
    this.raise();
  }

  /** The guest is to write to the buffer. The first block of a write comes without an interrupt. */
  toDrive(position: number, end: number, interrupt: boolean): void {
    this.phase(Stage.ToDrive, position, end);
    if (interrupt) this.raise();
  }

  awaitPacket(): void {
    this.phase(Stage.Packet, 0, PACKET_BYTES);
  }

  /** Data by DMA: goes on once the guest has started the bus master. */
  startDma(): void {
    const { command, busMaster } = this.state;
    if (!(busMaster.command & BusMasterCommand.START)) {
      command.stage = Stage.BusMaster;
      this.driveState.status = READY | Status.DRQ;
    } else if (command.opcode === Opcode.DATA_SET_MANAGEMENT) fetchRanges(this);
    else if (command.opcode === Opcode.PACKET && command.filled > 0) sendReply(this);
    else this.askDisk();
  }

  /** The disk is to do the command's next step. */
  askDisk(): void {
    this.state.command.stage = Stage.Disk;
    this.driveState.status = Status.BSY;
    this.submit();
  }

  private submit(): void {
    const { command } = this.state;
    const port = this.drive?.port;
    const kind = requestKind(command.opcode);
    const moves = kind === 'read' || kind === 'write';
    const sectors = command.dma ? command.remaining : command.block;
    const regions = moves && command.dma ? takeRegions(this, sectors * SECTOR_BYTES) : undefined;
    if (moves && command.dma && !regions) return;
    if (!port) return this.stepDone('error');
    const { fua } = ACCESSES[command.opcode] ?? {};
    const open: Open = { regions };
    this.open = open;
    const request: Omit<BlockRequest, 'done'> = {
      kind,
      ...(moves ? { sector: command.lba, sectors } : kind === 'discard' ? rangeAt(this, command.position) : { sector: 0, sectors: 0 }),
      segments: moves ? (regions?.segments ?? [{ buffer: this.buffer.subarray(0, sectors * SECTOR_BYTES) }]) : [],
      fua: kind === 'write' && (fua || !this.driveState.writeCache),
    };
    port.submit({ ...request, done: (status) => this.answered(open, status) });
  }

  private answered(open: Open, status: BlockStatus): void {
    if (open !== this.open) return;
    this.open = undefined;
    if (this.state.command.stage === Stage.Reset) return this.endReset();
    if (status === 'ok' && open.regions) regionsMoved(this, open.regions);
    this.stepDone(status);
  }

  private stepDone(status: BlockStatus): void {
    if (this.state.command.opcode === Opcode.PACKET) packetDone(this, status === 'ok');
    else ataDone(this, status);
  }

  /** The guest has no memory where the data should go. */
  busFault(): void {
    if (this.state.command.opcode === Opcode.PACKET) refuse(this, 'aborted');
    else this.fail(Fault.ABRT);
  }

  // --- bus master ----------------------------------------------------------------------

  readBusMaster(at: number): number {
    return readBusMaster(this.state.busMaster, at);
  }

  writeBusMaster(at: number, value: number): void {
    const started = writeBusMaster(this.state.busMaster, at, value);
    if (started && this.state.command.stage === Stage.BusMaster) this.startDma();
  }

  // --- resets --------------------------------------------------------------------------

  /** Power-on or a hardware reset. What the guest did to the tray stays done. */
  reset(): void {
    const before = this.state.drives;
    this.state = newChannel();
    this.state.drives = before.map(({ trayOpen }) => ({ ...newDrive(), trayOpen }));
    this.driveLine();
    this.startReset(0);
  }

  /** By SRST, DIAGNOSTIC (both drives), or DEVICE RESET (the selected one). */
  startReset(opcode: number): void {
    const { state } = this;
    state.command = { ...idleCommand(), opcode, stage: Stage.Reset };
    state.busMaster.status &= ~BusMasterStatus.ACTIVE;
    if (opcode !== Opcode.DEVICE_RESET) state.device = 0;
    for (const index of this.inReset()) if (this.drives[index]) state.drives[index].status = Status.BSY;
    this.lower();
    this.endReset();
  }

  /** Not before the guest has let go of SRST and the disk has answered. */
  endReset(): void {
    const { state } = this;
    if (this.open || state.control & Control.SRST) return;
    for (const index of this.inReset()) showSignature(state.drives[index], this.drives[index]?.kind);
    state.command = idleCommand();
  }

  private inReset(): number[] {
    return this.state.command.opcode === Opcode.DEVICE_RESET ? [this.index] : [0, 1];
  }

  // --- saved state ---------------------------------------------------------------------

  save(): ChannelState {
    const { stage, length, filled, block } = this.state.command;
    const used = stage === Stage.Idle ? 0 : Math.max(length, filled, block * SECTOR_BYTES);
    return { ...this.state, buffer: Array.from(this.buffer.subarray(0, used)) };
  }

  restore(state: ChannelState): void {
    this.open = undefined;
    this.state = state;
    this.buffer.fill(0);
    this.buffer.set(state.buffer);
    state.buffer = [];
  }

  /** A request that was under way is made again; a reset need not wait for one. */
  resume(): void {
    if (this.open) return;
    if (this.state.command.stage === Stage.Disk) this.submit();
    if (this.state.command.stage === Stage.Reset) this.endReset();
  }

  // --- small parts ---------------------------------------------------------------------

  raise(): void {
    this.state.interrupt = true;
    this.driveLine();
  }

  lower(): void {
    if (!this.state.interrupt) return;
    this.state.interrupt = false;
    this.driveLine();
  }

  /** With nIEN the drive's line floats, and nobody sees the interrupt. */
  driveLine(): void {
    const { interrupt, control, busMaster } = this.state;
    const level = interrupt && !(control & Control.NIEN);
    if (level) busMaster.status |= BusMasterStatus.INTERRUPT;
    this.wiring.irq(level);
  }

  private phase(stage: CommandState['stage'], position: number, length: number): void {
    Object.assign(this.state.command, { stage, position, length });
    this.driveState.status = READY | Status.DRQ;
  }

  private end(status: number, error: number): void {
    this.state.command = idleCommand();
    Object.assign(this.driveState, { status, error });
  }
}
