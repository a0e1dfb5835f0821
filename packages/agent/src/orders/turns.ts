/**
 * Orders for one VM are done in the order they came, those for different VMs at the same time. Pulling the plug
 * does not wait for a guest to answer its power button: it calls that off.
 */
import { OrderError } from '../errors';
import type { Order } from '../messages';

interface Turn {
  readonly order: Order;
  readonly cancel: AbortController;
  done: Promise<void>;
}

export class Turns {
  private readonly queues = new Map<string, Turn[]>();
  private count = 0;

  get waiting(): number {
    return this.count;
  }

  /** `act` is called when it is its turn; never rejects. */
  add(order: Order, act: (cancelled: AbortSignal) => Promise<void>): void {
    const key = order.vmId || order.orderId;
    const queue = this.queues.get(key) ?? [];
    for (const turn of queue) {
      const why = callsOff(order, turn.order);
      if (why !== undefined) turn.cancel.abort(new OrderError('cancelled', why));
    }
    const before = [...queue].filter((turn) => !overtakes(order, turn.order)).map(({ done }) => done);
    const cancel = new AbortController();
    const turn: Turn = { order, cancel, done: Promise.resolve() };
    this.count++;
    turn.done = Promise.all(before)
      .then(() => act(cancel.signal))
      .finally(() => {
        this.count--;
        queue.splice(queue.indexOf(turn), 1);
        if (queue.length === 0) this.queues.delete(key);
      });
    queue.push(turn);
    this.queues.set(key, queue);
  }
}

const migrationOf = ({ body }: Order): string => (body as { migrationId?: string }).migrationId ?? '';

/** Why the later order makes the earlier one pointless; undefined: it does not. */
function callsOff(later: Order, earlier: Order): string | undefined {
  if (later.kind === 'stop' && (later.body as Order<'stop'>['body']).how === 'KILL' && earlier.kind === 'stop')
    return 'it was ordered to pull the plug instead';
  if (later.kind === 'dropIncoming' && earlier.kind === 'prepareIncoming' && migrationOf(later) === migrationOf(earlier))
    return 'the migration was called off';
  return undefined;
}

/** A migration is steered while it is being begun. */
function overtakes(later: Order, earlier: Order): boolean {
  return (
    (later.kind === 'cancelMigration' || later.kind === 'changeMigration') &&
    earlier.kind === 'migrateOut' &&
    migrationOf(later) === migrationOf(earlier)
  );
}
