/**
 * A CD-ROM drive's packet commands: SCSI commands in twelve bytes. Sources:
 * ATA/ATAPI-6, 9.8; SFF-8020i; MMC-3; SPC-2.
 */
import type { BlockPort } from '../../ports/block';
import type { IdeChannel } from './channel';
import { BUFFER_BYTES, Fault, Reason } from './registers';

/** Sectors of 512 bytes in a CD's sector of 2048. */
const PER_BLOCK = 4;
const BLOCK_BYTES = 2048;
const BUFFER_BLOCKS = BUFFER_BYTES / BLOCK_BYTES;

/** Sense key, additional sense code and qualifier (SPC-2, annex C). */
const Sense = {
  none: [0, 0],
  noMedium: [2, 0x3a00],
  unreadable: [3, 0x1100],
  invalidCommand: [5, 0x2000],
  outOfRange: [5, 0x2100],
  invalidField: [5, 0x2400],
  locked: [5, 0x5302],
  changed: [6, 0x2800],
} as const;
type SenseName = keyof typeof Sense;

type Command = (channel: IdeChannel, packet: readonly number[]) => void;

export function startPacket(channel: IdeChannel): void {
  const { state } = channel;
  state.command.dma = (state.features[0] & 1) !== 0;
  state.command.limit = state.middle[0] | (state.high[0] << 8);
  channel.awaitPacket();
}

/** The guest has written the packet, or read what was offered. */
export function endPacketPhase(channel: IdeChannel, isPacket: boolean): void {
  const { command } = channel.state;
  if (isPacket) return execute(channel, command.packet);
  if (command.position < command.filled) return offer(channel, command.position);
  if (command.remaining > 0) return readNext(channel);
  channel.finishPacket();
}

/** The disk has answered a step of a READ. */
export function packetDataRead(channel: IdeChannel, ok: boolean): void {
  const { command } = channel.state;
  if (!ok) return refuse(channel, 'unreadable');
  if (command.dma) return channel.finishPacket();
  command.filled = command.block * 512;
  command.lba += command.block;
  command.remaining -= command.block;
  offer(channel, 0);
}

function execute(channel: IdeChannel, packet: readonly number[]): void {
  const { driveState } = channel;
  const command = COMMANDS[packet[0]];
  if (!command) return refuse(channel, 'invalidCommand');
  // A change of the medium is told once, by whatever command comes first; but for those that ask for it.
  if (driveState.attention && !ASKING.has(packet[0])) {
    driveState.attention = false;
    return refuse(channel, 'changed');
  }
  if (packet[0] !== 0x03) setSense(channel, 'none');
  if (NEED_MEDIUM.has(packet[0]) && !medium(channel)) return refuse(channel, 'noMedium');
  command(channel, packet);
}

function setSense(channel: IdeChannel, name: SenseName): void {
  [channel.driveState.senseKey, channel.driveState.senseCode] = Sense[name];
}

function refuse(channel: IdeChannel, name: SenseName): void {
  setSense(channel, name);
  channel.finishPacket((Sense[name][0] << 4) | Fault.ABRT);
}

const medium = (channel: IdeChannel): BlockPort | null => (channel.driveState.trayOpen ? null : (channel.drive?.port ?? null));
const blocks = (port: BlockPort): number => Math.floor(port.sectors / PER_BLOCK);
const get16 = (packet: readonly number[], at: number): number => (packet[at] << 8) | packet[at + 1];
const get32 = (packet: readonly number[], at: number): number => (get16(packet, at) * 65536 + get16(packet, at + 2)) >>> 0;

/** Data that the drive has itself, at most as much as was asked for. */
function reply(channel: IdeChannel, bytes: readonly number[] | Uint8Array, allowed: number): void {
  const length = Math.min(bytes.length, allowed, BUFFER_BYTES);
  if (length === 0) return channel.finishPacket();
  const { command } = channel.state;
  channel.buffer.set(bytes.slice(0, length));
  // Small answers come by the data port even if DMA was offered for the command: no driver minds.
  command.dma = false;
  command.filled = length;
  command.remaining = 0;
  offer(channel, 0);
}

