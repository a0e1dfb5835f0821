/** Fields of requests that many methods share. */
import type { Asked } from '../core/vm-requests';
import { number, text } from '../rpc/fields';
import type { Message } from '../rpc/rpc';

export const asked = (request: Message, actor: string): Asked => ({
  actor,
  key: text(request, 'idempotencyKey').slice(0, 128),
  timeMs: number(request, 'timeMs'),
});
