/**
 * A migration as one trace, through the OpenTelemetry API alone: without an SDK in the process (`node --require …`) nothing
 * is made and nothing costs. It is written when the migration has ended, from its record, so that no span can be left open.
 *
 *     migration ─┬─ prepare      a host is chosen, its process waits; until the source begins
 *                ├─ setup        the two compare what they are
 *                ├─ precopy ─┬─ round 0
 *                │           └─ round 1 …
 *                ├─ pause ───┬─ stop, pages, state, lease, start
 *                └─ settle       until nothing is left over
 *
 * The trace's id is the migration's, without its hyphens: what a log line or event names is found by it. Times within are
 * the source's, laid into what the controller saw: clocks of two hosts may differ.
 */
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace, TraceFlags, type Tracer } from '@opentelemetry/api';
import type { EventDraft } from '../core/event-kinds';
import type { MigrationRecord } from '../core/records';
import type { ClusterState } from '../core/state';

/** Of the source's record, where it came so far. Milliseconds. */
interface Timed {
  readonly startedAtMs?: number;
  readonly totalMs?: number;
  readonly setupMs?: number;
  readonly precopyMs?: number;
  readonly pauseMs?: number;
  readonly pause?: { readonly [part: string]: number | undefined } | null;
  readonly rounds?: readonly {
    readonly round?: number;
    readonly durationMs?: number;
    readonly pages?: number;
    readonly wireBytes?: number;
    readonly leftPages?: number;
    readonly decision?: string;
  }[];
}

const PAUSE_PARTS = ['stop', 'pages', 'state', 'lease', 'start'] as const;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Traces those migrations that events say have ended. */
export function traceEnded(events: readonly EventDraft[], state: ClusterState): void {
  for (const { kind, migrationId = '' } of events) {
    const migration = kind.startsWith('migration.') ? state.migrations.get(migrationId) : undefined;
    if (migration?.stage === 'ended' && kind !== 'migration.started' && kind !== 'migration.queued')
      traceMigration(migration, (hostId) => state.hostName(hostId));
  }
}

/** @param names of hosts by their ids */
export function traceMigration(migration: MigrationRecord, names: (hostId: string) => string, tracer: Tracer = defaultTracer()): void {
  const { id, outcome, createdAtMs, endedAtMs } = migration;
  const end = Math.max(createdAtMs, endedAtMs);
  const root = tracer.startSpan(
    'migration',
    { startTime: createdAtMs, kind: SpanKind.INTERNAL, attributes: attributesOf(migration, names) },
    traceOf(id),
  );
  if (!root.isRecording()) return root.end();
  const writer = new Writer(tracer, trace.setSpan(ROOT_CONTEXT, root), createdAtMs, end);
  writePhases(writer, (migration.record ?? {}) as Timed, createdAtMs, end);
  if (outcome !== 'completed' && outcome !== 'cancelled') root.setStatus({ code: SpanStatusCode.ERROR, message: migration.line });
  root.end(end);
}

function writePhases(writer: Writer, record: Timed, from: number, end: number): void {
  const { startedAtMs, totalMs = 0, setupMs = 0, precopyMs = 0, pauseMs = 0, rounds = [], pause } = record;
  if (!startedAtMs) return void writer.span('prepare', from, end);
  // The source's clock is another one: its beginning is laid to where all of it fits.
  const begun = Math.min(Math.max(startedAtMs, from), Math.max(from, end - totalMs));
  writer.span('prepare', from, begun);
  writer.span('setup', begun, begun + setupMs);
  let at = begun + setupMs;
  const precopy = writer.span('precopy', at, at + precopyMs);
  for (const [index, { round = index, durationMs = 0, pages = 0, wireBytes = 0, leftPages = 0, decision = '' }] of rounds.entries()) {
    writer.span(`round ${round}`, at, at + durationMs, precopy, { pages, wire_bytes: wireBytes, left_pages: leftPages, decision });
    at += durationMs;
  }
  at = begun + setupMs + precopyMs;
  if (pauseMs > 0) {
    const stood = writer.span('pause', at, at + pauseMs);
    for (const part of PAUSE_PARTS) {
      const ms = pause?.[`${part}Ms`] ?? 0;
      if (ms > 0) writer.span(part, at, at + ms, stood);
      at += ms;
    }
  }
  writer.span('settle', begun + setupMs + precopyMs + pauseMs, end);
}

class Writer {
  constructor(
    private readonly tracer: Tracer,
    private readonly root: Context,
    private readonly least: number,
    private readonly most: number,
  ) {}

  /** Within the migration; one that would last for less than nothing lasts for nothing. The context of what is in it. */
  span(name: string, from: number, to: number, parent: Context = this.root, attributes: Record<string, string | number> = {}): Context {
    const within = (at: number): number => Math.min(Math.max(at, this.least), this.most);
    const named = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [`godwit.migration.${key}`, value]));
    const span: Span = this.tracer.startSpan(name, { startTime: within(from), attributes: named }, parent);
    span.end(Math.max(within(from), within(to)));
    return trace.setSpan(parent, span);
  }
}

/** The API lets nobody choose a trace's id, but a span may have a parent that is elsewhere: the migration itself. */
function traceOf(id: string): Context {
  if (!UUID.test(id)) return ROOT_CONTEXT;
  const digits = id.replaceAll('-', '');
  return trace.setSpanContext(ROOT_CONTEXT, { traceId: digits, spanId: digits.slice(16), traceFlags: TraceFlags.SAMPLED, isRemote: true });
}

const defaultTracer = (): Tracer => trace.getTracer('godwit-controller');

function attributesOf(
  { id, vmId, vmName, sourceHostId, targetHostId, outcome, cause, actor, parentId, vmIs }: MigrationRecord,
  names: (hostId: string) => string,
) {
  return {
    'godwit.migration.id': id,
    'godwit.migration.outcome': outcome,
    'godwit.migration.cause': cause,
    'godwit.migration.vm_is': vmIs,
    'godwit.vm.id': vmId,
    'godwit.vm.name': vmName,
    'godwit.host.source': names(sourceHostId),
    'godwit.host.target': names(targetHostId),
    'godwit.actor': actor,
    ...(parentId ? { 'godwit.operation.id': parentId } : {}),
  };
}
