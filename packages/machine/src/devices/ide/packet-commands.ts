/**
 * A CD-ROM drive's packet commands: SCSI commands in twelve bytes. Sources:
 * ATA/ATAPI-6, 9.8; SFF-8020i; MMC-3; SPC-2.
 */
import {
  capacity,
  configuration,
  DISC_INFORMATION,
  dvdPhysical,
  INQUIRY,
  isDvd,
  MediaEvent,
  mediaEvent,
  modePages,
  senseData,
  tableOfContents,
} from './cd-replies';
import type { IdeChannel } from './channel';
import { PACKET_BYTES } from './registers';
import { blockCount, medium, readBlocks, refuse, reply, setSense, succeed, wantPacket } from './packet-transfer';

type Packet = readonly number[];
type Command = (channel: IdeChannel, packet: Packet) => void;

const REQUEST_SENSE = 0x03;
const MODE_SENSE_6 = 0x1a;

export function startPacket(channel: IdeChannel): void {
  const { driveState, state } = channel;
  state.command.dma = (driveState.features[0] & 1) !== 0;
  state.command.limit = driveState.middle[0] | (driveState.high[0] << 8);
  wantPacket(channel);
}

/** The guest has written the packet. */
export function endPacket(channel: IdeChannel): void {
  const packet = Array.from(channel.buffer.subarray(0, PACKET_BYTES));
  const { driveState, state } = channel;
  state.command.packet = packet;
  state.command.length = 0;
  const run = COMMANDS[packet[0]];
  if (!run) return refuse(channel, 'invalidCommand');
  // A change of the medium is told once, by whatever command comes first; but for those that ask for it.
  if (driveState.attention && !ASKING.has(packet[0])) {
    driveState.attention = false;
    return refuse(channel, 'changed');
  }
  if (packet[0] !== REQUEST_SENSE) setSense(driveState, 'none');
  if (NEED_MEDIUM.has(packet[0]) && !medium(channel)) return refuse(channel, 'noMedium');
  run(channel, packet);
}

const get16 = (packet: Packet, at: number): number => (packet[at] << 8) | packet[at + 1];
const get24 = (packet: Packet, at: number): number => (packet[at] << 16) | get16(packet, at + 1);
const get32 = (packet: Packet, at: number): number => (get16(packet, at) * 65536 + get16(packet, at + 2)) >>> 0;
/** 0 without a medium. */
const blocks = (channel: IdeChannel): number => {
  const port = medium(channel);
  return port ? blockCount(port) : 0;
};

const requestSense: Command = (channel, packet) => {
  const { driveState } = channel;
  if (driveState.attention && driveState.senseKey === 0) setSense(driveState, 'changed');
  const { senseKey, senseCode } = driveState;
  driveState.attention = false;
  setSense(driveState, 'none');
  reply(channel, senseData(senseKey, senseCode), packet[4]);
};

const inquiry: Command = (channel, packet) => {
  if (packet[1] & 1) return refuse(channel, 'invalidField'); // vital product data
  reply(channel, INQUIRY, packet[4]);
};

const modeSense: Command = (channel, packet) => {
  const pages = modePages(packet[2] & 0x3f, channel.driveState.locked);
  const saved = packet[2] >> 6 === 3;
  if (!pages || saved) return refuse(channel, 'invalidField');
  const type = medium(channel) ? 0x01 : channel.driveState.trayOpen ? 0x71 : 0x70;
  if (packet[0] === MODE_SENSE_6) return reply(channel, [pages.length + 3, type, 0, 0, ...pages], packet[4]);
  reply(channel, [0, pages.length + 6, type, 0, 0, 0, 0, 0, ...pages], get16(packet, 7));
};

