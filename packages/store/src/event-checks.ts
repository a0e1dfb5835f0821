import { StoreError } from './errors';
import type { EventFilter, EventInput } from './events';
import { MAX_EVENT_BYTES } from './limits';

/** One token of a NATS subject. */
const TOKEN = /^[A-Za-z0-9=_-]{1,128}$/;

/** The event's data as JSON. @throws RangeError for a wrong kind or id; StoreError 'too-large' */
export function checkEvent({ kind, id, data }: EventInput): string {
  checkFilter({ kind, id });
  const json = JSON.stringify(data ?? null);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_EVENT_BYTES) {
    throw new StoreError('too-large', `an event has at most ${MAX_EVENT_BYTES} bytes, this one (${kind} ${id}) ${bytes}; publish less`);
  }
  return json;
}

/** @throws RangeError */
export function checkFilter(filter: EventFilter): void {
  for (const name of ['kind', 'id'] as const) {
    const value = filter[name];
    if (value !== undefined && !TOKEN.test(value)) {
      throw new RangeError(`an event's ${name} has 1 to 128 letters, digits, '-', '_' or '=', not ${JSON.stringify(value.slice(0, 80))}`);
    }
  }
}
