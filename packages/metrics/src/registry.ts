/**
 * The metrics of one process. Everything is held in memory and a scrape only writes it down: it asks no VM and no store,
 * and takes no longer when they are slow.
 *
 *     const registry = createRegistry('agent', { host: 'host-a', version });
 *     registry.metrics.migrationPauseSeconds.observe(0.031);
 *     const { contentType, body } = await serveMetrics(registry, request.headers.accept);
 *
 * prom-client writes the text (exposition.ts); the series are held here, bounded, and go with the VM they are of.
 */
import { type MetricName, type ProcessKind, rowsOf } from './catalogue';
import { Exposition, type Format } from './exposition';
import { Family, type Labels } from './family';
import { type CommonMetrics, handleName, handleOf, type Metrics } from './handles';
import { processReadings } from './process-readings';

export interface RegistryOptions {
  readonly version: string;
  /** Of an agent: its host's name, on each of its series. */
  readonly host?: string;
  /** What the operating system says of this process, read at each scrape; left out: this process. */
  readonly readings?: (metrics: CommonMetrics) => void;
}

/** Of either process, as far as they are alike. */
export interface AnyRegistry {
  readonly process: ProcessKind;
  /** Labels of every series. */
  readonly constant: Labels;
  /** Each metric's series, after what is read at each scrape has been read. */
  collect(): readonly Family[];
  /** What is read at each scrape beside the process itself: set gauges, raise counters, and ask nobody. */
  onScrape(read: () => void): void;
  /** A scrape. Two at a time in one format are one. */
  text(format: Format): Promise<string>;
  family(name: MetricName): Family;
  /** A VM or host is gone: its series go, those that have all of these labels. */
  forget(labels: Labels): void;
}

export interface Registry<P extends ProcessKind> extends AnyRegistry {
  readonly process: P;
  readonly metrics: Metrics<P>;
}

/** @throws TypeError for an agent without its host's name */
export function createRegistry<P extends ProcessKind>(process: P, options: RegistryOptions): Registry<P> {
  const { host, version, readings = processReadings } = options;
  if (process === 'agent' && !host) throw new TypeError("an agent's metrics need its host's name");
  const families = new Map<string, Family>();
  const dropped = (): void => families.get('godwit_metrics_dropped_series_total')?.add({}, 1);
  for (const [name, row] of rowsOf(process)) families.set(name, new Family(name, row, dropped));
  const metrics = Object.fromEntries([...families].map(([name, family]) => [handleName(name), handleOf(family)])) as Metrics<P>;
  const common: CommonMetrics = metrics;
  common.buildInfo.set({ version, process }, 1);
  const family = (name: MetricName): Family => {
    const found = families.get(name);
    if (!found) throw new RangeError(`${name} is not among the metrics of ${process === 'agent' ? 'an agent' : 'a controller'}`);
    return found;
  };
  const all = [...families.values()];
  const constant: Labels = process === 'agent' ? { host: host! } : {};
  const readers: (() => void)[] = [() => readings(common)];
  const collect = (): readonly Family[] => {
    for (const read of readers) read();
    // Itself included, which is there from the second scrape on.
    common.metricsSeries.set(all.reduce((sum, { size }) => sum + size, 0));
    return all;
  };
  const expositions = new Map<Format, Exposition>();
  const underway = new Map<Format, Promise<string>>();
  const write = async (format: Format): Promise<string> => {
    collect();
    const exposition = expositions.get(format) ?? new Exposition(all, constant, format);
    expositions.set(format, exposition);
    return exposition.text();
  };
  return {
    process,
    metrics,
    constant,
    family,
    collect,
    onScrape: (read) => void readers.push(read),
    text(format) {
      const begun = underway.get(format) ?? write(format).finally(() => underway.delete(format));
      underway.set(format, begun);
      return begun;
    },
    forget(labels) {
      for (const one of families.values()) one.forget(labels);
    },
  };
}
