/** Writes a saved machine (layout.ts) to a sink: all of it, or nothing. */
import { ByteWriter } from './byte-writer';
import { chained, crc32 } from './checksum';
import { fromPort, SnapshotError } from './errors';
import { putText, viewOf } from './fields';
import { END, END_NAME, END_VERSION, FORMAT_VERSION, HEADER, KIND, MAGIC, MEMORY, MEMORY_NAME, MEMORY_VERSION } from './layout';
import { BATCH_PAGES, MAX_MEMORY_BYTES, MAX_SECTIONS, MAX_SECTIONS_BYTES, NAME_BYTES, PAGE_BYTES } from './limits';
import { type MemoryReport, type MemorySource, writeMemory } from './memory-writer';
import type { StateSink } from './ports';
import { encodeJson, encodeSectionHeader, type Section } from './section';

export interface StateInfo {
  /** The emulated PC's own version: what its guest sees of it. */
  readonly machineVersion: number;
  /** Of the Godwit that writes, as `0.1.0`; for messages. */
  readonly writerVersion: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
}

export interface SavedMachine extends StateInfo {
  readonly sections: readonly Section[];
  readonly memory: MemorySource;
}

export interface TransferOptions {
  /** Ends it: a SnapshotError `cancelled` with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called now and then: pages of memory done, and of how many. */
  readonly progress?: (pages: number, of: number) => void;
}

export interface WriteReport {
  fileBytes: number;
  memory: MemoryReport;
}

/**
 * @throws SnapshotError; nothing of the new state is left then, and the one before is as it was.
 * @throws RangeError or TypeError for what the format cannot hold: the caller's error; the same holds.
 */
export async function writeState(sink: StateSink, machine: SavedMachine, options: TransferOptions = {}): Promise<WriteReport> {
  const writer = new ByteWriter(sink);
  try {
    const report = await writeAll(writer, sink.name, machine, options);
    await sink.commit().catch((error: unknown) => {
      throw fromPort(sink.name, 'write', error);
    });
    return report;
  } catch (error) {
    await writer.settled();
    await sink.abort();
    throw error;
  }
}

async function writeAll(writer: ByteWriter, name: string, machine: SavedMachine, options: TransferOptions): Promise<WriteReport> {
  checkMachine(machine);
  const header = encodeHeader(machine);
  let chain = chained(header);
  let room = MAX_SECTIONS_BYTES;
  await writer.write(header);
  const put = async (sectionName: string, kind: number, version: number, payload: Uint8Array) => {
    const sectionHeader = encodeSectionHeader(sectionName, kind, version, payload);
    if ((room -= payload.length) < 0) throw new RangeError(`the sections have more than ${MAX_SECTIONS_BYTES} bytes together`);
    chain = chained(sectionHeader, chain);
    await writer.write(sectionHeader);
    await writer.write(payload);
  };
  for (const section of machine.sections) {
    if ('json' in section) await put(section.name, KIND.json, section.version, encodeJson(section.name, section.json));
    else await put(section.name, KIND.binary, section.version, section.bytes);
  }
  await put(MEMORY_NAME, KIND.memory, MEMORY_VERSION, memoryPayload(machine.memory));
  const of = machine.memory.bytes.length / PAGE_BYTES;
  const { report, trailer } = await writeMemory(writer, machine.memory, progressCheck(name, options, of));
  chain = chained(trailer, chain);
  await put(END_NAME, KIND.end, END_VERSION, endPayload(machine.sections.length + 1, chain, writer.total));
  await writer.flush();
  return { fileBytes: writer.total, memory: report };
}

/** What is called between two stretches of memory. */
export function progressCheck(file: string, { signal, progress }: TransferOptions, of: number): (pages: number) => void {
  return (pages) => {
    if (signal?.aborted) throw new SnapshotError('cancelled', `${file}: cancelled: ${String(signal.reason)}`, { cause: signal.reason });
    progress?.(pages, of);
  };
}

function checkMachine({ sections, memory }: SavedMachine): void {
  const names = new Set([MEMORY_NAME, END_NAME]);
  for (const { name } of sections) {
    if (names.has(name)) throw new RangeError(`section ${name} occurs twice, or is one of the format's own`);
    names.add(name);
  }
  if (sections.length > MAX_SECTIONS) throw new RangeError(`${sections.length} sections are too many`);
  const { bytes, populated = [] } = memory;
  if (bytes.length % PAGE_BYTES !== 0 || bytes.length > MAX_MEMORY_BYTES) throw new RangeError(`guest RAM of ${bytes.length} bytes`);
  let next = 0;
  for (const { firstPage, pages } of populated) {
    if (firstPage < next || pages < 0 || (firstPage + pages) * PAGE_BYTES > bytes.length) {
      throw new RangeError(`populated: ${pages} pages from ${firstPage} on`);
    }
    next = firstPage + pages;
  }
}

function encodeHeader({ machineVersion, writerVersion, createdMs }: StateInfo): Uint8Array {
  const bytes = new Uint8Array(HEADER.bytes);
  const view = viewOf(bytes);
  putText(bytes, HEADER.magic, MAGIC.length, MAGIC);
  view.setUint32(HEADER.formatVersion, FORMAT_VERSION, true);
  view.setUint32(HEADER.headerBytes, HEADER.bytes, true);
  view.setUint32(HEADER.machineVersion, machineVersion, true);
  view.setBigUint64(HEADER.createdMs, BigInt(createdMs), true);
  putText(bytes, HEADER.writerVersion, NAME_BYTES, writerVersion);
  view.setUint32(HEADER.checksum, crc32(bytes.subarray(0, HEADER.checksum)), true);
  return bytes;
}

function memoryPayload(memory: MemorySource): Uint8Array {
  const bytes = new Uint8Array(MEMORY.bytes);
  const view = viewOf(bytes);
  view.setBigUint64(MEMORY.memoryBytes, BigInt(memory.bytes.length), true);
  view.setUint32(MEMORY.pageBytes, PAGE_BYTES, true);
  view.setUint32(MEMORY.batchPages, BATCH_PAGES, true);
  return bytes;
}

function endPayload(sections: number, chain: number, fileBytes: number): Uint8Array {
  const bytes = new Uint8Array(END.bytes);
  const view = viewOf(bytes);
  view.setUint32(END.sections, sections, true);
  view.setUint32(END.chain, chain, true);
  view.setBigUint64(END.fileBytes, BigInt(fileBytes), true);
  return bytes;
}
