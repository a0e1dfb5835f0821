/** The journal's lines in a file of JSON lines, each on the disk before it counts; written anew when it has grown. */
import { closeSync, fdatasyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { JOURNAL_LINES } from '../limits';
import { syncFolder } from '../state/json-file';
import { type JournalLine, OrderJournal } from './journal';

export class JournalFile {
  readonly journal: OrderJournal;
  private fd: number;
  private count = 0;

  constructor(private readonly folder: string) {
    const lines = read(this.file);
    this.fd = -1;
    this.journal = new OrderJournal(lines, (line) => this.append(line));
    this.rewrite();
  }

  close(): void {
    closeSync(this.fd);
    this.fd = -1;
  }

  private get file(): string {
    return path.join(this.folder, 'orders.jsonl');
  }

  private append(line: JournalLine): void {
    writeSync(this.fd, `${JSON.stringify(line)}\n`);
    fdatasyncSync(this.fd);
    // With this line yet to be applied: the next one after it may rewrite.
    if (++this.count > JOURNAL_LINES) setImmediate(() => this.fd >= 0 && this.count > JOURNAL_LINES && this.rewrite());
  }

  private rewrite(): void {
    const temporary = `${this.file}.tmp`;
    const fd = openSync(temporary, 'w', 0o600);
    const lines = this.journal.lines();
    writeSync(fd, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    fdatasyncSync(fd);
    renameSync(temporary, this.file);
    syncFolder(this.folder);
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = fd;
    this.count = lines.length;
  }
}

/** A line that was cut short when the host died, or that somebody has damaged, is left out. */
function read(file: string): JournalLine[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      const value = JSON.parse(line) as Partial<Record<'taken' | 'result' | 'acknowledged', unknown>> | null;
      const id = (of: unknown): boolean => typeof (of as { orderId?: unknown } | undefined)?.orderId === 'string';
      return value && (id(value.taken) || id(value.result) || Array.isArray(value.acknowledged)) ? [value as JournalLine] : [];
    } catch {
      return [];
    }
  });
}
