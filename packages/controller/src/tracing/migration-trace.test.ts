/** Proves that a migration is one trace under its own id, with phases within it, whatever the source's clock says; and that without an SDK nothing is made. */
import { ROOT_CONTEXT, type Context, type Span, type SpanOptions, trace, type Tracer } from '@opentelemetry/api';
import type { MigrationRecord } from '../core/records';
import { traceMigration } from './migration-trace';

interface Written {
  name: string;
  traceId: string;
  parent: string | undefined;
  from: number;
  to: number;
  attributes: object;
  error?: string;
}

class Recorder {
  readonly spans: Written[] = [];
  readonly tracer = {
    startSpan: (name: string, options: SpanOptions, context: Context) => this.start(name, options, context),
  } as unknown as Tracer;
  recording = true;

  private start(name: string, { startTime, attributes = {} }: SpanOptions, context: Context): Span {
    const above = trace.getSpanContext(context);
    const parent = this.spans[Number(above?.spanId ?? NaN) - 1]?.name;
    const written: Written = { name, traceId: above?.traceId ?? '', parent, from: startTime as number, to: NaN, attributes };
    this.spans.push(written);
    const spanContext = { traceId: written.traceId, spanId: String(this.spans.length), traceFlags: 1 };
    return {
      spanContext: () => spanContext,
      isRecording: () => this.recording,
      setStatus: ({ message }: { message: string }) => {
        written.error = message;
      },
      end: (to: number) => {
        written.to = to;
      },
    } as unknown as Span;
  }
}

const ID = '7a52c6f0-2a35-4d0a-9c8a-6e2f5f1f0001';
const RECORD = {
  startedAtMs: 10_200,
  totalMs: 1_000,
  setupMs: 50,
  precopyMs: 700,
  pauseMs: 40,
  pause: { stopMs: 2, pagesMs: 10, stateMs: 8, leaseMs: 15, startMs: 5 },
  rounds: [
    { round: 0, durationMs: 600, pages: 100, wireBytes: 4_000, leftPages: 5, decision: 'another' },
    { round: 1, durationMs: 100, pages: 5, wireBytes: 90, leftPages: 1, decision: 'stop' },
  ],
};
const migration = (more: object = {}): MigrationRecord =>
  ({
    id: ID,
    vmId: 'v',
    vmName: 'web1',
    sourceHostId: 'a',
    targetHostId: 'b',
    outcome: 'completed',
    vmIs: 'target',
    line: 'it moved',
    cause: 'drain',
    actor: 'anna',
    parentId: 'op',
    createdAtMs: 10_000,
    endedAtMs: 11_500,
    record: RECORD,
    ...more,
  }) as unknown as MigrationRecord;
const written = (more?: object): Written[] => {
  const recorder = new Recorder();
  traceMigration(migration(more), (hostId) => `host-${hostId}`, recorder.tracer);
  return recorder.spans;
};

test('phases, rounds and parts of the pause, each in its place', () => {
  const spans = written();
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([ID.replaceAll('-', '')]));
  expect(spans.map(({ name, parent, from, to }) => [name, parent, from, to])).toEqual([
    ['migration', undefined, 10_000, 11_500],
    ['prepare', 'migration', 10_000, 10_200],
    ['setup', 'migration', 10_200, 10_250],
    ['precopy', 'migration', 10_250, 10_950],
    ['round 0', 'precopy', 10_250, 10_850],
    ['round 1', 'precopy', 10_850, 10_950],
    ['pause', 'migration', 10_950, 10_990],
    ['stop', 'pause', 10_950, 10_952],
    ['pages', 'pause', 10_952, 10_962],
    ['state', 'pause', 10_962, 10_970],
    ['lease', 'pause', 10_970, 10_985],
    ['start', 'pause', 10_985, 10_990],
    ['settle', 'migration', 10_990, 11_500],
  ]);
  expect(spans[0].attributes).toMatchObject({
    'godwit.migration.id': ID,
    'godwit.host.target': 'host-b',
    'godwit.operation.id': 'op',
    'godwit.actor': 'anna',
  });
  expect(spans[0].error).toBeUndefined();
  expect(spans[4].attributes).toMatchObject({ 'godwit.migration.wire_bytes': 4_000 });
});

test.each([-3_600_000, -500, 700, 3_600_000])(
  'the clock of the source is off by %d ms: all of it is within what the controller saw',
  (off) => {
    for (const { from, to } of written({ record: { ...RECORD, startedAtMs: RECORD.startedAtMs + off } })) {
      expect(from).toBeGreaterThanOrEqual(10_000);
      expect(to).toBeGreaterThanOrEqual(from);
      expect(to).toBeLessThanOrEqual(11_500);
    }
  },
);

test('one that never began, and one that failed', () => {
  expect(written({ record: undefined, outcome: 'failed', line: 'no host' }).map(({ name, error }) => [name, error])).toEqual([
    ['migration', 'no host'],
    ['prepare', undefined],
  ]);
  expect(written({ outcome: 'cancelled' })[0].error).toBeUndefined();
  expect(written({ id: 'of-another-kind' })[0].traceId).toBe('');
});

test('without an SDK nothing is made', () => {
  const recorder = new Recorder();
  recorder.recording = false;
  traceMigration(migration(), String, recorder.tracer);
  expect(recorder.spans).toHaveLength(1);
  expect(() => traceMigration(migration(), String)).not.toThrow();
  expect(trace.getSpan(ROOT_CONTEXT)).toBeUndefined();
});
