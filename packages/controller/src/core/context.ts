/**
 * What the core's functions work with: the state, the moment, and what is to be done about it.
 *
 * A step's output is done in this order, and only if the one before succeeded: what is saved is
 * durable before an order leaves, so that a later leader knows of every order that may be under way.
 */
import type { EventDraft } from './event-kinds';
import { MAX_LINE } from './limits';
import type { Order, OrderBody } from './orders';
import type { Planner } from './planner';
import type { Stored, StoredKind } from './records';
import { ClusterState, type Host, type PendingOrder } from './state';
import { Timers } from './timers';

export interface Save {
  readonly kind: StoredKind;
  readonly id: string;
  /** Null: erase it. */
  readonly json: string | null;
}

export type Saying =
  | { readonly say: 'order'; readonly order: Order }
  | { readonly say: 'acknowledge'; readonly orderIds: readonly string[]; readonly migrationIds: readonly string[] }
  | { readonly say: 'ask'; readonly host: boolean; readonly vmms: boolean; readonly datastoreIds: readonly string[] }
  | { readonly say: 'end'; readonly line: string };

export interface Message {
  readonly hostId: string;
  readonly sessionId: string;
  readonly saying: Saying;
}

export type Watched = 'vm' | 'host' | 'operation' | 'migration';

export interface Output {
  readonly saves: readonly Save[];
  readonly messages: readonly Message[];
  readonly events: readonly EventDraft[];
  /** What looks different now, for those who watch. */
  readonly changed: readonly (readonly [Watched, string])[];
  /** A host knows a newer leader: this one must no longer act. */
  readonly stepDown: boolean;
}

export interface Ports {
  /** A UUID. */
  newId(): string;
  readonly planner: Planner;
}

/** What one part of the core tells the others; they hear it before the step ends. */
export type Signal =
  /** A VMM was reported, or has ended. */
  | { readonly signal: 'vmSeen'; readonly vmId: string }
  /** Nothing is under way for the VM any more, or something about where it may run has changed. */
  | { readonly signal: 'vmFree'; readonly vmId: string }
  | { readonly signal: 'childEnded'; readonly parentId: string; readonly childId: string }
  /** A migration has ended, or a host has come: one that waits may begin. */
  | { readonly signal: 'queue' };

export class Context {
  readonly state = new ClusterState();
  readonly timers = new Timers();
  readonly signals: Signal[] = [];
  now = 0;
  private saves = new Map<string, { kind: StoredKind; id: string; read: (() => unknown) | null }>();
  private messages: Message[] = [];
  private events: EventDraft[] = [];
  private changed = new Map<string, readonly [Watched, string]>();
  private stepsDown = false;

  constructor(readonly ports: Ports) {}

  save<K extends StoredKind>(kind: K, id: string, read: () => Stored[K]): void {
    this.saves.set(`${kind}/${id}`, { kind, id, read });
    this.note(kind, id);
  }

  erase(kind: StoredKind, id: string): void {
    this.saves.set(`${kind}/${id}`, { kind, id, read: null });
    this.note(kind, id);
  }

  private note(kind: StoredKind, id: string): void {
    if (kind === 'vm' || kind === 'host' || kind === 'operation' || kind === 'migration') this.touch(kind, id);
    else if (kind !== 'tombstone') this.ports.planner.touched?.('cluster', id);
  }

  touch(what: Watched, id: string): void {
    this.changed.set(`${what}/${id}`, [what, id]);
    if (what === 'vm' || what === 'host') this.ports.planner.touched?.(what, id);
    if (what === 'migration') this.ports.planner.touched?.('vm', this.state.migrations.get(id)?.vmId ?? '');
  }

  tell(event: EventDraft): void {
    this.events.push({ ...event, line: event.line.slice(0, MAX_LINE) });
  }

  say(host: Host, saying: Saying): void {
    if (host.sessionId) this.messages.push({ hostId: host.record.id, sessionId: host.sessionId, saying });
  }

  /** Ends a session that is not the host's: its agent dials anew. */
  dismiss(host: Host, sessionId: string): void {
    this.messages.push({
      hostId: host.record.id,
      sessionId,
      saying: { say: 'end', line: 'another session of this host is the one that counts: dial again' },
    });
  }

  /** Keeps the order until it is answered; sends it now, or when the host is connected. */
  order(
    hostId: string,
    owner: PendingOrder['owner'],
    ownerId: string,
    order: { id?: string; vmId: string; timeMs: number; body: OrderBody },
  ): string {
    const orderId = order.id || this.ports.newId();
    const pending: PendingOrder = {
      order: { orderId, operationId: ownerId, vmId: order.vmId, timeMs: order.timeMs, body: order.body },
      hostId,
      owner,
      ownerId,
      sent: false,
    };
    this.state.orders.set(orderId, pending);
    const host = this.state.hosts.get(hostId);
    host?.orderIds.add(orderId);
    if (host) this.send(host, pending);
    return orderId;
  }

  send(host: Host, pending: PendingOrder): void {
    if (!host.sessionId) return;
    pending.sent = true;
    this.say(host, { say: 'order', order: pending.order });
  }

  forgetOrder(orderId: string): void {
    const pending = this.state.orders.get(orderId);
    if (!pending) return;
    this.state.orders.delete(orderId);
    this.state.hosts.get(pending.hostId)?.orderIds.delete(orderId);
  }

  stepDown(): void {
    this.stepsDown = true;
  }

  /** The step's output; the next one begins empty. */
  take(): Output {
    const output: Output = {
      saves: [...this.saves.values()].map(({ kind, id, read }) => ({ kind, id, json: read ? JSON.stringify(read()) : null })),
      messages: this.messages,
      events: this.events,
      changed: [...this.changed.values()],
      stepDown: this.stepsDown,
    };
    this.saves = new Map();
    this.messages = [];
    this.events = [];
    this.changed = new Map();
    this.stepsDown = false;
    return output;
  }
}
