/**
 * One session with a controller (agent.proto): Hello, then reports as things change, orders as they come.
 *
 *   Hello ─► Welcome ─► reports ⇄ orders … ─► the connection ends, or NotLeader
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { WireError } from '@godwit/wire';
import type { AskReport, Order, OrderBodies, OrderKind, Welcome } from '../messages';
import { FLUSH_MS, WELCOME_MS } from '../limits';
import type { Peer } from '../rpc';
import type { Outbox } from './outbox';

export interface SessionPorts {
  readonly outbox: Outbox;
  hello(): object;
  /** False: an older controller than one that has been obeyed. */
  welcomed(welcome: Welcome): boolean;
  order(order: Order): void;
  acknowledged(orderIds: readonly string[], migrationIds: readonly string[]): void;
  asked(ask: AskReport): void;
}

interface ControllerMessage {
  readonly welcome?: Welcome;
  readonly notLeader?: { readonly controllers: readonly string[] };
  readonly order?: Omit<Order, 'kind' | 'body'> & { readonly [K in OrderKind]?: OrderBodies[K] };
  readonly acknowledge?: { readonly orderIds: readonly string[]; readonly migrationIds: readonly string[] };
  readonly ask?: AskReport;
}

export type SessionEnd = { readonly is: 'not-leader'; readonly controllers: readonly string[] } | { readonly is: 'ended' };

/** Until it ends. @throws WireError when it breaks, or the controller does not answer */
export async function runSession(peer: Peer, ports: SessionPorts, signal: AbortSignal): Promise<SessionEnd> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  let term: number | undefined;
  const welcomed = new AbortController();
  const timer = setTimeout(() => over.abort(new WireError('deadline', 'the controller has not answered in time')), WELCOME_MS);
  try {
    for await (const message of peer.exchange<ControllerMessage>(
      'Session',
      say(ports, () => term, welcomed.signal, both),
      both,
    )) {
      if (message.notLeader) return { is: 'not-leader', controllers: message.notLeader.controllers };
      if (message.welcome) {
        clearTimeout(timer);
        if (!ports.welcomed(message.welcome)) return { is: 'not-leader', controllers: message.welcome.controllers };
        ({ term } = message.welcome);
        welcomed.abort();
      } else if (term !== undefined) hear(message, ports);
    }
    return { is: 'ended' };
  } catch (error) {
    if (signal.aborted) return { is: 'ended' };
    throw error;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

function hear({ order, acknowledge, ask }: ControllerMessage, ports: SessionPorts): void {
  if (order) ports.order(orderOf(order));
  if (acknowledge) ports.acknowledged(acknowledge.orderIds, acknowledge.migrationIds);
  if (ask) ports.asked(ask);
}

const HEADER: ReadonlySet<string> = new Set(['orderId', 'term', 'operationId', 'vmId', 'timeMs', 'kind']);

/** Its one body; none that we know: an order of a newer controller, refused by its name. */
function orderOf(message: NonNullable<ControllerMessage['order']>): Order {
  const { orderId, term, operationId, vmId, timeMs } = message;
  const [kind, body] = Object.entries(message).find(([name]) => !HEADER.has(name)) ?? ['', {}];
  return { orderId, term, operationId, vmId, timeMs, kind: kind as OrderKind, body: body as Order['body'] };
}

async function* say(
  { hello, outbox }: SessionPorts,
  term: () => number | undefined,
  welcomed: AbortSignal,
  signal: AbortSignal,
): AsyncGenerator<object> {
  outbox.clear();
  yield { term: 0, hello: hello() };
  await new Promise<void>((resolve) => {
    for (const one of [welcomed, signal]) {
      if (one.aborted) resolve();
      one.addEventListener('abort', () => resolve(), { once: true });
    }
  });
  while (!signal.aborted) {
    await outbox.some(signal);
    if (signal.aborted) return;
    for (const message of outbox.take()) yield { term: term(), ...message };
    await sleep(FLUSH_MS, undefined, { signal }).catch(() => undefined);
  }
}
