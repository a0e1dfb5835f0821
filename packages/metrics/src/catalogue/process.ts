/**
 * What every process tells of itself. `process_…` are the names that the guidelines for Prometheus clients fix, so that
 * general dashboards and alerts find them; they have no prefix.
 */
import { bothCounter, bothGauge } from './row';

export const PROCESS = {
  godwit_build_info: bothGauge({
    unit: 'info',
    labels: { version: null, process: ['agent', 'controller'] },
    help: '1; the labels tell the version that runs.',
  }),
  godwit_certificate_expiry_timestamp_seconds: bothGauge({
    unit: 'timestamp_seconds',
    labels: { certificate: ['own', 'ca'] },
    help: "When the certificate ends that this process uses, or that of the cluster's CA.",
  }),
  godwit_certificate_start_timestamp_seconds: bothGauge({
    unit: 'timestamp_seconds',
    labels: { certificate: ['own', 'ca'] },
    help: 'Since when that certificate has been valid.',
  }),
  godwit_event_loop_seconds_total: bothCounter({
    unit: 'seconds',
    labels: { state: ['active', 'idle'] },
    help: "Time that the process's event loop was at work and waited; a share of work near 1 means that it cannot keep up.",
  }),
  godwit_heap_bytes: bothGauge({ unit: 'bytes', labels: { part: ['used', 'reserved'] }, help: 'JavaScript heap of the process.' }),
  godwit_metrics_series: bothGauge({ help: 'Series that this process exports.' }),
  godwit_metrics_dropped_series_total: bothCounter({ help: 'Series that were not made because their metric has as many as it may.' }),

  process_cpu_seconds_total: bothCounter({ unit: 'seconds', help: 'CPU time of the process, user and system.' }),
  process_resident_memory_bytes: bothGauge({ unit: 'bytes', help: 'Memory of the process.' }),
  process_open_fds: bothGauge({ help: 'Open file descriptors.' }),
  process_max_fds: bothGauge({ help: 'Most file descriptors that the process may have.' }),
  process_start_time_seconds: bothGauge({ unit: 'timestamp_seconds', help: 'When the process started.' }),
} as const;
