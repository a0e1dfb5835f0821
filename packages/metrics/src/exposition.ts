/**
 * Prometheus' text format 0.0.4 and OpenMetrics 1.0, from the same series. Bounds of buckets are written alike in both
 * ("1.0"), or a server that changes from one format to the other would see new series.
 */
import type { Unit } from './catalogue/row';
import type { Family, Labels, Series } from './family';

export type Format = 'prometheus' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** OpenMetrics wants a unit only where the name ends with it. */
const UNIT_LINES: Partial<Record<Unit, string>> = {
  seconds: 'seconds',
  timestamp_seconds: 'seconds',
  bytes: 'bytes',
  ratio: 'ratio',
  bytes_per_second: 'bytes_per_second',
};

export function render(families: Iterable<Family>, constant: Labels, format: Format): string {
  const open = format === 'openmetrics';
  const fixed = pairs(constant).join();
  const lines: string[] = [];
  for (const family of families) {
    if (family.size === 0) continue;
    const { name, row } = family;
    const title = open && row.type === 'counter' ? name.replace(/_total$/, '') : name;
    lines.push(`# HELP ${title} ${escapeHelp(row.help, open)}`, `# TYPE ${title} ${row.type}`);
    const unit = UNIT_LINES[row.unit];
    if (open && unit) lines.push(`# UNIT ${title} ${unit}`);
    for (const series of family.series()) {
      series.text ??= [fixed, ...pairs(series.labels)].filter(Boolean).join();
      if (row.type === 'histogram') histogram(lines, name, series.text, series, family.bounds);
      else lines.push(sample(name, series.text, series.value));
    }
  }
  if (open) lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function histogram(lines: string[], name: string, labels: string, { value, buckets }: Series, bounds: readonly number[]): void {
  let count = 0;
  buckets?.forEach((inBucket, index) => {
    count += inBucket;
    lines.push(
      sample(`${name}_bucket`, `${labels && `${labels},`}le="${bounds[index] === undefined ? '+Inf' : bound(bounds[index])}"`, count),
    );
  });
  lines.push(sample(`${name}_sum`, labels, value), sample(`${name}_count`, labels, count));
}

const sample = (name: string, labels: string, value: number): string => `${name}${labels && `{${labels}}`} ${number(value)}`;

const pairs = (labels: Labels): string[] => Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);

const number = (value: number): string => (value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value));

const bound = (value: number): string => (Number.isInteger(value) ? value.toFixed(1) : String(value));

const escape = (text: string): string => text.replace(/[\\"\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`));

/** Only OpenMetrics escapes quotes in help texts. */
const escapeHelp = (text: string, quotes: boolean): string =>
  quotes ? escape(text) : text.replace(/[\\\n]/g, (one) => (one === '\n' ? '\\n' : '\\\\'));
