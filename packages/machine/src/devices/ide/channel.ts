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
import { startCommand } from './ata-commands';
import { ataDone, ataPhaseDone } from './ata-transfer';
import { readBusMaster, writeBusMaster } from './bus-master-registers';
import { type ChannelState, type DriveState, idleCommand, newChannel, newDrive, Stage } from './drive-state';
import { BUFFER_BYTES } from './limits';
import { endPacket, startPacket } from './packet-commands';
import { packetDone, packetPhaseDone, refuse, sendReply } from './packet-transfer';
import { type Regions, readRegions } from './region-table';
import { BusMasterCommand, BusMasterStatus, Control, Device, FLOATING, Fault, Opcode, PACKET_BYTES, READY, SECTOR_BYTES, Status } from './registers';
import { readTask, showSignature, writeTask } from './task-file';
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

  constructor(private readonly wiring: ChannelWiring) {
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
  toDrive(length: number, interrupt: boolean): void {
    this.phase(Stage.ToDrive, 0, length);
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

  /** By DMA between buffer and memory; false: there is no such memory, the command has failed. */
  moveBuffer(bytes: number, toMemory: boolean): boolean {
    const { bus } = this.wiring;
    const regions = this.regions(bytes);
    if (!regions) return false;
    let at = 0;
    for (const { gpa, length } of regions.segments) {
      const memory = toMemory ? bus.writable(gpa, length) : bus.view(gpa, length);
      if (toMemory) memory?.set(this.buffer.subarray(at, at + length));
      else if (memory) this.buffer.set(memory, at);
      at += length;
    }
    this.regionsMoved(regions);
    return true;
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
    const regions = moves && command.dma ? this.regions(sectors * SECTOR_BYTES) : undefined;
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
    if (status === 'ok' && open.regions) this.regionsMoved(open.regions);
    this.stepDone(status);
  }

  private stepDone(status: BlockStatus): void {
    if (this.state.command.opcode === Opcode.PACKET) packetDone(this, status === 'ok');
    else ataDone(this, status);
  }

  private regions(bytes: number): Regions | undefined {
    const { bus, mayMaster } = this.wiring;
    const { busMaster, command } = this.state;
    const regions = mayMaster() ? readRegions(bus, busMaster.table, bytes) : undefined;
    if (regions) return regions;
    busMaster.status = (busMaster.status & ~BusMasterStatus.ACTIVE) | BusMasterStatus.ERROR;
    if (command.opcode === Opcode.PACKET) refuse(this, 'aborted');
    else this.fail(Fault.ABRT);
    return undefined;
  }

  /** A bus master that has regions left stays active until the guest stops it. */
  private regionsMoved({ exhausted }: Regions): void {
    if (exhausted) this.state.busMaster.status &= ~BusMasterStatus.ACTIVE;
  }

  // --- registers ---------------------------------------------------------------------

  read(register: number): number {
    if (!this.drives[0] && !this.drives[1]) return FLOATING;
    if (register === 7) {
      this.lower();
      return this.status();
    }
    if (register === 6) return this.state.device | 0xa0;
    return this.drive ? readTask(this.driveState, register, (this.state.control & Control.HOB) !== 0) : 0;
  }

  write(register: number, value: number): void {
    const { state } = this;
    state.control &= ~Control.HOB;
    if (register === 7) return this.command(value);
    if (this.driveState.status & (Status.BSY | Status.DRQ)) return;
    if (register === 6) {
      state.device = value & 0x5f;
      this.driveLine();
    } else for (const drive of state.drives) writeTask(drive, register, value);
  }

  /** Without taking the interrupt back; a drive that is not there has a status of 0. */
  status(): number {
    return this.drives[0] || this.drives[1] ? this.driveState.status : FLOATING;
  }

  writeControl(value: number): void {
    const { state } = this;
    const was = state.control;
    state.control = value & (Control.NIEN | Control.SRST | Control.HOB);
    if (value & ~was & Control.SRST) this.startReset(0);
    else if (state.command.stage === Stage.Reset) this.endReset();
    this.driveLine();
  }

  /** Two or four bytes from the data port. */
  readData(size: 2 | 4): number {
    const { command } = this.state;
    if (command.stage !== Stage.ToHost) return size === 2 ? 0xffff : 0xffffffff;
    const at = command.position;
    const value = size === 2 ? this.words.getUint16(Math.min(at, BUFFER_BYTES - 2), true) : this.words.getUint32(Math.min(at, BUFFER_BYTES - 4), true);
    this.moved(at + size);
    return value;
  }

  writeData(size: 2 | 4, value: number): void {
    const { command } = this.state;
    if (command.stage !== Stage.ToDrive && command.stage !== Stage.Packet) return;
    const at = command.position;
    if (size === 2) this.words.setUint16(Math.min(at, BUFFER_BYTES - 2), value, true);
    else this.words.setUint32(Math.min(at, BUFFER_BYTES - 4), value, true);
    this.moved(at + size);
  }

  private moved(position: number): void {
    const { command } = this.state;
    command.position = position < command.length ? position : command.length;
    if (position < command.length) return;
    if (command.stage === Stage.Packet) endPacket(this);
    else if (command.opcode === Opcode.PACKET) packetPhaseDone(this);
    else ataPhaseDone(this, command.stage === Stage.ToDrive);
  }

  private command(opcode: number): void {
    const { drive, driveState, state } = this;
    const packetDevice = drive?.kind === 'cdrom';
    // Only a packet device that hangs can be told to stop.
    if (opcode === Opcode.DEVICE_RESET && packetDevice && state.command.opcode !== 0) return this.startReset(opcode);
  }

  readBusMaster(at: number): number {
    return readBusMaster(this.state.busMaster, at);
  }

  writeBusMaster(at: number, value: number): void {
    const started = writeBusMaster(this.state.busMaster, at, value);
    if (started && this.state.command.stage === Stage.BusMaster) this.startDma();
  }
}