/** The next stretch of the buffer that the guest may read at once. */
function offer(channel: IdeChannel, position: number): void {
  const { state } = channel;
  const left = state.command.filled - position;
  const even = state.command.limit & 0xfffe || 0xfffe;
  const length = Math.min(left, even);
  state.count[0] = Reason.TO_HOST;
  state.middle[0] = length & 0xff;
  state.high[0] = length >> 8;
  channel.toHost(position, position + length);
}

function readBlocks(channel: IdeChannel, first: number, count: number): void {
  const { command } = channel.state;
  const port = medium(channel)!;
  if (first + count > blocks(port)) return refuse(channel, 'outOfRange');
  if (count === 0) return channel.finishPacket();
  command.lba = first * PER_BLOCK;
  command.remaining = count * PER_BLOCK;
  readNext(channel);
}

function readNext(channel: IdeChannel): void {
  const { command } = channel.state;
  command.block = command.dma ? 0 : Math.min(command.remaining, BUFFER_BLOCKS * PER_BLOCK);
  channel.askDisk();
}

/** Bytes of a track address: a block number, or minutes, seconds and frames. */
function trackAddress(block: number, msf: boolean): number[] {
  if (!msf) return [block >>> 24, (block >> 16) & 255, (block >> 8) & 255, block & 255];
  const frames = block + 150;
  return [0, Math.floor(frames / 4500) & 255, Math.floor(frames / 75) % 60, frames % 75];
}

function readToc(channel: IdeChannel, packet: readonly number[]): void {
  const msf = (packet[1] & 2) !== 0;
  const format = packet[2] & 15 || packet[9] >> 6;
  const allowed = get16(packet, 7);
  const end = blocks(medium(channel)!);
  if (format === 1) return reply(channel, [0, 10, 1, 1, 0, 0x14, 1, 0, ...trackAddress(0, msf)], allowed);
  if (format !== 0) return refuse(channel, 'invalidField');
  if (packet[6] > 1 && packet[6] !== 0xaa) return refuse(channel, 'invalidField');
  const tracks = packet[6] === 0xaa ? [] : [0, 0x14, 1, 0, ...trackAddress(0, msf)];
  const all = [...tracks, 0, 0x16, 0xaa, 0, ...trackAddress(end, msf)];
  reply(channel, [0, all.length + 2, 1, 1, ...all], allowed);
}

function modePages(channel: IdeChannel, page: number): number[] | undefined {
  const recovery = [0x01, 6, 0, 0, 0, 0, 0, 0];
  const lock = channel.driveState.locked ? 2 : 0;
  // Reads CD-R and DVD; tray, can be locked, eject; speed as 24x.
  const capabilities = [0x2a, 18, 0x03, 0, 0x71, 0x60, 0x29 | lock, 0, 0x10, 0x8a, 0, 2, 0, 128, 0x10, 0x8a, 0, 0, 0, 0];
  const pages: Record<number, number[]> = { 0x01: recovery, 0x2a: capabilities, 0x3f: [...recovery, ...capabilities] };
  return pages[page];
}

function modeSense(channel: IdeChannel, packet: readonly number[]): void {
  const pages = modePages(channel, packet[2] & 0x3f);
  if (!pages || packet[2] >> 6 === 3) return refuse(channel, 'invalidField');
  const type = medium(channel) ? 0x01 : 0x70;
  if (packet[0] === 0x1a) return reply(channel, [pages.length + 3, type, 0, 0, ...pages], packet[4]);
  reply(channel, [0, pages.length + 6, type, 0, 0, 0, 0, 0, ...pages], get16(packet, 7));
}

function inquiry(channel: IdeChannel, packet: readonly number[]): void {
  if (packet[1] & 1) return refuse(channel, 'invalidField');
  const text = (value: string): number[] => [...value].map((letter) => letter.charCodeAt(0));
  reply(channel, [0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0, ...text('GODWIT  '), ...text('CD-ROM          '), ...text('1.0 ')], packet[4]);
}

