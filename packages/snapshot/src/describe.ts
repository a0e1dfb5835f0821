/** What a saved machine holds, for people; reading it through also proves that it is whole. */
import { PAGE_BYTES } from './limits';
import type { MemoryReport } from './memory-writer';
import { FileSource } from './node-files';
import type { StateSource } from './ports';
import { StateReader } from './read-state';
import type { TransferOptions } from './write-state';

export interface StateSummary {
  name: string;
  formatVersion: number;
  machineVersion: number;
  writerVersion: string;
  createdMs: number;
  sections: { name: string; version: number; kind: string; bytes: number }[];
  memory: MemoryReport;
}

/** Reads all of a state and keeps nothing. @throws SnapshotError unless every byte is as it was written */
export async function verifyState(source: StateSource, options?: TransferOptions): Promise<StateSummary> {
  const state = await StateReader.open(source);
  try {
    const memory = await state.loadMemory(undefined, options);
    const sections = [...state.sections.values()].map(({ name, version, kind, length }) => ({ name, version, kind, bytes: length }));
    return { name: state.name, ...state.info, sections, memory };
  } finally {
    await state.close();
  }
}

export const verifyStateFile = (path: string, options?: TransferOptions) => verifyState(new FileSource(path), options);

/** Some lines without a newline at the end. */
export function describeState(summary: StateSummary): string {
  const { memory } = summary;
  const rows = summary.sections.map(({ name, version, kind, bytes }) => [name, `version ${version}`, kind, size(bytes)]);
  const stored = `${size(memory.storedPages * PAGE_BYTES)} of ${size(memory.pages * PAGE_BYTES)} hold something`;
  rows.push(['memory', `${percent(memory.storedPages, memory.pages)} used`, 'pages', size(memory.storedBytes)]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
  return [
    `${summary.name}: whole, all checksums match`,
    `  written by Godwit ${summary.writerVersion} on ${new Date(summary.createdMs).toISOString()}`,
    `  format ${summary.formatVersion}, machine version ${summary.machineVersion}`,
    `  memory: ${stored}, ${size(memory.storedBytes)} in the file`,
    ...rows.map((row) => `    ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`),
  ].join('\n');
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB'];

function size(bytes: number): string {
  const unit = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** unit;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

const percent = (part: number, whole: number) => `${whole === 0 ? 0 : Math.round((100 * part) / whole)} %`;