const startStop: Command = (channel, packet) => {
  const { driveState, drive } = channel;
  const [loadOrEject, start] = [packet[4] & 2, packet[4] & 1];
  if (!loadOrEject) return succeed(channel);
  if (!start && driveState.locked) return refuse(channel, 'locked');
  if (driveState.trayOpen === !start) return succeed(channel);
  driveState.trayOpen = !start;
  if (drive?.port) {
    driveState.attention = start !== 0;
    driveState.event = start ? MediaEvent.newMedium : MediaEvent.gone;
  }
  succeed(channel);
};

const lock: Command = (channel, packet) => {
  channel.driveState.locked = (packet[4] & 1) !== 0;
  succeed(channel);
};

/** READ CD, of which the user data of mode 1 alone. */
const readCd: Command = (channel, packet) => {
  const sectorType = (packet[1] >> 2) & 7;
  const [wanted, subchannel] = [packet[9] & 0xfe, packet[10] & 7];
  if (sectorType !== 0 && sectorType !== 2) return refuse(channel, 'wrongMode');
  if (wanted === 0 && subchannel === 0) return succeed(channel);
  if (wanted !== 0x10 || subchannel !== 0) return refuse(channel, 'invalidField');
  readBlocks(channel, get32(packet, 2), get24(packet, 6));
};

const readToc: Command = (channel, packet) => {
  // SFF-8020i has the format in the last byte.
  const format = packet[2] & 15 || packet[9] >> 6;
  const table = tableOfContents(format, packet[6], (packet[1] & 2) !== 0, blocks(channel));
  if (!table) return refuse(channel, 'invalidField');
  reply(channel, table, get16(packet, 7));
};

const eventStatus: Command = (channel, packet) => {
  const { driveState } = channel;
  const polled = (packet[1] & 1) !== 0;
  if (!polled) return refuse(channel, 'invalidField');
  const wanted = (packet[4] & 0x10) !== 0;
  const answer = mediaEvent(wanted, driveState.event, driveState.trayOpen, medium(channel) !== null);
  if (wanted) driveState.event = MediaEvent.none;
  reply(channel, answer, get16(packet, 7));
};

const dvdStructure: Command = (channel, packet) => {
  const count = blocks(channel);
  if (!isDvd(count) || packet[7] !== 0) return refuse(channel, 'invalidField');
  reply(channel, dvdPhysical(count), get16(packet, 8));
};

const COMMANDS: Readonly<Record<number, Command>> = {
  0x00: succeed, // TEST UNIT READY
  [REQUEST_SENSE]: requestSense,
  0x12: inquiry,
  [MODE_SENSE_6]: modeSense,
  0x5a: modeSense,
  0x1b: startStop,
  0x1e: lock, // PREVENT ALLOW MEDIUM REMOVAL
  0x25: (channel) => reply(channel, capacity(blocks(channel)), 8),
  0x28: (channel, packet) => readBlocks(channel, get32(packet, 2), get16(packet, 7)),
  0xa8: (channel, packet) => readBlocks(channel, get32(packet, 2), get32(packet, 6)),
  0xbe: readCd,
  0x2b: succeed, // SEEK
  0x43: readToc,
  0x46: (channel, packet) => reply(channel, configuration(packet[1] & 3, get16(packet, 2), blocks(channel)), get16(packet, 7)),
  0x4a: eventStatus,
  0x51: (channel, packet) => reply(channel, DISC_INFORMATION, get16(packet, 7)),
  0xad: dvdStructure,
  0xbb: succeed, // SET CD SPEED
  0xbd: (channel, packet) => reply(channel, [0, channel.driveState.trayOpen ? 0x10 : 0, 0, 0, 0, 1, 0, 0], get16(packet, 8)), // MECHANISM STATUS
};

const NEED_MEDIUM: ReadonlySet<number> = new Set([0x00, 0x25, 0x28, 0xa8, 0xbe, 0x2b, 0x43, 0x51, 0xad]);
/** INQUIRY, REQUEST SENSE, GET CONFIGURATION and GET EVENT STATUS NOTIFICATION answer whatever happened. */
const ASKING: ReadonlySet<number> = new Set([0x12, REQUEST_SENSE, 0x46, 0x4a]);
