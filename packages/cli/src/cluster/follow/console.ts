/**
 * A VM's serial port on this terminal. The controller's stream goes on with the VM when it moves; when the stream itself
 * breaks (a controller ends, the VM is between two hosts) it is begun anew, and what is typed meanwhile waits.
 *
 *     stdin ─► Keyboard ─► requests ─► controller ─► agent ─► VMM      Ctrl-] leaves
 *     stdout ◄─────────── responses ◄─┘    notes (`moved to beta`) go to standard error
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, WireError } from '@godwit/wire';
import { exitCodes } from '../../errors';
import { failureOf, wordOf } from '../core/failure';
import { CONSOLE_PATIENCE_MS, CONSOLE_RETRY_MS } from '../core/limits';
import type { Io } from '../output/io';
import type { Session } from '../session/session';
import { attend } from './attention';
import { type ConsoleRequest, Keyboard } from './keyboard';

export interface ConsoleOptions {
  readonly vm: string;
  readonly readOnly: boolean;
  readonly timeoutMs: number | undefined;
}

/** Until Ctrl-], the end of --timeout, or of the VM. @returns the exit code @throws CliError if there is no console */
export async function showConsole(io: Io, session: Session, options: ConsoleOptions): Promise<number> {
  const keyboard = new Keyboard(io, options.readOnly);
  const view = new ConsoleView(io, session, options, keyboard);
  try {
    const seen = await attend(io, options.timeoutMs, (signal) => view.show(AbortSignal.any([signal, keyboard.left])));
    keyboard.end();
    view.tell('value' in seen && seen.value === 'gone' ? `${options.vm} has no console any more: godwit vm show ${options.vm}` : undefined);
    return exitCodes.ok;
  } finally {
    keyboard.end();
  }
}

/** They will not get better by asking again. */
const FINAL = ['no-vm', 'role', 'no-login', 'login-ended', 'unsupported', 'limit'];

class ConsoleView {
  private isOpen = false;
  private wasOpen = false;
  private host = '';

  constructor(
    private readonly io: Io,
    private readonly session: Session,
    private readonly options: ConsoleOptions,
    private readonly keyboard: Keyboard,
  ) {}

  async show(stop: AbortSignal): Promise<'left' | 'gone'> {
    for (let awaySinceMs = 0; ; ) {
      try {
        await this.stream(stop);
        // Its stream ends when it is between two hosts, and when it has ended.
        if (await this.isOver()) return 'gone';
      } catch (error) {
        if (stop.aborted) return 'left';
        if (!this.mayReturn(error)) throw failureOf(error);
        if (awaySinceMs > 0 && !this.isOpen && Date.now() - awaySinceMs > CONSOLE_PATIENCE_MS) throw failureOf(error);
      }
      if (this.isOpen || awaySinceMs === 0) awaySinceMs = Date.now();
      this.isOpen = false;
      await sleep(CONSOLE_RETRY_MS, undefined, { signal: stop }).catch(() => {});
      if (stop.aborted) return 'left';
    }
  }

  /** At the end, below what the guest has printed. */
  tell(line: string | undefined): void {
    const { io, options } = this;
    if (this.keyboard.isTerminal) io.err('\r\n');
    if (line !== undefined) io.say(line);
    else if (this.keyboard.isTerminal) io.say(`left the console of ${options.vm}, which goes on`);
  }

  private async stream(stop: AbortSignal): Promise<void> {
    const { io, session, options, keyboard } = this;
    const requests = new Queue<ConsoleRequest>();
    requests.offer({ vm: options.vm, console: 'CONSOLE_KIND_SERIAL' });
    try {
      for await (const { data, note } of session.client('Vms').console(requests, { signal: stop })) {
        if (!this.isOpen) await this.opened(requests);
        if (note) this.say(note);
        if (data.length > 0) io.out(data);
      }
    } finally {
      keyboard.into(undefined);
      requests.end();
    }
  }

  /** The first message, which may be empty, says that the console is open. */
  private async opened(requests: Queue<ConsoleRequest>): Promise<void> {
    const { io, options, keyboard } = this;
    this.isOpen = true;
    const { hostName } = (await this.vm()) ?? { hostName: '' };
    if (!this.wasOpen && keyboard.isTerminal) io.say(`the serial port of ${options.vm}${hostName ? ` on ${hostName}` : ''}; Ctrl-] leaves`);
    else if (this.wasOpen && hostName !== this.host && hostName !== '') this.say(`moved to ${hostName}`);
    this.host = hostName;
    this.wasOpen = true;
    keyboard.begin();
    keyboard.into(requests);
  }

  private say(note: string): void {
    const { io, options, keyboard } = this;
    if (keyboard.isTerminal) io.err('\r\n');
    io.say(`${options.vm}: ${note}`);
    const [, host] = /^moved to (\S+)$/.exec(note) ?? [];
    if (host !== undefined) this.host = host;
  }

  private mayReturn(error: unknown): boolean {
    if (!(error instanceof WireError) || FINAL.includes(wordOf(error))) return false;
    return this.wasOpen || wordOf(error) === 'not-leader' || wordOf(error) === 'starting';
  }

  private async isOver(): Promise<boolean> {
    const now = await this.vm();
    return now !== undefined && now.migrationId === '' && (now.state === 'VM_STATE_STOPPED' || now.state === 'VM_STATE_SUSPENDED');
  }

  private vm() {
    const { vm } = this.options;
    return this.session.ask((client, options) => client('Vms').getVm({ vm }, options)).catch(() => undefined);
  }
}
