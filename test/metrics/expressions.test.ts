/**
 * Proves that alerts and dashboards ask only for series that the catalogue has, with labels that these have, speak only of
 * labels that their result keeps, and that each alert has its page and each page its alert.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CATALOGUE, DASHBOARDS, labelsOf, type Row } from '../../packages/metrics/src';
import { alerts, root, shipped } from './support/expressions';
import { usedIn, type UsedSeries } from './support/promql';

/** What Prometheus adds, and the one metric that it makes itself. */
const ADDED = ['job', 'instance'];
const UP: Row = { type: 'gauge', unit: 'none', exporter: 'both', labels: {}, help: '' };

function rowOf(metric: string): { row: Row; labels: readonly string[] } | undefined {
  const base = metric.replace(/_(bucket|sum|count)$/, '');
  const table = CATALOGUE as Readonly<Record<string, Row>>;
  const row = metric === 'up' ? UP : (table[metric] ?? (table[base]?.type === 'histogram' ? table[base] : undefined));
  if (!row || (row.type === 'histogram' && base === metric)) return undefined;
  return { row, labels: [...ADDED, ...labelsOf(row), ...(metric.endsWith('_bucket') && row.type === 'histogram' ? ['le'] : [])] };
}

/** What is wrong with one; none: nothing. */
function faultsOf({ metric, selectors }: UsedSeries): string[] {
  const found = rowOf(metric);
  if (!found) return [`${metric} is not in the catalogue`];
  return selectors.flatMap(({ label, operator, value }) => {
    if (!found.labels.includes(label)) return [`${metric} has no label ${label}`];
    const known = found.row.labels[label];
    const wanted = operator === '=' || operator === '!=' ? [value] : /^[\w|]+$/.test(value) ? value.split('|') : [];
    return known ? wanted.filter((one) => !known.includes(one)).map((one) => `${metric} has no ${label} "${one}"`) : [];
  });
}

test.each(shipped().map((one) => [one.where, one] as const))('%s', (_, { expr, spoken, alert }) => {
  const { series, kept, left } = usedIn(expr);
  expect(series.length).toBeGreaterThan(0);
  expect(series.flatMap(faultsOf)).toEqual([]);
  const labelsOfAll = series.map(({ metric }) => rowOf(metric)!.labels);
  for (const label of kept) for (const labels of labelsOfAll) expect(labels).toContain(label);
  for (const label of left) expect(labelsOfAll.flat()).toContain(label);
  const grouped = /\b(sum|min|max|count|avg)\b/.test(expr) && !/ without /.test(expr);
  for (const label of spoken) expect(grouped ? kept : labelsOfAll.flat()).toContain(label);
  if (!alert) return;
  // A counter by itself is no condition: it never goes down again.
  for (const { metric } of series)
    if (rowOf(metric)!.row.type === 'counter') expect(expr).toMatch(new RegExp(`(rate|increase|max_over_time)\\(${metric}`));
});

test('the reader of expressions sees names, selectors and groups, and no words or functions', () => {
  const used = usedIn(
    'histogram_quantile(0.99, sum by (host, le) (rate(a_bucket{x="y{z}",w!~"p|q"}[5m]))) > bool 1 and on (host) max without (m) (b offset 5m) or vector(0)',
  );
  expect(used.series).toEqual([
    {
      metric: 'a_bucket',
      selectors: [
        { label: 'x', operator: '=', value: 'y{z}' },
        { label: 'w', operator: '!~', value: 'p|q' },
      ],
    },
    { metric: 'b', selectors: [] },
  ]);
  expect(used.kept).toEqual(['host', 'le', 'host']);
  expect(used.left).toEqual(['m']);
  expect(faultsOf(usedIn('godwit_vms{state="asleep",colour="red"}').series[0])).toEqual([
    'godwit_vms has no state "asleep"',
    'godwit_vms has no label colour',
  ]);
  expect(faultsOf(usedIn('godwit_migration_pause_seconds').series[0])).toEqual(['godwit_migration_pause_seconds is not in the catalogue']);
});

test('variables of dashboards are labels of the metric they come from', () => {
  for (const { variables } of DASHBOARDS) for (const { name, metric } of variables) expect(rowOf(metric)!.labels).toContain(name);
});

const runbooks = path.join(root, 'docs/runbooks');

test('every alert says how bad it is and has a page; no page is left over', () => {
  const names = alerts().map(({ alert }) => alert);
  expect(new Set(names).size).toBe(names.length);
  for (const { alert, labels, annotations } of alerts()) {
    expect(alert).toMatch(/^Godwit[A-Z][A-Za-z]+$/);
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations.runbook_url).toBe(`docs/runbooks/${alert}.md`);
    expect(annotations.summary).toMatch(/\.$/);
    expect(annotations.description).toMatch(/\.$/);
  }
  expect(fs.readdirSync(runbooks).sort()).toEqual(names.map((name) => `${name}.md`).sort());
});

test.each(fs.readdirSync(runbooks))('runbook %s: its parts, metrics and links are there', (file) => {
  const text = fs.readFileSync(path.join(runbooks, file), 'utf8');
  expect(text.match(/^#+ .*$/gm)).toEqual([`# ${file.replace('.md', '')}`, '## What it means', '## Where to look', '## What to do']);
  for (const [, link] of text.matchAll(/\]\(([^)]+)\)/g)) expect(fs.existsSync(path.join(runbooks, link))).toBe(true);
  for (const [, metric] of text.matchAll(/`((?:godwit|process)_[a-z_]+)[`{]/g))
    expect(rowOf(metric) ? '' : `${metric} is not in the catalogue`).toBe('');
});
