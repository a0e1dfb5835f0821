import type { TransportPort } from '../ports';
import type { Process } from './process';

type Receiver = Parameters<TransportPort['listen']>[0];

/** A connection of two processes: in order, with delay and back-pressure, until it is cut, or an end dies or closes. */
export class Connection {
  private readonly ends: End[];
  private broken = false;

  constructor(
    processes: readonly [Process, Process],
    readonly delayMs: number,
    /** Changes a message on its way, to see that it is noticed. */
    readonly spoil: (message: Uint8Array) => void = () => {},
  ) {
    this.ends = processes.map((process) => new End(process, this));
    this.ends[0].other = this.ends[1];
    this.ends[1].other = this.ends[0];
    for (const process of processes) process.onKill = ((before) => () => (before(), this.cut('the other process is gone')))(process.onKill);
  }

  port(index: 0 | 1): TransportPort {
    return this.ends[index];
  }

  get isBroken(): boolean {
    return this.broken;
  }

  /** What is on its way is lost; both ends hear of it, sooner or later. */
  cut(why: string): void {
    if (this.broken) return;
    this.broken = true;
    for (const end of this.ends) end.hangUp(why, 2000);
  }

  finish(closer: End): void {
    if (this.broken) return;
    closer.other.closeAfterLast();
  }
}

class End implements TransportPort {
  other!: End;
  private receiver: Receiver | undefined;
  private readonly early: Uint8Array[] = [];
  /** The last message to this end arrives then. */
  private lastAt = 0;
  private isClosed = false;

  constructor(
    private readonly process: Process,
    private readonly connection: Connection,
  ) {}

  listen(receiver: Receiver): void {
    this.receiver = receiver;
    for (const message of this.early) receiver.message(message);
  }

  send(message: Uint8Array): Promise<void> {
    const { times } = this.process;
    if (this.connection.isBroken) return Promise.reject(new Error('not connected'));
    const copy = message.slice();
    this.connection.spoil(copy);
    const { other } = this;
    const at = Math.max(other.lastAt, times.now) + times.random.between(0, this.connection.delayMs);
    other.lastAt = at;
    return new Promise((resolve) => {
      other.process.tell(at, () => {
        if (this.connection.isBroken || other.isClosed) return;
        if (other.receiver) other.receiver.message(copy);
        else other.early.push(copy);
        this.process.tell(times.now, resolve);
      });
    });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.connection.finish(this);
  }

  closeAfterLast(): void {
    const { times } = this.process;
    const at = Math.max(this.lastAt, times.now);
    this.lastAt = at;
    this.process.tell(at, () => this.close2('closed by the other end'));
  }

  hangUp(why: string, maxMs: number): void {
    const { times } = this.process;
    this.process.tell(times.now + times.random.between(0, maxMs), () => this.close2(why));
  }

  private close2(why: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.receiver?.closed(why);
  }
}
