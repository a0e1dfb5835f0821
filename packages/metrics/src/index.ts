export { CATALOGUE, labelsOf, type MetricName, type ProcessKind, rowsOf, SECTIONS } from './catalogue';
export type { Exporter, LabelTable, MetricType, Row, Source, Unit } from './catalogue/row';
export { type AgentTarget, httpSdTargets } from './discovery';
export { CONTENT_TYPES, type Format } from './exposition';
export {
  type EndpointTls,
  isLoopback,
  listenMetrics,
  type ListenOptions,
  METRICS_PATH,
  MetricsEndpoint,
  type MetricsServer,
  splitAddress,
  TARGETS_PATH,
} from './endpoint';
export type { CommonMetrics, CounterHandle, GaugeHandle, HistogramHandle, LabelValues, Metrics } from './handles';
export { MigrationFeed, type MigrationReading } from './migration-feed';
export { processUsage, type ProcessUsage } from './process-readings';
export { type AnyRegistry, createRegistry, type Registry, type RegistryOptions } from './registry';
export { type Scrape, serveMetrics } from './serve';
export { VmFeed, type VmKey, type VmReading } from './vm-feed';
export { metricsReference } from './reference';
export { DASHBOARDS, dashboardFiles } from './grafana';
export type { Dashboard, Panel, Query, Section, Variable } from './grafana/dashboard';
