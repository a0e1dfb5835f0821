/**
 * Prometheus' text format 0.0.4 and OpenMetrics 1.0, written by prom-client from the families' series. prom-client reads
 * them at the scrape: its metrics hold nothing themselves, since it can neither bound series nor remove those of one VM.
 *
 * One registry a format: in OpenMetrics a counter's family has no `_total` in its name, and prom-client would rename the
 * metrics of a shared registry in place. Bounds of buckets are written alike in both ("1.0"), or a server that changes from
 * one format to the other would see new series.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Counter, Gauge, Histogram, Registry, type RegistryContentType } from 'prom-client';
import type { Family, Labels } from './family';
import { SERIES_AT_ONCE } from './limits';

export type Format = 'prometheus' | 'openmetrics';

export const CONTENT_TYPES = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const;

/** As prom-client's registry writes it; `sharedLabels` are put into text once, for as long as their object lives. */
interface Value {
  readonly labels: Labels;
  readonly sharedLabels: Labels;
  readonly metricName?: string;
  readonly value: number;
}

const KINDS = { counter: Counter, gauge: Gauge, histogram: Histogram } as const;

export class Exposition {
  private readonly registry: Registry<RegistryContentType>;
  private readonly names = new Map<Family, string>();

  /** @param constant labels of every series */
  constructor(
    private readonly families: readonly Family[],
    private readonly constant: Labels,
    private readonly format: Format,
  ) {
    this.registry = new Registry<RegistryContentType>();
    this.registry.setContentType(CONTENT_TYPES[format]);
    for (const family of families) this.register(family);
  }

  /** Never at work for longer than some thousand series take: what else the process does goes on in between. */
  async text(): Promise<string> {
    const parts: string[] = [];
    let written = 0;
    for (const family of this.families) {
      if (family.size === 0) continue;
      parts.push(await this.registry.getSingleMetricAsString(this.names.get(family)!));
      written += family.size * (family.bounds.length + 1);
      if (written < SERIES_AT_ONCE) continue;
      written = 0;
      await breathe();
    }
    if (this.format === 'openmetrics') parts.push('# EOF');
    return `${parts.join('\n')}\n`;
  }

  private register(family: Family): void {
    const { row } = family;
    const name = this.format === 'openmetrics' && row.type === 'counter' ? family.name.replace(/_total$/, '') : family.name;
    this.names.set(family, name);
    const metric = new KINDS[row.type]({ name, help: row.help, registers: [] });
    const read = async () => ({ name, help: row.help, type: row.type, aggregator: 'sum', values: this.values(family) });
    this.registry.registerMetric(Object.assign(metric, { get: read, getForPromString: read }) as never);
  }

  private values(family: Family): Value[] {
    const values: Value[] = [];
    for (const series of family.series()) {
      // One object for as long as the series is there: prom-client keeps its text by it.
      const sharedLabels = (series.written ??= { ...this.constant, ...series.labels });
      if (series.buckets) buckets(values, family, series.buckets, series.value, sharedLabels);
      else values.push({ labels: NONE, sharedLabels, value: series.value });
    }
    return values;
  }
}

const NONE: Labels = {};

function buckets(values: Value[], { name, bounds }: Family, counts: Float64Array, sum: number, sharedLabels: Labels): void {
  let count = 0;
  counts.forEach((inBucket, index) => {
    count += inBucket;
    values.push({ labels: { le: bound(bounds[index] ?? Infinity) }, sharedLabels, metricName: `${name}_bucket`, value: count });
  });
  values.push({ labels: NONE, sharedLabels, metricName: `${name}_sum`, value: sum });
  values.push({ labels: NONE, sharedLabels, metricName: `${name}_count`, value: count });
}

const bound = (value: number): string => (value === Infinity ? '+Inf' : Number.isInteger(value) ? value.toFixed(1) : String(value));
