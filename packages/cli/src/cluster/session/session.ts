/**
 * The controllers of one cluster as one: a question goes to whichever answers and leads. A request that changes something
 * carries an idempotency key, so that asking again after a lost answer does nothing twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import {
  type CallOptions,
  Certificates,
  type ClientSecurity,
  clientTls,
  connect,
  PLAIN,
  type ServiceClient,
  type Services,
  type Wire,
  WireError,
} from '@godwit/wire';
import { CliError, exitCodes } from '../../errors';
import type { Chosen } from '../context/choose';
import { failureOf, isLost, wordOf } from '../core/failure';
import { CALL_MS, PATIENCE_MS, RETRY_MS } from '../core/limits';

export type Client = <S extends keyof Services>(service: S) => ServiceClient<S>;

export interface AskOptions {
  /** The request changes something. Without a key an answer that was lost is not asked for again. */
  readonly changes?: boolean;
  readonly keyed?: boolean;
}

export class Session {
  private readonly addresses: string[];
  private readonly wires = new Map<string, Wire>();
  private at = 0;
  /** A controller has answered: one that is away now may come back. */
  private hasAnswered = false;

  constructor(
    readonly chosen: Chosen,
    /** Milliseconds for each question; undefined: the usual. */
    private readonly timeoutMs?: number,
    private readonly signal?: AbortSignal,
  ) {
    this.addresses = [...chosen.context.controllers];
  }

  /** One question. @throws CliError */
  async ask<T>(
    question: (client: Client, options: CallOptions) => Promise<T>,
    { changes = false, keyed = false }: AskOptions = {},
  ): Promise<T> {
    const untilMs = Date.now() + (this.timeoutMs ?? PATIENCE_MS);
    let isLostOnce = false;
    for (let tries = 1; ; tries++) {
      try {
        const deadlineMs = this.timeoutMs ?? CALL_MS;
        const answer = await question(this.client, { deadlineMs, ...(this.signal ? { signal: this.signal } : {}) });
        this.hasAnswered = true;
        return answer;
      } catch (error) {
        isLostOnce ||= isLost(error);
        const mayRepeat = !changes || keyed || !isLostOnce;
        if (mayRepeat && (await this.next(error, tries, untilMs))) continue;
        if (changes && isLostOnce && error instanceof WireError && !error.remote)
          throw new CliError(exitCodes.unknown, `${error.message}${keyed ? '' : ': look before you ask again'}`);
        throw failureOf(error, changes);
      }
    }
  }

  /**
   * A stream that goes on over a change of leader: begun anew when its controller is away. What is sent at the
   * beginning comes again then. @param isOver asked when the stream ends by itself @throws CliError
   */
  async *follow<T>(
    begin: (client: Client, options: CallOptions) => AsyncIterable<T>,
    isOver: () => boolean = () => true,
    signal?: AbortSignal,
  ): AsyncGenerator<T, void, void> {
    let untilMs = Date.now() + PATIENCE_MS;
    for (let tries = 1; ; tries++) {
      try {
        const options = (signal ?? this.signal) ? { signal: signal ?? this.signal } : {};
        for await (const message of begin(this.client, options)) {
          this.hasAnswered = true;
          tries = 0;
          untilMs = Date.now() + PATIENCE_MS;
          yield message;
        }
        if (isOver()) return;
        if (Date.now() > untilMs)
          throw new CliError(exitCodes.unknown, 'the controller has nothing more to say about it: look again later');
        await sleep(RETRY_MS, undefined, { signal: this.signal });
      } catch (error) {
        // A watch that fell behind begins anew.
        const behind = error instanceof WireError && error.code === 'aborted' && wordOf(error) !== 'cancelled';
        if (!(behind && Date.now() < untilMs) && !(await this.next(error, tries, untilMs))) throw failureOf(error);
        if (behind) await sleep(RETRY_MS, undefined, { signal: this.signal });
      }
    }
  }

  /** For streams both ways, which cannot be begun anew here. */
  readonly client: Client = (service) => this.wire().client(service);

  close(): void {
    for (const wire of this.wires.values()) wire.close();
    this.wires.clear();
  }

  private wire(): Wire {
    const address = this.addresses[this.at];
    let wire = this.wires.get(address);
    if (!wire) {
      wire = connect({ address, security: securityOf(this.chosen, address), bearer: this.chosen.context.token });
      this.wires.set(address, wire);
    }
    return wire;
  }

  /** Turns to the next controller. False: there is no use in asking again. */
  private async next(error: unknown, tries: number, untilMs: number): Promise<boolean> {
    if (!(error instanceof WireError) || this.signal?.aborted) return false;
    const word = wordOf(error);
    const isAway = error.code === 'unavailable' && !error.remote;
    if (!isAway && word !== 'not-leader' && word !== 'starting') return false;
    if (isAway && !this.hasAnswered && !isLost(error) && tries >= this.addresses.length) return false;
    if (Date.now() >= untilMs) return false;
    const [, named] = (word === 'not-leader' && /: ask (\S+)$/.exec(error.message)) || [];
    if (named !== undefined && !this.addresses.includes(named)) this.addresses.push(named);
    this.at = named === undefined ? (this.at + 1) % this.addresses.length : this.addresses.indexOf(named);
    if (tries >= this.addresses.length) await sleep(RETRY_MS, undefined, this.signal ? { signal: this.signal } : {}).catch(() => {});
    return true;
  }
}

/** @throws WireError 'precondition': certificates that cannot be used; CliError */
function securityOf({ name, context, file }: Chosen, address: string): ClientSecurity {
  const { certificates, ca } = context;
  if (address.startsWith('unix:')) return PLAIN;
  if (certificates !== undefined) return clientTls(Certificates.fromFolder(certificates), { kind: 'controller' });
  if (ca === undefined)
    throw new CliError(
      exitCodes.precondition,
      `the context ${name} in ${file} has neither certificates nor ca: godwit context add ${name} --controller ${address} --certificates FOLDER`,
    );
  try {
    return { kind: 'tls-anonymous', caPem: readFileSync(ca, 'utf8'), expect: { kind: 'controller' } };
  } catch (error) {
    throw new CliError(exitCodes.precondition, `the CA of the context ${name} cannot be read: ${(error as Error).message}`);
  }
}
