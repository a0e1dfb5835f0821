/** Short forms for the panels of dashboards. */
import type { MetricName } from '../catalogue';
import type { Panel, PanelUnit, Query } from './dashboard';

/** `$__rate_interval` is Grafana's: at least four scrapes. */
const WINDOW = '[$__rate_interval]';

/** A series of the catalogue with what narrows it down. */
export const pick = (metric: MetricName, selectors = ''): string => metric + (selectors && `{${selectors}}`);
const ranged = (metric: MetricName, selectors: string): string => pick(metric, selectors) + WINDOW;

export const rate = (metric: MetricName, by: string, selectors = ''): string => `sum by (${by}) (rate(${ranged(metric, selectors)}))`;

export const quantile = (q: number, metric: MetricName, by: string, selectors = ''): string =>
  `histogram_quantile(${q}, sum by (${by ? `${by}, ` : ''}le) (rate(${metric}_bucket${selectors && `{${selectors}}`}${WINDOW})))`;

export const quantiles = (metric: MetricName, selectors = ''): Query[] =>
  [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, metric, '', selectors), legend: `${q * 100} %` }));

const panel =
  (kind: Panel['kind']) =>
  (title: string, unit: PanelUnit, help: string, queries: readonly Query[], more: Pick<Panel, 'stacked' | 'alarmFrom'> = {}): Panel => ({
    kind,
    title,
    unit,
    help,
    queries,
    ...more,
  });

export const graph = panel('timeseries');
export const stat = panel('stat');
export const heatmap = panel('heatmap');
export const table = panel('table');

export const line = (expr: string, legend: string): Query => ({ expr, legend });
