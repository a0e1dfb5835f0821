/**
 * The event timeline, kept in the store's event log. Writing it never holds up what happened: an
 * event that the log does not take is written to the log file, and the count of those is a metric.
 */
import type { EventLog, StoredEvent } from '@godwit/store';
import type { Logger } from 'pino';
import { EVENT_KINDS, type EventDraft, type Severity } from '../core/event-kinds';
import type { ClusterState } from '../core/state';
import { DEFAULT_LIST, MAX_EVENTS } from '../limits';
import { enumName, number, text, texts, word } from '../rpc/fields';
import type { Message } from '../rpc/rpc';

const RANK: Readonly<Record<Severity, number>> = { info: 1, warning: 2, error: 3 };
/** Read at a time while looking for what matches, and in all. */
const PAGE = 500;
const MAX_READ = 20_000;

type Wanted = (event: Message) => boolean;

export class Timeline {
  lost = 0;
  private tail: Promise<void> = Promise.resolve();

  constructor(
    private readonly events: EventLog,
    private readonly log: Logger,
    private readonly newId: () => string,
  ) {}

  /** In order, one after the other. */
  write(drafts: readonly EventDraft[], state: ClusterState, term: number): void {
    for (const draft of drafts) {
      const data = this.complete(draft, state, term);
      this.log[EVENT_KINDS[draft.kind].severity === 'error' ? 'error' : EVENT_KINDS[draft.kind].severity === 'warning' ? 'warn' : 'info'](
        logFields(data),
        draft.line,
      );
      const id = draft.vmId || draft.hostId || 'cluster';
      this.tail = this.tail
        .then(() => this.events.publish({ kind: draft.kind.split('.')[0], id, data }))
        .then(() => undefined)
        .catch((error: Error) => {
          this.lost++;
          this.log.warn({ error: error.message }, 'an event was not kept');
        });
    }
  }

  private complete(draft: EventDraft, state: ClusterState, term: number): Message {
    const { vmId = '', hostId = '', migrationId = '', operationId = '', actor = 'controller', attributes = {} } = draft;
    // Every event has a cause: what nobody asked for follows from a rule.
    const cause = draft.cause || (actor === 'controller' || actor === 'agent' ? 'policy' : 'operator');
    return {
      eventId: this.newId(),
      kind: draft.kind,
      severity: enumName('SEVERITY_', EVENT_KINDS[draft.kind].severity),
      line: draft.line,
      vmId,
      vmName: state.vms.get(vmId)?.record.spec.name ?? '',
      hostId,
      hostName: state.hosts.get(hostId)?.record.name ?? '',
      migrationId,
      operationId,
      actor,
      cause,
      causeEventId: '',
      term,
      attributes,
    };
  }

  /** The newest last. */
  async list(request: Message): Promise<Message[]> {
    const most = Math.min(number(request, 'limit') || DEFAULT_LIST, MAX_EVENTS);
    const after = Number(text(request, 'after')) || 0;
    const wanted = filterOf(request);
    const found: Message[] = [];
    let before: number | undefined;
    for (let read = 0; read < MAX_READ && found.length < most; read += PAGE) {
      const page = await this.events.read({ limit: PAGE, ...(before === undefined ? {} : { before }) });
      for (const stored of page) {
        if (stored.sequence <= after) return found.reverse();
        const event = viewOf(stored);
        if (wanted(event) && found.length < most) found.push(event);
      }
      if (page.length < PAGE) break;
      before = page.at(-1)!.sequence;
    }
    return found.reverse();
  }

  async *watch(request: Message, signal: AbortSignal): AsyncIterable<Message> {
    const after = text(request, 'after');
    const wanted = filterOf(request);
    const subscription = this.events.subscribe({}, after ? { after: Number(after) } : {});
    const stop = (): void => subscription.close();
    signal.addEventListener('abort', stop);
    try {
      for await (const said of subscription) {
        if (said.type !== 'event') continue;
        const event = viewOf(said.event);
        if (wanted(event)) yield event;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      subscription.close();
    }
  }

  /** What was written so far is kept, or counted as lost. */
  flush(): Promise<void> {
    return this.tail;
  }
}

/** The same names in the logs of agents and VMMs: `vm` and `host` are names, everything that ends with Id an id. */
function logFields(event: Message): object {
  const { kind, vmName: vm, hostName: host, vmId, hostId, migrationId, operationId, actor, cause, eventId } = event;
  const all = { event: kind, vm, vmId, host, hostId, migrationId, operationId, actor, cause, eventId };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
}

const viewOf = ({ sequence, timeMs, data }: StoredEvent): Message => ({ ...(data as Message), cursor: String(sequence), atMs: timeMs });

function filterOf(request: Message): Wanted {
  const kinds = texts(request, 'kinds');
  const least = RANK[(word(request, 'atLeast', 'SEVERITY_') || 'info') as Severity];
  const either =
    (id: string, name: string, value: string) =>
    (event: Message): boolean =>
      !value || event[id] === value || event[name] === value;
  const rows: Wanted[] = [
    either('vmId', 'vmName', text(request, 'vm')),
    either('hostId', 'hostName', text(request, 'host')),
    either('migrationId', 'migrationId', text(request, 'migrationId')),
    either('operationId', 'operationId', text(request, 'operationId')),
    (event) =>
      kinds.length === 0 || kinds.some((kind) => (kind.endsWith('.') ? text(event, 'kind').startsWith(kind) : event.kind === kind)),
    (event) => RANK[(word(event, 'severity', 'SEVERITY_') || 'info') as Severity] >= least,
  ];
  return (event) => rows.every((row) => row(event));
}
