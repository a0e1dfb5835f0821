/**
 * One IDE channel: task file, data port, bus master, and the two drives'
 * commands as steps between which the guest or the disk is at work.
 *
 *   command ─► [BusMaster] ─► Disk ─► ToHost ─► Disk … ─► Idle + interrupt
 *           ─► ToDrive ─► Disk ─► ToDrive … ─► Idle + interrupt
 *           ─► Packet ─► ToHost …
 *
 * Sources: ATA/ATAPI-6; Programming Interface for Bus Master IDE 1.0.
 */
import type { BlockPort, BlockRequest, BlockStatus, Segment } from '../../ports/block';
import type { BusMaster } from '../../ports/bus-master';
import type { Line } from '../../device';
import { startCommand } from './ata-commands';
import { blockSectors, requestShape } from './command-shape';
import { endPacketPhase, packetDataRead, startPacket } from './packet-commands';
import { type ChannelState, type DriveState, idleCommand, newChannel, newDrive, Stage } from './drive-state';
import { readRegions } from './region-table';
import { BUFFER_BYTES, BusMasterCommand, BusMasterStatus, Control, Device, Fault, PACKET_BYTES, Reason, SECTOR_BYTES, SIGNATURE, Status } from './registers';

export interface Drive {
  readonly kind: 'disk' | 'cdrom';
  /** Null: an empty tray. */
  port: BlockPort | null;
}

const READY = Status.DRDY | Status.DSC;
/** Task file registers that keep the value before: 48-bit commands write each twice. */
const PAIRS = { 1: 'features', 2: 'count', 3: 'low', 4: 'middle', 5: 'high' } as const;

export class IdeChannel {
  state: ChannelState = newChannel();
  readonly buffer = new Uint8Array(BUFFER_BYTES);
  private readonly words = new DataView(this.buffer.buffer);
  /** Answers to requests of before a reset are nobody's. */
  private generation = 0;

  constructor(
    readonly drives: readonly [Drive | undefined, Drive | undefined],
    private readonly bus: BusMaster,
    private readonly irq: Line,
  ) {
    this.reset();
  }

  // --- what commands use -----------------------------------------------------------

  get index(): 0 | 1 {
    return this.state.device & Device.DEV ? 1 : 0;
  }

  get drive(): Drive | undefined {
    return this.drives[this.index];
  }

  get driveState(): DriveState {
    return this.state.drives[this.index];
  }

  /** The command has ended well. */
  finish(): void {
    this.idle(READY, 0);
    this.raise();
  }

  fail(error: number): void {
    this.idle(READY | Status.ERR, error);
    this.raise();
  }

  /** A packet command has ended; the sense data say how. */
  finishPacket(error = 0): void {
    this.state.count[0] = Reason.COMMAND | Reason.TO_HOST;
    this.idle(error ? READY | Status.ERR : READY, error);
    this.raise();
  }

  /** The guest is to read the buffer from `position` on. */
  toHost(position: number, length: number): void {
    this.phase(Stage.ToHost, position, length);
    this.raise();
  }

  /** The guest is to write to the buffer. The first block of a write comes without an interrupt. */
  toDrive(length: number, interrupt: boolean): void {
    this.phase(Stage.ToDrive, 0, length);
    if (interrupt) this.raise();
  }

  awaitPacket(): void {
    this.state.count[0] = Reason.COMMAND;
    this.phase(Stage.Packet, 0, PACKET_BYTES);
  }

  /** The disk is to do the command's next step. */
  askDisk(): void {
    const { command } = this.state;
    if (command.dma && !(this.state.busMaster.command & BusMasterCommand.START)) {
      command.stage = Stage.BusMaster;
      this.state.status = READY | Status.DRQ;
      return;
    }
    command.stage = Stage.Disk;
    this.state.status = Status.BSY;
    this.submit();
  }

  // --- the disk ----------------------------------------------------------------------

  private submit(): void {
    const { command } = this.state;
    const port = this.drive?.port;
    const shape = requestShape(command.opcode);
    const sectors = shape === 'flush' ? 0 : command.dma ? command.remaining : command.block;
    const segments = shape === 'flush' ? [] : this.segments(sectors * SECTOR_BYTES);
    if (!port || !segments) return this.diskDone('error');
    const generation = ++this.generation;
    const request: BlockRequest = {
      kind: shape, sector: shape === 'flush' ? 0 : command.lba, sectors, segments, fua: shape === 'write' && !this.driveState.writeCache,
      done: (status) => {
        if (generation === this.generation) this.diskDone(status);
      },
    };
    port.submit(request);
  }

