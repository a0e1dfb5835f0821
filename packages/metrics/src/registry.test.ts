/** Proves that handles set what they say, that series are bounded and can be taken away, and that a scrape is only a look. */
import { Family } from './family';
import { createRegistry } from './registry';
import { formatFor, serveMetrics } from './serve';

const agent = () => createRegistry('agent', { host: 'host-a', version: '1.2.3', readings: () => {} });
const controller = () => createRegistry('controller', { version: '1.2.3', readings: () => {} });
const linesOf = (text: string, name: string): string[] => text.split('\n').filter((line) => line.startsWith(name));

test('counters, gauges and histograms reach the text, each series of an agent with its host', async () => {
  const registry = agent();
  registry.metrics.migrationsTotal.inc({ outcome: 'completed' });
  registry.metrics.migrationsTotal.inc({ outcome: 'completed' }, 2);
  registry.metrics.hostCpus.set(8);
  registry.metrics.migrationPauseSeconds.observe(0.031);
  registry.metrics.migrationPauseSeconds.observe(99);
  const { body, contentType } = await serveMetrics(registry);
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(body).toContain('godwit_migrations_total{host="host-a",outcome="completed"} 3\n');
  expect(body).toContain('godwit_host_cpus{host="host-a"} 8\n');
  expect(linesOf(body, 'godwit_migration_pause_seconds_')).toEqual(
    expect.arrayContaining([
      'godwit_migration_pause_seconds_bucket{le="0.03",host="host-a"} 0',
      'godwit_migration_pause_seconds_bucket{le="0.04",host="host-a"} 1',
      'godwit_migration_pause_seconds_bucket{le="10.0",host="host-a"} 1',
      'godwit_migration_pause_seconds_bucket{le="+Inf",host="host-a"} 2',
      'godwit_migration_pause_seconds_sum{host="host-a"} 99.031',
      'godwit_migration_pause_seconds_count{host="host-a"} 2',
    ]),
  );
});

test('a process has its own metrics only', async () => {
  expect(agent().metrics).not.toHaveProperty('controllerLeader');
  expect(controller().metrics).not.toHaveProperty('hostCpus');
  expect(() => controller().family('godwit_host_cpus')).toThrow(/not among the metrics of a controller/);
  expect(() => createRegistry('agent', { version: '1' })).toThrow(TypeError);
});

test('counters and histograms whose labels are known begin at 0: the first event is an increase', async () => {
  const { body } = await serveMetrics(controller());
  expect(body).toContain('godwit_cluster_migrations_total{outcome="lost",cause="drain"} 0\n');
  expect(body).toContain('godwit_scheduler_decision_seconds_count{question="place"} 0\n');
  expect(linesOf(body, 'godwit_hosts{')).toEqual([]);
});

test('an unknown value counts as other where the metric has that, and is a mistake elsewhere', async () => {
  const { metrics, family } = controller();
  metrics.schedulerRefusalsTotal.inc({ reason: 'phase-of-the-moon' });
  metrics.schedulerRefusalsTotal.inc({ reason: 'cpu-vendor' });
  expect([...family('godwit_scheduler_refusals_total').series()].find(({ labels }) => labels.reason === 'other')?.value).toBe(1);
  expect([...family('godwit_scheduler_refusals_total').series()].find(({ labels }) => labels.reason === 'cpu_vendor')?.value).toBe(1);
  expect(() => metrics.hosts.set({ state: 'asleep' as never }, 1)).toThrow(/has no state "asleep": only waiting, ready/);
});

test('a gauge without a number has no series; counters never go back', async () => {
  const { metrics, family } = controller();
  metrics.storeBytes.set(5);
  metrics.storeBytes.set(undefined);
  metrics.controllerTerm.set(NaN);
  expect(family('godwit_store_bytes').size + family('godwit_controller_term').size).toBe(0);
  metrics.processCpuSecondsTotal.raise(10);
  metrics.processCpuSecondsTotal.raise(4);
  metrics.processCpuSecondsTotal.inc(-3);
  metrics.processCpuSecondsTotal.inc(NaN);
  expect([...family('process_cpu_seconds_total').series()][0].value).toBe(10);
});

