/** Typed handles: `metrics.migrationPauseSeconds.observe(0.03)`, made from the catalogue's names and labels. */
import type { CATALOGUE, MetricName, ProcessKind } from './catalogue';
import type { LabelTable, Row } from './catalogue/row';
import type { Family, Labels } from './family';

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type WithoutPrefix<S extends string> = S extends `godwit_${infer Rest}` ? Rest : S;

/** Where there is an `other`, any word will do: `cpu-vendor` is `cpu_vendor`, and what is unknown is `other`. */
type ValueOf<V> = 'other' extends V ? V | (string & Record<never, never>) : V;

export type LabelValues<L extends LabelTable> = { readonly [K in keyof L]: L[K] extends readonly (infer V)[] ? ValueOf<V> : string };

type WithLabels<L extends LabelTable, A extends unknown[]> = keyof L extends never
  ? (...given: A) => void
  : (labels: LabelValues<L>, ...given: A) => void;

export interface CounterHandle<L extends LabelTable> {
  /** By 1, unless told otherwise. */
  readonly inc: WithLabels<L, [by?: number]>;
  /** A total that somebody else counts; a lower one than before is not believed. */
  readonly raise: WithLabels<L, [total: number]>;
}

export interface GaugeHandle<L extends LabelTable> {
  /** Undefined, null or NaN: there is no such series. */
  readonly set: WithLabels<L, [value: number | null | undefined]>;
}

export interface HistogramHandle<L extends LabelTable> {
  readonly observe: WithLabels<L, [value: number]>;
}

type HandleOf<R> =
  R extends Row<infer T, infer L>
    ? T extends 'counter'
      ? CounterHandle<L>
      : T extends 'gauge'
        ? GaugeHandle<L>
        : HistogramHandle<L>
    : never;

type Exported<P extends ProcessKind> = {
  [N in MetricName]: (typeof CATALOGUE)[N] extends { readonly exporter: P | 'both' } ? N : never;
}[MetricName];

/** What a process of that kind may set: others' metrics are not there. */
export type Metrics<P extends ProcessKind> = { readonly [N in Exported<P> as Camel<WithoutPrefix<N>>]: HandleOf<(typeof CATALOGUE)[N]> };

/** What every process may set. */
export type CommonMetrics = Metrics<never>;

export const handleName = (metric: string): string =>
  metric.replace(/^godwit_/, '').replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

const NO_LABELS: Labels = {};

/** The same at run time: calls on the family, the labels left out where there are none. */
export function handleOf(family: Family): CounterHandle<LabelTable> | GaugeHandle<LabelTable> | HistogramHandle<LabelTable> {
  const bare = Object.keys(family.row.labels).length === 0;
  const wrap =
    (act: (labels: Labels, ...rest: never[]) => void) =>
    (...given: unknown[]): void =>
      bare ? act(NO_LABELS, ...(given as never[])) : act(given[0] as Labels, ...(given.slice(1) as never[]));
  const all = {
    counter: {
      inc: wrap((labels: Labels, by: number = 1) => family.add(labels, by)),
      raise: wrap((labels: Labels, total: number) => family.raise(labels, total)),
    },
    gauge: { set: wrap((labels: Labels, value: number) => family.set(labels, value)) },
    histogram: { observe: wrap((labels: Labels, value: number) => family.observe(labels, value)) },
  };
  return all[family.row.type] as never;
}