function startStop(channel: IdeChannel, packet: readonly number[]): void {
  const { driveState } = channel;
  if (!(packet[4] & 2)) return channel.finishPacket();
  const open = (packet[4] & 1) === 0;
  if (open && driveState.locked) return refuse(channel, 'locked');
  if (driveState.trayOpen && !open && channel.drive!.port) driveState.attention = true;
  driveState.trayOpen = open;
  channel.finishPacket();
}

function eventStatus(channel: IdeChannel, packet: readonly number[]): void {
  // Only polling, only of the medium (class 4).
  if (!(packet[1] & 1)) return refuse(channel, 'invalidField');
  if (!(packet[4] & 0x10)) return reply(channel, [0, 2, 0x80, 0x10], get16(packet, 7));
  const { driveState } = channel;
  const event = driveState.attention ? 2 : 0;
  const present = (driveState.trayOpen ? 1 : 0) | (medium(channel) ? 2 : 0);
  reply(channel, [0, 6, 4, 0x10, event, present, 0, 0], get16(packet, 7));
}

function configuration(channel: IdeChannel, packet: readonly number[]): void {
  const current = medium(channel) ? 1 : 0;
  const profiles = [0, 0, 3, 4, 0, 8, current, 0];
  const core = [0, 1, 3, 8, 0, 0, 0, 2, 1, 0, 0, 0];
  const removable = [0, 3, 3, 4, 0x29, 0, 0, 0];
  const features = [...profiles, ...core, ...removable];
  const length = features.length + 4;
  reply(channel, [0, 0, 0, length, 0, 0, 0, current ? 8 : 0, ...features], get16(packet, 7));
}

const COMMANDS: Record<number, Command> = {
  0x00: (channel) => channel.finishPacket(), // TEST UNIT READY
  0x03: (channel, packet) => {
    const { senseKey, senseCode, attention } = channel.driveState;
    const [key, code] = attention && senseKey === 0 ? Sense.changed : [senseKey, senseCode];
    channel.driveState.attention = false;
    setSense(channel, 'none');
    reply(channel, [0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code >> 8, code & 255, 0, 0, 0, 0], packet[4]);
  },
  0x12: inquiry,
  0x1a: modeSense,
  0x5a: modeSense,
  0x1b: startStop,
  0x1e: (channel, packet) => {
    channel.driveState.locked = (packet[4] & 1) !== 0;
    channel.finishPacket();
  },
  0x25: (channel) => {
    const last = blocks(medium(channel)!) - 1;
    reply(channel, [...trackAddress(last, false), 0, 0, BLOCK_BYTES >> 8, 0], 8);
  },
  0x28: (channel, packet) => readBlocks(channel, get32(packet, 2), get16(packet, 7)),
  0xa8: (channel, packet) => readBlocks(channel, get32(packet, 2), get32(packet, 6)),
  0xbe: (channel, packet) => {
    // READ CD: user data of mode 1 only.
    const selection = packet[9] & 0xf8;
    if (selection === 0) return channel.finishPacket();
    if (selection !== 0x10) return refuse(channel, 'invalidField');
    readBlocks(channel, get32(packet, 2), (packet[6] << 16) | get16(packet, 7));
  },
  0x2b: (channel) => channel.finishPacket(), // SEEK
  0x43: readToc,
  0x46: configuration,
  0x4a: eventStatus,
  0x51: (channel, packet) => reply(channel, [0, 32, 0x0e, 1, 1, 1, 1, 0x20, ...new Array<number>(26).fill(0)], get16(packet, 7)),
  0xbb: (channel) => channel.finishPacket(), // SET CD SPEED
  0xbd: (channel, packet) => reply(channel, [0, 0, 0, 0, 0, 1, 0, 0], get16(packet, 8)),
};
const NEED_MEDIUM = new Set([0x00, 0x25, 0x28, 0xa8, 0xbe, 0x2b, 0x43, 0x51]);
/** INQUIRY, REQUEST SENSE, GET CONFIGURATION and GET EVENT STATUS NOTIFICATION answer whatever happened. */
const ASKING = new Set([0x12, 0x03, 0x46, 0x4a]);
