/** What a row of the catalogue says about one metric. */

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Base units alone, as Prometheus wants them; 'none': things that are counted. */
export type Unit = 'seconds' | 'bytes' | 'bytes_per_second' | 'ratio' | 'timestamp_seconds' | 'info' | 'none';

export type Exporter = 'agent' | 'controller' | 'both';

/** A label's values where they are few and known; null: names of things (VMs, hosts, disks), which come and go. */
export type LabelTable = Readonly<Record<string, readonly string[] | null>>;

/**
 * A counter of the VMM (VmmStats.counters) that feeds a series: its name, the values of the metric's own labels, and
 * what is to be taken away so that no event counts under two labels. `disk#` and `nic#` stand for each device's number.
 */
export interface Source {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly less?: readonly string[];
  /** Factor to the metric's unit; left out: 1. */
  readonly scale?: number;
}

export interface Row<T extends MetricType = MetricType, L extends LabelTable = LabelTable, E extends Exporter = Exporter> {
  readonly type: T;
  readonly unit: Unit;
  readonly exporter: E;
  readonly labels: L;
  readonly help: string;
  /** Upper bounds, in the metric's unit. */
  readonly buckets?: readonly number[];
  /** What of a VMM's counters it is made of; left out: the exporting process sets it. */
  readonly sources?: readonly Source[];
}

interface Given<L extends LabelTable> {
  readonly unit?: Unit;
  readonly labels?: L;
  readonly help: string;
  readonly buckets?: readonly number[];
  readonly sources?: readonly Source[];
}

type Build = <T extends MetricType, E extends Exporter>(
  type: T,
  exporter: E,
) => <const L extends LabelTable = Record<never, never>>(given: Given<L>) => Row<T, L, E>;

const build: Build = (type, exporter) => (given) => ({ unit: 'none', labels: {} as never, ...given, type, exporter });

export const agentCounter = build('counter', 'agent');
export const agentGauge = build('gauge', 'agent');
export const agentHistogram = build('histogram', 'agent');
export const controllerCounter = build('counter', 'controller');
export const controllerGauge = build('gauge', 'controller');
export const controllerHistogram = build('histogram', 'controller');
export const bothCounter = build('counter', 'both');
export const bothGauge = build('gauge', 'both');

/** Labels of everything that is about one VM: its name, and its UUID, which stays when it is renamed. */
export const VM = { vm: null, vm_id: null } as const;

/** The label that each series of an agent has beside its own: the host's name. */
export const AGENT_LABELS = ['host'] as const;

/** `{ kind: 'a' } ← name` for a table of names. */
export const by = (label: string, names: Readonly<Record<string, string>>): readonly Source[] =>
  Object.entries(names).map(([value, name]) => ({ name, labels: { [label]: value } }));
