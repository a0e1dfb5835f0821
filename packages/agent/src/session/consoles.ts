/** Consoles: bytes between a VMM and the controller that asked for it, each side read only as fast as the other takes. */
import type { Logger } from 'pino';
import { lineOf, refusal } from '../errors';
import { MAX_CONSOLES } from '../limits';
import type { Duplex } from '../rpc';
import type { Vmm } from '../vmms/vmm';

export interface AgentConsole {
  readonly consoleId?: string;
  readonly data: Uint8Array;
}
interface Data {
  readonly data: Uint8Array;
}

export class Consoles {
  private open_ = 0;

  constructor(
    /** To the controller of the session; undefined: there is none. */
    private readonly dial: () => Duplex<Data, AgentConsole> | undefined,
    private readonly log: Logger,
  ) {}

  /** @throws OrderError */
  open(consoleId: string, vmm: Vmm): void {
    if (this.open_ >= MAX_CONSOLES) throw refusal('busy', `at most ${MAX_CONSOLES} consoles are open on a host`);
    const controller = this.dial();
    if (!controller) throw refusal('host', 'the controller has gone meanwhile');
    const guest = vmm.console();
    this.open_++;
    const end = (error?: unknown): void => {
      if (error) this.log.debug({ vm: vmm.about.name, vmId: vmm.vmId, error: lineOf(error) }, 'a console has ended');
      guest.cancel();
      controller.end();
    };
    const begun = controller.send({ consoleId, data: new Uint8Array() });
    void Promise.allSettled([pipe(controller, guest).then(end, end), begun.then(() => pipe(guest, controller)).then(end, end)]).then(() => {
      controller.cancel();
      this.open_--;
    });
  }
}

async function pipe(from: Duplex<Data, unknown>, to: Duplex<unknown, Data>): Promise<void> {
  for await (const { data } of from) if (data.length > 0) await to.send({ data });
}
