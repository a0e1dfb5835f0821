/** Which frames are for this adapter (data sheet, "Address Matching"). */
import { Csr, Mode, ReceiveStatus } from './bits';
import { crc32Register } from './crc32';
import type { PcnetState } from './state';

/** How the frame's address matched, as the bit of the receive status; 0 in promiscuous mode; undefined: not for us. */
export function addressMatch({ csr }: PcnetState, frame: Uint8Array): number | undefined {
  const mode = csr[Csr.mode];
  let match: number | undefined = mode & Mode.prom ? 0 : undefined;
  if (isBroadcast(frame)) {
    if (!(mode & Mode.drcvbc)) match = ReceiveStatus.bam;
  } else if (!(frame[0] & 1)) {
    return !(mode & Mode.drcvpa) && isPhysical(csr, frame) ? ReceiveStatus.pam : match;
  }
  // Broadcast that is switched off may still be let in as a multicast.
  if (match !== ReceiveStatus.bam && passesLogicalFilter(csr, frame)) return ReceiveStatus.lafm;
  return match;
}

function isBroadcast(frame: Uint8Array): boolean {
  return (frame[0] & frame[1] & frame[2] & frame[3] & frame[4] & frame[5]) === 0xff;
}

function isPhysical(csr: readonly number[], frame: Uint8Array): boolean {
  for (let word = 0; word < 3; word++) {
    if (csr[Csr.physicalAddress + word] !== (frame[word * 2] | (frame[word * 2 + 1] << 8))) return false;
  }
  return true;
}

/** The top six bits of the address's CRC select one of 64 bits. */
function passesLogicalFilter(csr: readonly number[], frame: Uint8Array): boolean {
  const hash = crc32Register(frame, 6) >>> 26;
  return ((csr[Csr.logicalFilter + (hash >> 4)] >> (hash & 15)) & 1) !== 0;
}
