/**
 * Reads a saved machine (layout.ts) in the order in which a VM is to take it over:
 *
 *     const state = await StateReader.open(source);   header and all sections, checked
 *     state.expect({ vcpu: { … }, … });               what this program understands
 *     … look at config and features; make the VM …
 *     await state.loadMemory({ bytes: ram });         memory and the file's end, checked
 *     … hand the sections to the devices; only now may the VM run …
 *     await state.close();
 *
 * Before `loadMemory` has come back, nothing says that the file is whole.
 */
import { ByteReader } from './byte-reader';
import { chained, crc32 } from './checksum';
import { damaged, mismatch, newer, SnapshotError } from './errors';
import { getU64, viewOf } from './fields';
import { END, END_NAME, END_VERSION, KIND, MEMORY, MEMORY_NAME, MEMORY_VERSION, SECTION } from './layout';
import { BATCH_PAGES, MAX_MEMORY_BYTES, MAX_SECTIONS, MAX_SECTIONS_BYTES, PAGE_BYTES } from './limits';
import { type MemoryTarget, readMemory } from './memory-reader';
import type { MemoryReport } from './memory-writer';
import type { StateSource } from './ports';
import { readHeader } from './read-header';
import { decodeJson, decodeSectionHeader, type LoadedSection, type SectionHeader } from './section';
import { progressCheck, type StateInfo, type TransferOptions } from './write-state';

/** What a program understands: section name to its kind and versions. */
export type ExpectedSections = Record<string, { kind: 'json' | 'binary'; oldest: number; newest: number; optional?: boolean }>;

export class StateReader {
  private loaded = false;

  private constructor(
    private readonly source: StateSource,
    private readonly reader: ByteReader,
    /** Checksum over the headers so far. */
    private chain: number,
    readonly info: StateInfo & { readonly formatVersion: number },
    /** By name, in the file's order. */
    readonly sections: ReadonlyMap<string, LoadedSection>,
    /** Size of guest RAM. */
    readonly memoryBytes: number,
  ) {}

  /** Takes the source over: it is closed if this fails. @throws SnapshotError */
  static async open(source: StateSource): Promise<StateReader> {
    const reader = new ByteReader(source);
    try {
      const { info, bytes } = await readHeader(reader);
      let chain = chained(bytes);
      const sections = new Map<string, LoadedSection>();
      for (let total = 0; ; ) {
        const header = await nextHeader(reader);
        chain = chained(header.bytes, chain);
        const payload = await readPayload(reader, header);
        if (header.kind === KIND.memory)
          return new StateReader(source, reader, chain, info, sections, memorySize(reader.name, header, payload));
        total += header.length;
        if (sections.size >= MAX_SECTIONS || total > MAX_SECTIONS_BYTES) throw damaged(reader.name, 'it holds too many sections');
        if (sections.has(header.name)) throw damaged(reader.name, `section "${header.name}" occurs twice`);
        sections.set(header.name, loadSection(reader.name, header, payload));
      }
    } catch (error) {
      await reader.settled();
      await source.close();
      throw error;
    }
  }

  get name(): string {
    return this.source.name;
  }

  /** @throws SnapshotError unless the file has just these sections, in versions from oldest to newest. */
  expect(expected: ExpectedSections): void {
    const writer = `(written by Godwit ${this.info.writerVersion})`;
    for (const [name, { kind, oldest, newest, optional }] of Object.entries(expected)) {
      const section = this.sections.get(name);
      if (!section) {
        if (optional) continue;
        throw mismatch(this.name, `section "${name}" is missing ${writer}: this program cannot resume it; use the one that wrote it`);
      }
      if (section.version > newest)
        throw newer(this.name, `section "${name}" has version ${section.version}, this program reads up to ${newest} ${writer}`);
      if (section.version < oldest || section.kind !== kind) {
        throw mismatch(
          this.name,
          `section "${name}" is ${section.kind}, version ${section.version}; this program reads ${kind} from version ${oldest} on ${writer}`,
        );
      }
    }
    for (const name of this.sections.keys()) {
      if (!Object.hasOwn(expected, name)) throw newer(this.name, `section "${name}" is unknown to this program ${writer}`);
    }
  }

