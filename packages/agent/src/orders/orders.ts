/** Takes orders in, has each done once and in time, and answers. */
import { WireError, type WireErrorCode } from '@godwit/wire';
import type { Logger } from 'pino';
import { lineOf, OrderError } from '../errors';
import { DEFAULT_ORDER_MS, MAX_ORDER_MS, MAX_WAITING_ORDERS } from '../limits';
import type { Order, OrderAnswer, OrderKind, OrderResult, VmPlace } from '../messages';
import type { HostState } from '../state/host-state';
import type { OrderJournal } from './journal';
import { Turns } from './turns';

export interface OrderContext {
  /** Aborted with an OrderError: the time is over, or a later order called this one off. */
  readonly signal: AbortSignal;
  /** 0 to 1. */
  progress(done: number): void;
}

export type Handlers = { readonly [K in OrderKind]: (order: Order<K>, context: OrderContext) => Promise<OrderAnswer> };

export interface OrdersParts {
  readonly state: HostState;
  readonly journal: OrderJournal;
  readonly handlers: Handlers;
  readonly log: Logger;
  /** For messages: the host's name. */
  readonly hostName: string;
  /** Called after everything that the order changed has been reported. */
  readonly send: (result: OrderResult, vmId: string) => void;
  /** It has ended, and is told for the first time. */
  readonly ended?: (result: OrderResult) => void;
}

export class Orders {
  private readonly turns = new Turns();

  constructor(private readonly parts: OrdersParts) {}

  take(order: Order): void {
    const { state, journal, send, log } = this.parts;
    const { orderId, kind, vmId, body } = order;
    const refuse = (code: OrderError['code'], line: string): void => {
      const result: OrderResult = { orderId, state: 'ORDER_STATE_REFUSED', code, line, progress: 0 };
      this.parts.ended?.(result);
      send(result, vmId);
    };
    if (!state.obey(order.term))
      return refuse('old-term', `a newer controller has spoken (term ${state.highestTerm}, this order is of ${order.term})`);
    const known = journal.known(orderId);
    if (known) return send(known, vmId);
    if (this.parts.handlers[kind] === undefined)
      return refuse('unsupported', 'this agent does not know that order: is it of an older version?');
    if (this.turns.waiting >= MAX_WAITING_ORDERS)
      return refuse('busy', `${this.parts.hostName} has ${MAX_WAITING_ORDERS} orders waiting: try again later`);
    journal.take({ orderId, kind, vmId, place: (body as { place?: VmPlace }).place ?? undefined, takenAtMs: Date.now() });
    log.debug({ orderId, order: kind, vmId, operationId: order.operationId }, 'an order was taken');
    const until = Date.now() + Math.min(order.timeMs > 0 ? order.timeMs : DEFAULT_ORDER_MS, MAX_ORDER_MS);
    this.turns.add(order, (cancelled) => this.perform(order, until, cancelled));
  }

  private async perform(order: Order, until: number, cancelled: AbortSignal): Promise<void> {
    const { journal, log, send } = this.parts;
    const { orderId, kind } = order;
    const time = new AbortController();
    const timer = setTimeout(
      () => time.abort(new OrderError('time', `it was not done in its time on ${this.parts.hostName}`)),
      Math.max(0, until - Date.now()),
    );
    let result: OrderResult;
    try {
      const signal = AbortSignal.any([time.signal, cancelled]);
      signal.throwIfAborted();
      const progress = (done: number): void =>
        send({ orderId, state: 'ORDER_STATE_WORKING', code: '', line: '', progress: done }, order.vmId);
      const handler = this.parts.handlers[kind] as (order: Order, context: OrderContext) => Promise<OrderAnswer>;
      const answer = await handler(order, { signal, progress });
      // OrderResult.answer is a oneof: a result that cannot be sent would be in the way of all others.
      if (Object.keys(answer).length > 1) throw new Error(`order ${kind} has more than one answer`);
      result = { orderId, state: 'ORDER_STATE_DONE', code: '', line: '', progress: 1, ...answer };
    } catch (error) {
      const { code, message, refused } = orderError(error);
      if (code === 'internal')
        log.error(
          { orderId, order: kind, vmId: order.vmId, operationId: order.operationId, error: (error as Error)?.stack ?? message },
          'an order failed by a defect',
        );
      else
        log.info({ orderId, order: kind, vmId: order.vmId, operationId: order.operationId, code, line: message }, 'an order was not done');
      result = {
        orderId,
        state: refused ? 'ORDER_STATE_REFUSED' : 'ORDER_STATE_FAILED',
        code,
        line: code === 'internal' ? `${message}: see the agent's log on ${this.parts.hostName}` : message,
        progress: 0,
      };
    } finally {
      clearTimeout(timer);
    }
    journal.finish(result, Date.now());
    this.parts.ended?.(result);
    send(result, order.vmId);
  }
}

/** What a VMM refuses, in the words of orders; any other failure is the host's. */
const REFUSED: Readonly<Partial<Record<WireErrorCode, OrderError['code']>>> = {
  invalid: 'wrong-state',
  precondition: 'wrong-state',
  'not-found': 'not-here',
};

function orderError(error: unknown): OrderError {
  if (error instanceof OrderError) return error;
  if (error instanceof WireError) return new OrderError(REFUSED[error.code] ?? 'host', error.message);
  return new OrderError('internal', lineOf(error));
}
