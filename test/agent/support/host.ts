/** A host for tests: an agent process with its state folder, and what it is configured with. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const MAIN = path.join(__dirname, 'agent-process.cjs');

export const temporary = (): string => mkdtempSync(path.join(os.tmpdir(), 'gwa-'));

export class Host {
  readonly stateDir: string;
  readonly log: string;
  child: ChildProcess | undefined;

  constructor(
    readonly folder: string,
    readonly name: string,
    private readonly config: Record<string, unknown>,
  ) {
    this.stateDir = path.join(folder, name);
    this.log = path.join(folder, `${name}.log`);
    mkdirSync(this.stateDir, { recursive: true, mode: 0o700 });
  }

  async start(limitMs = 60_000): Promise<void> {
    const file = path.join(this.folder, `${this.name}.json`);
    writeFileSync(
      file,
      JSON.stringify({ schema: 1, stateDir: this.stateDir, name: this.name, log: { level: 'debug', file: this.log }, ...this.config }),
    );
    const child = spawn(process.execPath, [MAIN, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    let stderr = '';
    child.stderr!.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the agent did not start: ${stderr} ${this.logText}`)), limitMs);
      child.stdout!.once('data', () => {
        clearTimeout(timer);
        resolve();
      });
      child.once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`the agent ended with ${code}: ${stderr}`));
      });
    });
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  get hostId(): string {
    return (JSON.parse(readFileSync(path.join(this.stateDir, 'host.json'), 'utf8')) as { hostId: string }).hostId;
  }

  get logText(): string {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8') : '';
  }

  /** Lines of warnings and worse. */
  get complaints(): string[] {
    return this.logText.split('\n').filter((line) => line !== '' && (JSON.parse(line) as { level: number }).level >= 40);
  }

  get vmmFolders(): string[] {
    return readdirSync(path.join(this.stateDir, 'vms'));
  }

  vmmLog(): string {
    return [
      ...this.vmmFolders.map((id) => path.join('vms', id)),
      ...readdirSync(path.join(this.stateDir, 'ended')).map((id) => path.join('ended', id)),
    ]
      .map((folder) => path.join(this.stateDir, folder, 'vmm.log'))
      .map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
      .join('');
  }

  /** Ends the VMMs and networks that are left, each by its own pid, and the agent. */
  async remove(): Promise<void> {
    await this.end('SIGKILL');
    for (const id of existsSync(path.join(this.stateDir, 'vms')) ? this.vmmFolders : [])
      killNoted(path.join(this.stateDir, 'vms', id, 'pid'));
  }
}

function killNoted(file: string): void {
  try {
    process.kill((JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });
