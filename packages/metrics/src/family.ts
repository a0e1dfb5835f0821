/** All series of one metric, in memory. */
import type { Row } from './catalogue/row';
import { MAX_LABEL_VALUE, MAX_SERIES_PER_METRIC } from './limits';

export type Labels = Readonly<Record<string, string>>;

export interface Series {
  readonly labels: Labels;
  /** Of a histogram: the sum of what was observed. */
  value: number;
  /** Of a histogram: observations up to each bound and above the one before; the last is +Inf. */
  readonly buckets: Float64Array | undefined;
  /** Its labels with those of the process, once it has been written. */
  written?: Labels;
}

const SEPARATOR = '\u0000';
const OTHER = 'other';

export class Family {
  readonly bounds: readonly number[];
  private readonly labelNames: readonly string[];
  private readonly known: readonly (ReadonlySet<string> | null)[];
  private readonly byKey = new Map<string, Series>();

  constructor(
    readonly name: string,
    readonly row: Row,
    /** A series was not made since there are too many. */
    private readonly onDropped: () => void,
    private readonly maxSeries: number = MAX_SERIES_PER_METRIC,
  ) {
    this.labelNames = Object.keys(row.labels);
    this.known = Object.values(row.labels).map((values) => values && new Set(values));
    this.bounds = row.buckets ?? [];
    if (row.type !== 'gauge') this.startAtZero();
  }

  get size(): number {
    return this.byKey.size;
  }

  series(): IterableIterator<Series> {
    return this.byKey.values();
  }

  add(labels: Labels, amount: number): void {
    if (!(amount >= 0) || !Number.isFinite(amount)) return;
    const series = this.at(labels);
    if (series) series.value += amount;
  }

  /** A total as somebody else counts it: a lower one than before is not believed. */
  raise(labels: Labels, total: number): void {
    if (!Number.isFinite(total)) return;
    const series = this.at(labels);
    if (series) series.value = Math.max(series.value, total);
  }

  /** No number: there is no such series. */
  set(labels: Labels, value: number | null | undefined): void {
    if (value === null || value === undefined || Number.isNaN(value)) this.byKey.delete(this.keyOf(labels));
    else {
      const series = this.at(labels);
      if (series) series.value = value;
    }
  }

  /** So many observations of together `sum`, all of them in the bucket of `value`. */
  observe(labels: Labels, value: number, count = 1, sum = value): void {
    if (Number.isNaN(value) || !Number.isFinite(sum) || !(count > 0)) return;
    const series = this.at(labels);
    if (!series?.buckets) return;
    const index = this.bounds.findIndex((bound) => value <= bound);
    series.buckets[index < 0 ? this.bounds.length : index] += count;
    series.value += sum;
  }

  /** Removes the series that have these labels. */
  forget(labels: Labels): void {
    const wanted = Object.entries(labels);
    if (wanted.some(([name]) => !this.labelNames.includes(name))) return;
    for (const [key, series] of this.byKey) if (wanted.every(([name, value]) => series.labels[name] === value)) this.byKey.delete(key);
  }

  /** Finds or makes it; undefined: there are too many. */
  private at(labels: Labels): Series | undefined {
    const key = this.keyOf(labels);
    const found = this.byKey.get(key);
    if (found) return found;
    if (this.byKey.size >= this.maxSeries) {
      this.onDropped();
      return undefined;
    }
    const values = key.split(SEPARATOR);
    const series: Series = {
      labels: Object.fromEntries(this.labelNames.map((name, index) => [name, values[index]])),
      value: 0,
      buckets: this.row.type === 'histogram' ? new Float64Array(this.bounds.length + 1) : undefined,
    };
    this.byKey.set(key, series);
    return series;
  }

  /** @throws RangeError for a fixed label whose value is unknown, unless the metric counts those as `other` */
  private keyOf(labels: Labels): string {
    let key = '';
    for (let index = 0; index < this.labelNames.length; index++) {
      const known = this.known[index];
      let value = String(labels[this.labelNames[index]] ?? '')
        .slice(0, MAX_LABEL_VALUE)
        .replaceAll(SEPARATOR, '');
      // Other parts write their words with hyphens.
      if (known && !known.has(value)) value = value.replaceAll('-', '_');
      if (known && !known.has(value)) {
        if (!known.has(OTHER))
          throw new RangeError(`${this.name} has no ${this.labelNames[index]} "${value}": only ${[...known].join(', ')}`);
        value = OTHER;
      }
      key += index === 0 ? value : SEPARATOR + value;
    }
    return key;
  }

  /** Rates and increases see the first event only if there was a 0 before it: all series whose labels are known beforehand. */
  private startAtZero(): void {
    let all: Record<string, string>[] = [{}];
    for (const name of this.labelNames) {
      const values = this.row.labels[name];
      if (!values) return;
      all = all.flatMap((labels) => values.map((value) => ({ ...labels, [name]: value })));
    }
    for (const labels of all) this.at(labels);
  }
}
