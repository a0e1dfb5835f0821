/** What the core says to agents, as messages (agent.proto). */
import type { Saying } from '../core/context';
import type { Order, OrderBody } from '../core/orders';
import { enumName } from '../rpc/fields';
import type { Message } from '../rpc/rpc';
import { writeSpec } from '../rpc/spec-codec';

/** Undefined: the session ends. */
export function writeSaying(saying: Saying, term: number): Message | undefined {
  if (saying.say === 'end') return undefined;
  if (saying.say === 'order') return { order: writeOrder(saying.order, term) };
  if (saying.say === 'acknowledge') return { acknowledge: { orderIds: saying.orderIds, migrationIds: saying.migrationIds } };
  return { ask: { host: saying.host, vmms: saying.vmms, datastoreIds: saying.datastoreIds } };
}

export function writeOrder({ orderId, operationId, vmId, timeMs, body }: Order, term: number): Message {
  const { kind, ...rest } = body;
  return { orderId, term, operationId, vmId, timeMs, [kind]: writeBody(body, rest) };
}

function writeBody(body: OrderBody, rest: object): Message {
  if (body.kind === 'stop') return { how: body.how === 'kill' ? 'KILL' : 'BUTTON' };
  if (body.kind === 'openConsole') return { consoleId: body.consoleId, console: enumName('CONSOLE_KIND_', body.console) };
  return 'spec' in body ? { ...rest, spec: writeSpec(body.spec) } : { ...rest };
}