  /** Content of a JSON section. @throws SnapshotError if it is not there */
  json(name: string): unknown {
    const section = this.sections.get(name);
    if (section?.kind !== 'json') throw mismatch(this.name, `there is no JSON section "${name}"`);
    return section.json;
  }

  /** Content of a binary section. @throws SnapshotError if it is not there */
  bytes(name: string): Uint8Array {
    const section = this.sections.get(name);
    if (section?.kind !== 'binary') throw mismatch(this.name, `there is no binary section "${name}"`);
    return section.bytes;
  }

  /**
   * Fills guest RAM and checks the rest of the file; without a target, only checks. Once.
   * @throws SnapshotError: what RAM holds then is of no use.
   */
  async loadMemory(target?: MemoryTarget, options: TransferOptions = {}): Promise<MemoryReport> {
    if (this.loaded) throw new Error('loadMemory is called once');
    this.loaded = true;
    if (target && target.bytes.length !== this.memoryBytes) {
      throw mismatch(
        this.name,
        `it holds ${this.memoryBytes} bytes of memory, the VM has ${target.bytes.length}: give the VM as much as it was saved with`,
      );
    }
    const progress = progressCheck(this.name, options, this.memoryBytes / PAGE_BYTES);
    const { report, trailer } = await readMemory(this.reader, this.memoryBytes, target, progress);
    this.chain = chained(trailer, this.chain);
    await this.checkEnd();
    return report;
  }

  async close(): Promise<void> {
    await this.reader.settled();
    await this.source.close();
  }

  private async checkEnd(): Promise<void> {
    const { reader, chain } = this;
    const fileBytes = reader.total;
    const header = await nextHeader(reader);
    const view = viewOf(await readPayload(reader, header));
    if (header.kind !== KIND.end || header.name !== END_NAME || header.version !== END_VERSION || header.length !== END.bytes) {
      throw damaged(this.name, `section "${header.name}" stands where the end is due`);
    }
    const same = view.getUint32(END.sections, true) === this.sections.size + 1 && view.getUint32(END.chain, true) === chain;
    if (!same || getU64(view, END.fileBytes) !== fileBytes) throw damaged(this.name, 'its parts do not belong together');
    if (!(await reader.atEnd())) throw damaged(this.name, 'something follows its end');
  }
}

async function nextHeader(reader: ByteReader): Promise<SectionHeader> {
  return decodeSectionHeader(reader.name, await reader.take(SECTION.bytes, 'the header of a section'));
}

async function readPayload(reader: ByteReader, { name, length, payloadChecksum }: SectionHeader): Promise<Uint8Array> {
  const payload = await reader.take(length, `section "${name}"`);
  if (crc32(payload) !== payloadChecksum) throw damaged(reader.name, `the checksum of section "${name}" does not match`);
  return payload;
}

function loadSection(file: string, { name, kind, version, length }: SectionHeader, payload: Uint8Array): LoadedSection {
  if (kind === KIND.json) return { name, version, length, kind: 'json', json: decodeJson(file, name, payload) };
  if (kind === KIND.binary) return { name, version, length, kind: 'binary', bytes: payload.slice() };
  throw damaged(file, 'it ends before its memory');
}

function memorySize(file: string, { name, version, length }: SectionHeader, payload: Uint8Array): number {
  if (version > MEMORY_VERSION) throw newer(file, `its memory is in version ${version}, this program reads ${MEMORY_VERSION}`);
  if (name !== MEMORY_NAME || version !== MEMORY_VERSION || length !== MEMORY.bytes) throw damaged(file, 'its memory is not described');
  const view = viewOf(payload);
  const bytes = getU64(view, MEMORY.memoryBytes);
  const pages = view.getUint32(MEMORY.pageBytes, true) === PAGE_BYTES && view.getUint32(MEMORY.batchPages, true) <= BATCH_PAGES;
  if (bytes === undefined || bytes % PAGE_BYTES !== 0 || bytes > MAX_MEMORY_BYTES || !pages) {
    throw new SnapshotError('damaged', `${file}: its memory has a size that no machine has: the file is damaged; use another copy of it`);
  }
  return bytes;
}
