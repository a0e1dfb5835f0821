/**
 * The folders of VMMs in the agent's state folder:
 *
 *     vms/<vmmId>/about.json     what for, written before anything else
 *                 config.json    what the process is told; its path is among the process's arguments
 *                 pid            the process (state/processes.ts)
 *                 control.sock   served by the process
 *                 vmm.log        its standard output
 *                 ended.json     written by the process when its VM has ended
 *     ended/<vmmId>/             the same, afterwards, for the log; the last few
 */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { VmPlace } from '../messages';
import { controlSocket } from '../config';
import { LOG_TAIL_BYTES, MAX_ENDED_FOLDERS } from '../limits';
import { readJson, writeJson } from '../state/json-file';
import type { ProcessId } from '../state/processes';

export interface About {
  readonly vmmId: string;
  readonly vmId: string;
  readonly name: string;
  readonly place: VmPlace;
  /** By which it was started. */
  readonly orderId: string;
  /** It waits, or waited, for that migration; empty: it does not. */
  readonly migrationId: string;
  readonly memoryBytes: number;
  readonly startedAtMs: number;
}

/** What a VMM writes when its VM has ended; it, too, is only data of another process. */
export interface EndedFile {
  readonly reason: string;
  readonly line: string;
  /** Times that its lease was found to be another's: more than none, and it ended for that. */
  readonly leaseLosses?: number;
  readonly migrations: readonly Record<string, unknown>[];
}

export class VmmFolders {
  constructor(private readonly stateDir: string) {
    for (const folder of [this.root, this.endedRoot]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Every entry, also what is none of ours. */
  list(): string[] {
    return readdirSync(this.root);
  }

  path(vmmId: string): string {
    return path.join(this.root, vmmId);
  }
  configFile(vmmId: string): string {
    return path.join(this.path(vmmId), 'config.json');
  }
  logFile(vmmId: string): string {
    return path.join(this.path(vmmId), 'vmm.log');
  }
  socket(vmmId: string): string {
    return controlSocket(this.stateDir, vmmId);
  }

  create(about: About): void {
    mkdirSync(this.path(about.vmmId), { mode: 0o700 });
    writeJson(path.join(this.path(about.vmmId), 'about.json'), about);
  }

  about(vmmId: string): About | undefined {
    const found = readJson(path.join(this.path(vmmId), 'about.json')) as Partial<About> | undefined;
    return found?.vmmId === vmmId && typeof found.vmId === 'string' && typeof found.place === 'object' ? (found as About) : undefined;
  }

  pid(vmmId: string): ProcessId | undefined {
    const found = readJson(path.join(this.path(vmmId), 'pid')) as Partial<ProcessId> | undefined;
    return typeof found?.pid === 'number' && typeof found.startTime === 'number' && typeof found.bootId === 'string'
      ? (found as ProcessId)
      : undefined;
  }

  setPid(vmmId: string, id: ProcessId): void {
    writeJson(path.join(this.path(vmmId), 'pid'), id);
  }

  ended(vmmId: string): EndedFile | undefined {
    const found = readJson(path.join(this.path(vmmId), 'ended.json'));
    if (typeof found?.reason !== 'string') return undefined;
    const migrations = Array.isArray(found.migrations) ? found.migrations.filter((one) => typeof one === 'object' && one !== null) : [];
    const leaseLosses = typeof found.leaseLosses === 'number' ? found.leaseLosses : 0;
    return { reason: found.reason, line: typeof found.line === 'string' ? found.line : '', leaseLosses, migrations };
  }

  /** The last line that the process logged, or what it died of in words. */
  lastWords(vmmId: string): { readonly line: string; readonly code: string } {
    for (const text of tail(this.logFile(vmmId)).trim().split('\n').reverse()) {
      const logged = parseLine(text);
      if (logged?.failed === true || logged?.ended !== undefined)
        return { line: String(logged.msg ?? ''), code: String(logged.code ?? '') };
      if (!logged && text !== '') return { line: text.slice(0, 500), code: '' };
    }
    return { line: '', code: '' };
  }

  isFolder(entry: string): boolean {
    return statSync(this.path(entry), { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  hasConfig(vmmId: string): boolean {
    return existsSync(this.configFile(vmmId));
  }

  /** Its process is gone: keeps the folder for its log, without the socket. */
  retire(vmmId: string): void {
    rmSync(this.socket(vmmId), { force: true });
    rmSync(path.join(this.endedRoot, vmmId), { recursive: true, force: true });
    renameSync(this.path(vmmId), path.join(this.endedRoot, vmmId));
    const old = readdirSync(this.endedRoot)
      .map((name) => ({ name, at: statSync(path.join(this.endedRoot, name)).ctimeMs }))
      .sort((a, b) => b.at - a.at)
      .slice(MAX_ENDED_FOLDERS);
    for (const { name } of old) rmSync(path.join(this.endedRoot, name), { recursive: true, force: true });
  }

  remove(vmmId: string): void {
    rmSync(this.path(vmmId), { recursive: true, force: true });
  }

  private get root(): string {
    return path.join(this.stateDir, 'vms');
  }
  private get endedRoot(): string {
    return path.join(this.stateDir, 'ended');
  }
}

function tail(file: string): string {
  try {
    const fd = openSync(file, 'r');
    try {
      const { size } = fstatSync(fd);
      const buffer = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES));
      readSync(fd, buffer, 0, buffer.length, size - buffer.length);
      return buffer.toString('utf8');
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

function parseLine(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
