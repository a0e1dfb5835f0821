/** Proves that the catalogue keeps Prometheus' conventions, and that its rows fit each other. */
import { CATALOGUE, labelsOf, rowsOf, SECTIONS } from './catalogue';
import type { Row, Unit } from './catalogue/row';
import { handleName } from './handles';

const ROWS = Object.entries(CATALOGUE) as [string, Row][];

/** What a name ends with, before `_total`. */
const SUFFIX: Partial<Record<Unit, string>> = {
  seconds: '_seconds',
  bytes: '_bytes',
  bytes_per_second: '_bytes_per_second',
  ratio: '_ratio',
  timestamp_seconds: '_seconds',
  info: '_info',
};
/** The names that guidelines for clients fix. */
const FIXED = /^process_(cpu_seconds_total|resident_memory_bytes|open_fds|max_fds|start_time_seconds)$/;
/** Labels whose values are names of things. */
const OPEN_LABELS = ['vm', 'vm_id', 'vmm_id', 'host', 'datastore', 'disk', 'nic', 'method', 'version'];
/** Of other units, or of Prometheus itself. */
const RESERVED = /(^|_)(ms|millis|milliseconds|minutes|kb|kib|mb|mib|percent|count|sum|bucket)($|_)/;

describe.each(ROWS)('%s', (name, row) => {
  test('name, unit and type', () => {
    expect(name).toMatch(FIXED.test(name) ? FIXED : /^godwit_[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    expect(name).not.toMatch(RESERVED);
    expect(name.endsWith('_total')).toBe(row.type === 'counter');
    const suffix = SUFFIX[row.unit];
    const base = name.replace(/_total$/, '');
    if (suffix) expect(base.endsWith(suffix)).toBe(true);
    else expect(base).not.toMatch(/_(seconds|bytes|ratio|info)$/);
  });

  test('help: one or two sentences that end', () => {
    expect(row.help).toMatch(/^[A-Z01][^\n]{10,250}\.$/);
    expect(row.help.toLowerCase()).not.toContain(name);
  });

  test('labels are bounded', () => {
    for (const [label, values] of Object.entries(row.labels)) {
      expect(label).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(['le', 'quantile', 'job', 'instance']).not.toContain(label);
      if (!values) expect(OPEN_LABELS).toContain(label);
      else {
        expect(new Set(values).size).toBe(values.length);
        for (const value of values) expect(value).toMatch(label === 'code' && name.includes('api') ? /^[A-Z_]+$/ : /^[a-z][a-z0-9_]*$/);
      }
    }
    if ('vm' in row.labels) expect(row.labels).toHaveProperty('vm_id');
    expect(new Set(labelsOf(row)).size).toBe(labelsOf(row).length);
  });

  test('buckets of histograms grow and span at least two decades', () => {
    if (row.type !== 'histogram') return expect(row.buckets).toBeUndefined();
    const buckets = row.buckets ?? [];
    expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
    expect(new Set(buckets).size).toBe(buckets.length);
    expect(buckets.length).toBeLessThanOrEqual(16);
    expect(buckets[buckets.length - 1] / buckets[0]).toBeGreaterThanOrEqual(100);
  });

  test('sources name labels and values that the metric has, each series once', () => {
    const { sources = [] } = row;
    for (const { name: source, labels = {}, less = [] } of sources) {
      expect(source).toMatch(/^((disk|nic)#_)?[a-z][a-z0-9_]*$/);
      for (const [label, value] of Object.entries(labels)) expect(row.labels[label]).toContain(value);
      if (less.length > 0) expect(row.type).toBe('counter');
      if (source.includes('#')) expect(row.labels).toHaveProperty(source.split('#')[0]);
    }
    if (sources.length === 0) return;
    expect(row.exporter).toBe('agent');
    const fixed = Object.entries(row.labels).filter(([, values]) => values);
    const series = sources.map(({ labels = {} }) => fixed.map(([label]) => labels[label]).join());
    expect(new Set(series).size).toBe(series.length);
    expect(series.length).toBe(fixed.reduce((product, [, values]) => product * values!.length, 1));
  });
});

test("no two metrics share a name, a handle, or the names of a histogram's series", () => {
  expect(SECTIONS.reduce((sum, { rows }) => sum + Object.keys(rows).length, 0)).toBe(ROWS.length);
  expect(new Set(ROWS.map(([name]) => handleName(name))).size).toBe(ROWS.length);
  const all = ROWS.flatMap(([name, { type }]) => (type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]));
  expect(new Set(all).size).toBe(all.length);
});

test("families have names of their own in OpenMetrics too, where a counter's has no _total", () => {
  for (const process of ['agent', 'controller'] as const) {
    const names = rowsOf(process).map(([name, { type }]) => (type === 'counter' ? name.replace(/_total$/, '') : name));
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  }
});
