/** Which series a VMM's counter feeds: the catalogue's `sources`, turned round. */
import { CATALOGUE, type MetricName } from './catalogue';
import type { Row } from './catalogue/row';
import type { Labels } from './family';
import { MAX_DEVICES } from './limits';

export interface Target {
  readonly metric: MetricName;
  readonly type: Row['type'];
  readonly labels: Labels;
  readonly scale: number;
  readonly less: readonly string[];
}

export interface HistogramTarget {
  readonly prefix: string;
  readonly metric: MetricName;
}

export interface CounterMap {
  /** By the source's name, its device's number written `#`. */
  targets(name: string): readonly Target[];
  readonly histograms: readonly HistogramTarget[];
  knows(name: string): boolean;
  /** It only grows, within one process. */
  counts(name: string): boolean;
}

const DEVICE = /^(disk|nic)(\d{1,2})_/;

/** `disk3_read_bytes` is `disk#_read_bytes` of disk 3. */
export function deviceOf(name: string): { readonly total: string; readonly device?: { readonly kind: string; readonly number: number } } {
  const match = DEVICE.exec(name);
  if (!match || Number(match[2]) >= MAX_DEVICES) return { total: name };
  return { total: `${match[1]}#_${name.slice(match[0].length)}`, device: { kind: match[1], number: Number(match[2]) } };
}

export function counterMap(): CounterMap {
  const targets = new Map<string, Target[]>();
  const histograms: HistogramTarget[] = [];
  for (const [metric, row] of Object.entries(CATALOGUE) as [MetricName, Row][]) {
    for (const { name, labels = {}, scale = 1, less = [] } of row.sources ?? []) {
      if (row.type === 'histogram') histograms.push({ prefix: name, metric });
      else targets.set(name, [...(targets.get(name) ?? []), { metric, type: row.type, labels: labels as Labels, scale, less }]);
    }
  }
  const ofHistogram = (name: string): boolean =>
    histograms.some(({ prefix }) => name === `${prefix}_sum` || name === `${prefix}_count` || name.startsWith(`${prefix}_le_`));
  const find = (name: string): readonly Target[] => targets.get(name) ?? [];
  return {
    targets: find,
    histograms,
    knows: (name) => find(deviceOf(name).total).length > 0 || ofHistogram(name),
    counts: (name) => ofHistogram(name) || find(deviceOf(name).total).some(({ type }) => type === 'counter'),
  };
}