test('a host that is gone takes its series along, and no others', async () => {
  const registry = controller();
  for (const host of ['host-a', 'host-b']) registry.metrics.hostReachable.set({ host }, 1);
  registry.metrics.apiRequestsTotal.inc({ method: 'GetVm', code: 'OK' });
  registry.forget({ host: 'host-a' });
  const { body } = await serveMetrics(registry);
  expect(linesOf(body, 'godwit_host_reachable')).toEqual(['godwit_host_reachable{host="host-b"} 1']);
  expect(body).toContain('godwit_api_requests_total{method="GetVm",code="OK"} 1');
});

test('beyond its limit a metric makes no more series, and says so', async () => {
  let dropped = 0;
  const family = new Family(
    'godwit_x_total',
    { type: 'counter', unit: 'none', exporter: 'controller', labels: { method: null }, help: '' },
    () => dropped++,
    3,
  );
  for (let index = 0; index < 10; index++) family.add({ method: `m${index}` }, 1);
  family.add({ method: 'm1' }, 1);
  expect({ size: family.size, dropped }).toEqual({ size: 3, dropped: 7 });
});

test('names of things cannot break the text, or make it long', async () => {
  const registry = controller();
  registry.metrics.hostReachable.set({ host: 'a"b\\c\nd' }, 1);
  registry.metrics.hostReachable.set({ host: 'x'.repeat(10_000) }, 1);
  registry.metrics.hostReachable.set({ host: 'nul\u0000nul' }, 1);
  expect(linesOf((await serveMetrics(registry)).body, 'godwit_host_reachable')).toEqual([
    'godwit_host_reachable{host="a\\"b\\\\c\\nd"} 1',
    `godwit_host_reachable{host="${'x'.repeat(128)}"} 1`,
    'godwit_host_reachable{host="nulnul"} 1',
  ]);
});

test('OpenMetrics: families of counters without _total, an end; the other format is the same before and after', async () => {
  const registry = agent();
  registry.metrics.migrationsTotal.inc({ outcome: 'failed' });
  const before = (await serveMetrics(registry)).body;
  const { body, contentType } = await serveMetrics(registry, 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
  expect(contentType).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
  expect(body).toContain('# TYPE godwit_migrations counter\ngodwit_migrations_total{host="host-a",outcome="completed"} 0\n');
  expect(body).toContain('# TYPE godwit_migration_pause_seconds histogram\n');
  expect(body.endsWith('\n# EOF\n')).toBe(true);
  const samples = (text: string): string[] =>
    text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('godwit_metrics_series'));
  expect(samples(body)).toEqual(samples(before));
  expect(samples((await serveMetrics(registry)).body)).toEqual(samples(before));
});

test.each([
  [undefined, 'prometheus'],
  ['', 'prometheus'],
  ['*/*', 'prometheus'],
  ['text/html', 'prometheus'],
  [
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'openmetrics',
  ],
  ['application/openmetrics-text; version="1.0.0"; charset=utf-8', 'openmetrics'],
  ['application/openmetrics-text;version=2.0.0,text/plain;q=0.1', 'prometheus'],
  ['application/openmetrics-text;q=0.2,text/plain', 'prometheus'],
  ['application/openmetrics-text;q=0,*/*;q=0', 'prometheus'],
  [';;=,q', 'prometheus'],
])('Accept %p gets %s', (accept, format) => {
  expect(formatFor(accept)).toBe(format);
});

test('what the process is: read at the scrape, not before', async () => {
  const registry = createRegistry('agent', { host: 'host-a', version: '1' });
  const cpu = async (): Promise<number> =>
    Number(/^process_cpu_seconds_total\{host="host-a"\} (.*)$/m.exec((await serveMetrics(registry)).body)?.[1]);
  const before = await cpu();
  expect(before).toBeGreaterThan(0);
  const from = process.cpuUsage();
  while (process.cpuUsage(from).user < 20_000);
  expect(await cpu()).toBeGreaterThan(before);
  expect((await serveMetrics(registry)).body).toMatch(/^process_open_fds\{host="host-a"\} [1-9]\d*$/m);
});