  private segments(bytes: number): Segment[] | undefined {
    if (!this.state.command.dma) return [{ buffer: this.buffer.subarray(0, bytes) }];
    return readRegions(this.bus, this.state.busMaster.table, bytes);
  }

  private diskDone(status: BlockStatus): void {
    const { command, busMaster } = this.state;
    const packet = command.opcode === 0xa0;
    const shape = requestShape(command.opcode);
    if (command.dma) busMaster.status = (busMaster.status & ~BusMasterStatus.ACTIVE) | (status === 'ok' ? 0 : BusMasterStatus.ERROR);
    if (status !== 'ok') {
      if (packet) return packetDataRead(this, false);
      return this.fail(shape === 'read' ? Fault.UNC : Fault.ABRT);
    }
    if (packet) return packetDataRead(this, true);
    if (shape === 'flush' || command.dma) return this.finish();
    if (shape === 'read') return this.toHost(0, command.block * SECTOR_BYTES);
    this.advance();
    if (command.remaining === 0) return this.finish();
    this.nextBlock();
    this.toDrive(command.block * SECTOR_BYTES, true);
  }

  /** The sectors of the block in the buffer are done. */
  private advance(): void {
    const { command } = this.state;
    command.lba += command.block;
    command.remaining -= command.block;
  }

  private nextBlock(): void {
    const { command } = this.state;
    command.block = Math.min(command.remaining, blockSectors(command.opcode, this.driveState));
  }

  // --- registers ---------------------------------------------------------------------

  read(register: number): number {
    const { state } = this;
    if (register === 7) {
      this.lower();
      return this.status();
    }
    if (register === 6) return state.device | 0xa0;
    const older = state.control & Control.HOB ? 1 : 0;
    if (register === 1) return state.error;
    return state[PAIRS[register as 2 | 3 | 4 | 5]][older];
  }

  write(register: number, value: number): void {
    const { state } = this;
    state.control &= ~Control.HOB;
    if (register === 7) return this.command(value);
    if (state.status & (Status.BSY | Status.DRQ) && register !== 6) return;
    if (register === 6) {
      state.device = value & 0x5f;
      return;
    }
    const pair = state[PAIRS[register as 1 | 2 | 3 | 4 | 5]];
    pair[1] = pair[0];
    pair[0] = value;
  }

  /** Status without taking the interrupt back; a drive that is not there answers with zeroes. */
  status(): number {
    if (!this.drives[0] && !this.drives[1]) return 0x7f;
    return this.drive ? this.state.status : 0;
  }

  writeControl(value: number): void {
    const { state } = this;
    const was = state.control;
    state.control = value & (Control.NIEN | Control.SRST | Control.HOB);
    if (was & Control.SRST && !(value & Control.SRST)) this.softReset();
    this.driveLine();
  }

  readData(size: 2 | 4): number {
    const { command, status } = this.state;
    if (command.stage !== Stage.ToHost || !(status & Status.DRQ)) return size === 2 ? 0xffff : 0xffffffff;
    const at = command.position;
    const value = size === 2 ? this.words.getUint16(Math.min(at, BUFFER_BYTES - 2), true) : this.words.getUint32(Math.min(at, BUFFER_BYTES - 4), true);
    command.position = Math.min(at + size, command.length);
    if (command.position >= command.length) this.phaseDone();
    return value;
  }

  writeData(size: 2 | 4, value: number): void {
    const { command, status } = this.state;
    if ((command.stage !== Stage.ToDrive && command.stage !== Stage.Packet) || !(status & Status.DRQ)) return;
    const at = command.position;
    if (size === 2) this.words.setUint16(Math.min(at, BUFFER_BYTES - 2), value, true);
    else this.words.setUint32(Math.min(at, BUFFER_BYTES - 4), value, true);
    command.position = Math.min(at + size, command.length);
    if (command.position >= command.length) this.phaseDone();
  }

  private command(opcode: number): void {
    this.lower();
    const { drive, state } = this;
    // EXECUTE DEVICE DIAGNOSTIC is for both drives, whoever is selected; DEVICE RESET gets through to a busy packet device.
    if (opcode === 0x90) return this.softReset(true);
    if (!drive || (state.status & Status.BSY && opcode !== 0x08)) return;
    state.command = { ...idleCommand(), opcode };
    state.error = 0;
    if (opcode === 0xa0 && drive.kind === 'cdrom') return startPacket(this);
    startCommand(this, opcode);
  }

