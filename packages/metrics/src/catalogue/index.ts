/**
 * Every metric that agents and controllers export: one table, from which come the registries' typed handles, the way from
 * a VMM's counters to series, docs/metrics.md, and the checks of dashboards and alerts.
 *
 * Names: `godwit_`, what is measured, base unit, `_total` for counters. Labels: VMs and hosts by name, never a migration's
 * id; all other labels have few and known values.
 */
import { CONTROLLER } from './controller';
import { ENGINE } from './engine';
import { HOST } from './host';
import { PROCESS } from './process';
import { AGENT_LABELS, type Exporter, type Row } from './row';
import { VM_METRICS } from './vm';

/** In the order of docs/metrics.md. */
export const SECTIONS = [
  { title: 'vCPU and translation cache', rows: ENGINE },
  { title: 'VMs', rows: VM_METRICS },
  { title: 'Hosts and migrations', rows: HOST },
  { title: 'Cluster and controller', rows: CONTROLLER },
  { title: 'Every process', rows: PROCESS },
] as const;

export const CATALOGUE = { ...ENGINE, ...VM_METRICS, ...HOST, ...CONTROLLER, ...PROCESS };

export type MetricName = keyof typeof CATALOGUE;

/** A process of one kind. */
export type ProcessKind = Exclude<Exporter, 'both'>;

export const rowsOf = (process: ProcessKind): readonly (readonly [MetricName, Row])[] =>
  (Object.entries(CATALOGUE) as [MetricName, Row][]).filter(([, { exporter }]) => exporter === process || exporter === 'both');

/** All labels that a series may have, but for `le` of a histogram and what Prometheus adds. */
export const labelsOf = (row: Row): readonly string[] => [
  ...(row.exporter === 'controller' ? [] : AGENT_LABELS),
  ...Object.keys(row.labels),
];
