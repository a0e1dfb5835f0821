/**
 * Consoles: bytes between a user and a VM's serial port or screen. The user's stream waits for the
 * agent's, which opens one of its own when it is ordered to. When the VM has moved, the next
 * agent is asked, and the user's stream goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CONSOLE_TIMEOUT_MS, MAX_CONSOLE_MESSAGES, MAX_CONSOLES } from '../limits';
import { Refusal } from '../core/errors';
import { runnerOf, type Runner, whereabouts } from '../core/state';
import { findVm } from '../core/vm-requests';
import type { Leadership } from '../leader/leadership';
import { bytes, text, word } from '../rpc/fields';
import { Queue } from '../rpc/queue';
import type { Call, Message } from '../rpc/rpc';

const QUICK_MS = 15_000;
/** Typed while no process has the VM's console open. */
const MAX_EARLY_BYTES = 64 * 1024;
/** Between two looks for where a VM is that moves. */
const LOOK_MS = 100;

interface Relay {
  readonly hostId: string;
  readonly toAgent: Queue<Message>;
  readonly toUser: Queue<Message>;
  opened: () => void;
}

export class Consoles {
  private readonly relays = new Map<string, Relay>();

  constructor(private readonly newId: () => string) {}

  async *user(requests: AsyncIterable<Message>, _call: Call, leadership: Leadership): AsyncIterable<object> {
    if (this.relays.size >= MAX_CONSOLES) throw new Refusal('limit', `at most ${MAX_CONSOLES} consoles at a time`);
    const input = requests[Symbol.asyncIterator]();
    const first = await input.next();
    if (first.done) return;
    const name = text(first.value, 'vm');
    const console = word(first.value, 'console', 'CONSOLE_KIND_') === 'screen' ? 'screen' : 'serial';
    let current: Relay | undefined;
    let over = false;
    // What is typed while the VM moves is for where it arrives.
    const early: Uint8Array[] = [];
    let earlyBytes = 0;
    void (async () => {
      for (let next = await input.next(); !next.done; next = await input.next()) {
        const data = bytes(next.value, 'data');
        if (current) current.toAgent.put({ data });
        else if ((earlyBytes += data.length) <= MAX_EARLY_BYTES) early.push(data);
      }
    })()
      .catch(() => undefined)
      .finally(() => {
        over = true;
        current?.toUser.end();
      });
    let lastHost = '';
    while (!over) {
      const runner = lastHost ? await this.nextRunner(leadership, name, lastHost, () => over) : await this.runner(leadership, name);
      if (!runner) return;
      if (lastHost) yield { data: new Uint8Array(), note: `moved to ${runner.host.record.name}` };
      lastHost = runner.host.record.id;
      const { id, relay } = await this.openRelay(leadership, runner, console);
      for (const data of early.splice(0)) relay.toAgent.put({ data });
      earlyBytes = 0;
      current = relay;
      try {
        // Empty: the console is open, also that of a guest that prints nothing.
        yield { data: new Uint8Array(), note: '' };
        yield* relay.toUser;
      } finally {
        current = undefined;
        relay.toAgent.end();
        this.relays.delete(id);
      }
    }
  }

  /** A stream that an agent has opened. */
  async *agent(requests: AsyncIterable<Message>, call: Call): AsyncIterable<object> {
    const input = requests[Symbol.asyncIterator]();
    const first = await input.next();
    const relay = first.done ? undefined : this.relays.get(text(first.value, 'consoleId'));
    if (!relay || relay.hostId !== call.certificate?.id) throw new Refusal('role', 'nobody waits for that console');
    relay.opened();
    void (async () => {
      for (let next = first; !next.done; next = await input.next()) {
        const data = bytes(next.value, 'data');
        if (data.length > 0) relay.toUser.put({ data, note: '' });
      }
    })()
      .catch(() => undefined)
      .finally(() => relay.toUser.end());
    yield* relay.toAgent;
  }

  /** Where the VM is after its console there has ended: a source may end it before the move is known here. */
  private async nextRunner(leadership: Leadership, name: string, lastHost: string, over: () => boolean): Promise<Runner | undefined> {
    for (let waitedMs = 0; waitedMs < CONSOLE_TIMEOUT_MS && !over(); waitedMs += LOOK_MS) {
      const [runner, isMoving] = await leadership.ask((ctx) => {
        const vm = findVm(ctx, name);
        return [runnerOf(ctx.state, vm), vm.migrationId !== ''] as const;
      });
      if (runner?.host.sessionId && runner.host.record.id !== lastHost) return runner;
      if (!isMoving) return undefined;
      await sleep(LOOK_MS);
    }
    return undefined;
  }

  private runner(leadership: Leadership, name: string): Promise<Runner> {
    return leadership.ask((ctx) => {
      const vm = findVm(ctx, name);
      const runner = runnerOf(ctx.state, vm);
      if (!runner?.host.sessionId)
        throw new Refusal('wrong-state', `${whereabouts(ctx.state, vm, vm.record.spec.name)}: it has no console now`);
      return runner;
    });
  }

  private async openRelay(
    leadership: Leadership,
    { host, report }: Runner,
    console: 'serial' | 'screen',
  ): Promise<{ id: string; relay: Relay }> {
    const id = this.newId();
    const full = (): Error => new Refusal('limit', 'the console was read too slowly');
    const hostId = host.record.id;
    const relay: Relay = {
      hostId,
      toAgent: new Queue(MAX_CONSOLE_MESSAGES, full),
      toUser: new Queue(MAX_CONSOLE_MESSAGES, full),
      opened: () => undefined,
    };
    this.relays.set(id, relay);
    const opened = new Promise<boolean>((resolve) => {
      relay.opened = () => resolve(true);
      setTimeout(() => resolve(false), CONSOLE_TIMEOUT_MS).unref();
    });
    await leadership.ask((ctx) =>
      ctx.order(hostId, 'console', id, { vmId: report.vmId, timeMs: QUICK_MS, body: { kind: 'openConsole', consoleId: id, console } }),
    );
    if (await opened) return { id, relay };
    this.relays.delete(id);
    throw new Refusal('host-unreachable', `${host.record.name} has not opened the console in time: try again`);
  }
}
