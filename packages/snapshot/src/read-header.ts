/** The first bytes of a file: is it a saved machine, and can this program read it? */
import type { ByteReader } from './byte-reader';
import { crc32 } from './checksum';
import { damaged, newer, SnapshotError } from './errors';
import { getText, getU64, viewOf } from './fields';
import { FORMAT_VERSION, HEADER, MAGIC } from './layout';
import { MAX_HEADER_BYTES, NAME_BYTES } from './limits';
import type { StateInfo } from './write-state';

/** Magic, format version and header length: at the same place in every version. */
const PREFIX_BYTES = HEADER.headerBytes + 4;
const CHECKSUM_BYTES = 4;
/** What a Date can hold (ECMA-262 21.4.1.1). */
const MAX_DATE_MS = 8.64e15;

export async function readHeader(reader: ByteReader): Promise<{ info: StateInfo & { formatVersion: number }; bytes: Uint8Array }> {
  const file = reader.name;
  const prefix = (await reader.take(PREFIX_BYTES, 'its header')).slice();
  if (getText(prefix, HEADER.magic, MAGIC.length) !== MAGIC) {
    throw new SnapshotError('not-a-state', `${file}: is no saved machine of Godwit's`);
  }
  const formatVersion = viewOf(prefix).getUint32(HEADER.formatVersion, true);
  const headerBytes = viewOf(prefix).getUint32(HEADER.headerBytes, true);
  if (headerBytes < HEADER.bytes || headerBytes > MAX_HEADER_BYTES) throw damaged(file, `its header claims ${headerBytes} bytes`);
  const bytes = new Uint8Array(headerBytes);
  bytes.set(prefix);
  bytes.set(await reader.take(headerBytes - PREFIX_BYTES, 'its header'), PREFIX_BYTES);
  const view = viewOf(bytes);
  // Before the version is believed: a damaged file is not to be called a new one.
  const body = bytes.subarray(0, headerBytes - CHECKSUM_BYTES);
  if (view.getUint32(body.length, true) !== crc32(body)) throw damaged(file, 'the checksum of its header does not match');
  const writerVersion = getText(bytes, HEADER.writerVersion, NAME_BYTES) ?? '?';
  if (formatVersion > FORMAT_VERSION) {
    throw newer(file, `Godwit ${writerVersion} wrote it in format ${formatVersion}, this program reads up to ${FORMAT_VERSION}`);
  }
  const createdMs = getU64(view, HEADER.createdMs);
  const sound = formatVersion === FORMAT_VERSION && headerBytes === HEADER.bytes && view.getUint32(HEADER.flags, true) === 0;
  if (!sound || createdMs === undefined || createdMs > MAX_DATE_MS) throw damaged(file, 'its header makes no sense');
  return { info: { formatVersion, machineVersion: view.getUint32(HEADER.machineVersion, true), writerVersion, createdMs }, bytes };
}