  private phaseDone(): void {
    const { command } = this.state;
    if (command.stage === Stage.Packet) {
      command.packet = [...this.buffer.subarray(0, PACKET_BYTES)];
      return endPacketPhase(this, true);
    }
    if (command.opcode === 0xa0) return endPacketPhase(this, false);
    if (command.stage === Stage.ToDrive) return this.askDisk();
    this.advance();
    if (command.remaining <= 0) return this.idle(READY, 0);
    this.nextBlock();
    this.askDisk();
  }

  // --- bus master ----------------------------------------------------------------------

  readBusMaster(at: number): number {
    const { busMaster } = this.state;
    if (at === 0) return busMaster.command;
    if (at === 2) return busMaster.status;
    return at >= 4 ? (busMaster.table >>> ((at - 4) * 8)) & 0xff : 0xff;
  }

  writeBusMaster(at: number, value: number): void {
    const { busMaster, command } = this.state;
    if (at === 0) {
      const started = value & BusMasterCommand.START && !(busMaster.command & BusMasterCommand.START);
      busMaster.command = value & (BusMasterCommand.START | BusMasterCommand.TO_MEMORY);
      if (!(value & BusMasterCommand.START)) busMaster.status &= ~BusMasterStatus.ACTIVE;
      if (!started) return;
      busMaster.status |= BusMasterStatus.ACTIVE;
      if (command.stage === Stage.BusMaster) this.askDisk();
    } else if (at === 2) {
      const cleared = value & (BusMasterStatus.ERROR | BusMasterStatus.INTERRUPT);
      busMaster.status = (busMaster.status & ~cleared & ~BusMasterStatus.DRIVES) | (value & BusMasterStatus.DRIVES);
    } else if (at >= 4) {
      const shift = (at - 4) * 8;
      busMaster.table = ((busMaster.table & ~(0xff << shift)) | (value << shift)) >>> 0;
      if (at === 4) busMaster.table = (busMaster.table & ~3) >>> 0;
    }
  }

  // --- resets, saving --------------------------------------------------------------------

  /** Power-on or a hardware reset. */
  reset(): void {
    const before = this.state.drives;
    this.state = newChannel();
    this.state.drives = before.map((drive) => ({ ...newDrive(), trayOpen: drive.trayOpen }));
    this.softReset();
    this.lower();
  }

  softReset(interrupt = false): void {
    const { state } = this;
    this.generation++;
    state.command = idleCommand();
    state.device &= ~Device.DEV;
    state.busMaster.status &= ~BusMasterStatus.ACTIVE;
    this.signature();
    state.error = 1;
    if (interrupt) this.raise();
  }

  /** What tells a disk from a packet device. */
  signature(): void {
    const { state } = this;
    const { middle, high, status } = SIGNATURE[this.drive?.kind ?? 'disk'];
    Object.assign(state, { count: [1, 0], low: [1, 0], middle: [middle, 0], high: [high, 0], status });
  }

  save(): ChannelState {
    const { command } = this.state;
    const used = command.stage === Stage.Idle ? 0 : Math.max(command.length, command.filled, command.block * SECTOR_BYTES);
    return { ...this.state, buffer: [...this.buffer.subarray(0, Math.min(used, BUFFER_BYTES))] };
  }

  restore(state: ChannelState): void {
    this.generation++;
    this.state = state;
    this.buffer.fill(0);
    this.buffer.set(state.buffer);
    const { command } = state;
    // Whatever a saved state claims, nothing reaches outside the buffer.
    for (const key of ['position', 'length', 'filled'] as const) command[key] = Math.min(command[key], BUFFER_BYTES);
    command.block = Math.min(command.block, BUFFER_BYTES / SECTOR_BYTES);
  }

  /** A request that was under way is made again. */
  resume(): void {
    if (this.state.command.stage === Stage.Disk) this.submit();
  }

  // --- small parts -------------------------------------------------------------------------

  private phase(stage: number, position: number, length: number): void {
    Object.assign(this.state.command, { stage, position, length });
    this.state.status = READY | Status.DRQ;
  }

  private idle(status: number, error: number): void {
    this.state.command = { ...idleCommand(), opcode: this.state.command.opcode };
    this.state.status = status;
    this.state.error = error;
  }

  private raise(): void {
    this.state.interrupt = true;
    this.state.busMaster.status |= BusMasterStatus.INTERRUPT;
    this.driveLine();
  }

  private lower(): void {
    this.state.interrupt = false;
    this.driveLine();
  }

  private driveLine(): void {
    this.irq(this.state.interrupt && !(this.state.control & Control.NIEN));
  }
}
