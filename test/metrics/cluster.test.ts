/**
 * Proves, with a real cluster and a real Prometheus, that the configuration that is shipped fits what is served: agents are found through
 * the controller, every alert and dashboard finds its metrics, a migration is in the pause histogram, counters do not fall
 * when a VM moves; that events, logs and a trace tell of a migration by one id; and that promtool has nothing to say about either endpoint.
 */
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { startCluster, webImages } from '../support/cluster.mjs';
import { CATALOGUE, type Row } from '../../packages/metrics/src';
import { root, shipped } from './support/expressions';
import { Prometheus, promtool } from './support/prometheus';
import { usedIn } from './support/promql';

type Cluster = Awaited<ReturnType<typeof startCluster>>;
/** Slow enough for a scrape a second to see the migration under way. */
const BANDWIDTH = 5e6;
let cluster: Cluster;
let prometheus: Prometheus;
let controllerUrl: string;
let migrationId: string;
let spansFile: string;
let agents: { targets: [string]; labels: Record<string, string> }[];

const value = async (expr: string): Promise<number> => Number((await prometheus.query(expr))[0]?.value[1] ?? NaN);
const tracing = path.join(__dirname, 'support/spans-to-file.cjs');
const jsonLines = (all: string) =>
  all
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
const certificate = (name: string): string => path.join(cluster.certificates, name);

/** With the operator's certificate, unless told otherwise; the server's is to be of this cluster, and of such a process. */
function text(url: string, name = 'godwit-host', shown = true): Promise<string> {
  const client = shown ? { cert: fs.readFileSync(certificate('cert.pem')), key: fs.readFileSync(certificate('key.pem')) } : {};
  const tls = { servername: name, ca: fs.readFileSync(certificate('ca.pem')), ...client };
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? https.get(url, { ...tls, agent: false }) : http.get(url, { agent: false });
    request.setTimeout(20_000, () => request.destroy(new Error(`no answer from ${url}`)));
    request.on('error', reject).on('response', async (response) => {
      let body = '';
      try {
        for await (const piece of response) body += String(piece);
        resolve(body);
      } catch (error) {
        reject(error);
      }
    });
  });
}

const urlOf = ({ targets: [address], labels: { __scheme__: scheme } }: (typeof agents)[number]): string => `${scheme}://${address}`;

/** As it is shipped, but for addresses, files and how often. */
function shippedConfig(controller: string): object {
  const folder = path.join(root, 'deploy/prometheus');
  const yaml = fs
    .readFileSync(path.join(folder, 'prometheus.yml'), 'utf8')
    .replaceAll('controller-1:7445', controller)
    .replaceAll(' tls/', ` ${cluster.certificates}/`);
  const config = parse(yaml);
  for (const job of config.scrape_configs)
    for (const found of [...(job.http_sd_configs ?? []), ...(job.file_sd_configs ?? [])]) found.refresh_interval = '1s';
  const rule_files = [path.join(folder, 'rules/*.yml')];
  return { ...config, rule_files, alerting: undefined, global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '5s' } };
}

beforeAll(async () => {
  spansFile = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-spans-')), 'spans.jsonl');
  const secure = { metrics: { listen: '127.0.0.1:0', tls: true } };
  const hosts = [{ name: 'alpha' }, { name: 'beta', config: secure }];
  cluster = await startCluster({
    images: await webImages(),
    hosts,
    controllers: [{ config: secure, env: { NODE_OPTIONS: `--require ${tracing}`, GODWIT_TEST_SPANS: spansFile } }],
  });
  controllerUrl = cluster.controllers[0].lines.find(({ msg }: { msg: string }) => msg === 'metrics are served')!.address;
  agents = JSON.parse(await text(`${controllerUrl}/metrics/targets`, 'godwit-controller'));
  prometheus = await Prometheus.start(shippedConfig(controllerUrl.replace('https://', '')));
});

afterAll(async () => {
  await prometheus?.stop();
  await cluster?.stop();
  if (spansFile) fs.rmSync(path.dirname(spansFile), { recursive: true, force: true });
});

test('a VM moves, and Prometheus has seen it', async () => {
  expect(agents.map(({ labels }) => labels.host)).toEqual(['alpha', 'beta']);
  await cluster.startWeb('web1', { host: 'alpha' });
  await prometheus.until('seeing web1', 60_000, async () => (await value('godwit_vm_kicks_total{vm="web1",host="alpha"}')) > 0);
  ({ migrationId } = await cluster.api('Migrations').migrate({ vm: 'web1', settings: { bandwidthBytesPerSecond: BANDWIDTH } }));
  expect(await cluster.moved(migrationId)).toMatchObject({ outcome: 'completed' });
  await prometheus.until(
    'counting the migration',
    60_000,
    async () => (await value('godwit_migration_pause_seconds_count{host="alpha"}')) === 1,
  );
  await prometheus.until(
    'counting it at the controller',
    60_000,
    async () => (await value('sum(godwit_cluster_migrations_total{outcome="completed",cause="operator"})')) === 1,
  );
  await prometheus.until('seeing web1 on beta', 60_000, async () => (await value('godwit_vm_kicks_total{vm="web1",host="beta"}')) > 0);
});

test('the migration: its end, pause, parts, bytes; and its figures while it was under way', async () => {
  expect(await value('sum(godwit_migrations_total{outcome="completed"})')).toBe(1);
  const pause = await value('godwit_migration_pause_seconds_sum{host="alpha"}');
  expect(pause).toBeGreaterThan(0);
  expect(await value('sum(godwit_migration_pause_part_seconds_sum{host="alpha"})')).toBeCloseTo(pause, 2);
  expect(await value('sum(godwit_migration_bytes_total{host="alpha"})')).toBeGreaterThan(1e6);
  expect(await value('max_over_time(godwit_vm_migration_remaining_bytes{vm="web1"}[10m])')).toBeGreaterThan(0);
  expect(await prometheus.query('godwit_vm_migration_remaining_bytes')).toEqual([]);
});

test('the same migration in events, logs and a trace: by one id', async () => {
  const { events } = await cluster.api('Events').listEvents({ migrationId });
  expect(events.map(({ kind, cause, vmName }) => [kind, cause, vmName])).toEqual([
    ['migration.started', 'operator', 'web1'],
    ['migration.completed', 'operator', 'web1'],
  ]);
  expect(events[1].line).toMatch(/web1.*beta/);
  const logged = (lines: { migrationId?: string; operationId?: string; event?: string; order?: string; vmId?: string }[]): string[] =>
    lines
      .filter((line) => line.migrationId === migrationId || line.operationId === migrationId)
      .map(({ event, order }) => event ?? order ?? 'vmm');
  expect(logged(cluster.controllers[0].lines)).toEqual(['migration.started', 'migration.completed']);
  expect(logged(cluster.host('alpha').lines)).toContain('migrateOut');
  expect(logged(cluster.host('beta').lines)).toEqual(expect.arrayContaining(['prepareIncoming', 'vmm']));
  expect(logged(jsonLines(cluster.host('alpha').vmmLogs()))).toEqual(expect.arrayContaining(['precopy', 'ended']));
  const spans: { name: string; traceId: string; parentSpanId?: string; spanId: string }[] = jsonLines(fs.readFileSync(spansFile, 'utf8'));
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([migrationId.replaceAll('-', '')]));
  expect(spans.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'migration',
      'prepare',
      'setup',
      'precopy',
      'round 0',
      'pause',
      'stop',
      'pages',
      'state',
      'lease',
      'start',
      'settle',
    ]),
  );
});

test('counters do not fall; the series of a VM are those of the host that it is on', async () => {
  // Once the process that it has left is gone.
  const at = async (): Promise<string> => (await prometheus.query('godwit_vm_running{vm="web1"}')).map(({ metric }) => metric.host).join();
  await prometheus.until('seeing web1 on beta alone', 60_000, async () => (await at()) === 'beta');
  const fell: string[] = [];
  for (const [name, row] of Object.entries(CATALOGUE) as [string, Row][]) {
    const series = row.type === 'counter' ? name : row.type === 'histogram' ? `${name}_count` : undefined;
    if (series && (await prometheus.query(`resets(${series}[10m]) > 0`)).length > 0) fell.push(series);
  }
  expect(fell).toEqual([]);
});

test('every alert and dashboard finds its metrics in a running cluster', async () => {
  const missing = new Set<string>();
  for (const { where, expr } of shipped())
    for (const { metric, selectors } of usedIn(expr).series) {
      const row =
        (CATALOGUE as Record<string, Row>)[metric.replace(/_(bucket|sum|count)$/, '')] ?? (CATALOGUE as Record<string, Row>)[metric];
      // A gauge has a value only where there is such a thing, a method only the codes that it has given: all is well here.
      const open = row?.type === 'gauge' || row?.labels.method === null;
      const asked = open
        ? selectors.map(({ label }) => `${label}=~".*"`)
        : selectors.map(({ label, operator, value: is }) => `${label}${operator}${JSON.stringify(is)}`);
      if (!((await value(`count(last_over_time(${metric}{${asked.join()}}[10m]))`)) > 0))
        missing.add(`${where}: ${metric}{${asked.join()}}`);
    }
  expect([...missing]).toEqual([]);
  // Whatever is in the catalogue is there, once.
  const silent: string[] = [];
  for (const [name, row] of Object.entries(CATALOGUE) as [string, Row][])
    if ((await prometheus.query(`last_over_time(${row.type === 'histogram' ? `${name}_count` : name}[10m])`)).length === 0)
      silent.push(name);
  expect(silent).toEqual([]);
});

test('over TLS, only who has a certificate of the cluster may read', async () => {
  const beta = `${urlOf(agents[1])}/metrics`;
  expect(beta).toMatch(/^https:/);
  expect(await text(beta)).toContain('godwit_build_info{host="beta"');
  await expect(text(beta, 'godwit-host', false)).rejects.toThrow();
  await expect(text(beta, 'godwit-controller')).rejects.toThrow(/altnames|does not match/);
});

test('promtool has nothing to say, in either process; no scrape has failed', async () => {
  const bodies = [
    await text(`${controllerUrl}/metrics`, 'godwit-controller'),
    ...(await Promise.all(agents.map((one) => text(`${urlOf(one)}/metrics`)))),
  ];
  for (const body of bodies) expect(promtool(['check', 'metrics'], body)).toEqual({ code: 0, output: '' });
  expect((await prometheus.query('up')).map(({ value: [, is] }) => is)).toEqual(['1', '1', '1']);
});

test('what an operator does to a VM is in its timeline, with who and why', async () => {
  const settled = async (operation?: { operationId: string } | null): Promise<unknown> => cluster.done(operation!);
  await settled((await cluster.api('Vms').pauseVm({ vm: 'web1' })) as never);
  await settled((await cluster.api('Vms').resumeVm({ vm: 'web1' })) as never);
  await settled((await cluster.api('Vms').stopVm({ vm: 'web1', kill: true })) as never);
  const { events } = await cluster.api('Events').listEvents({ vm: 'web1' });
  const kinds = events.map(({ kind, attributes }) => (kind.startsWith('operation.') ? `${kind} ${attributes.operation}` : kind));
  for (const kind of [
    'vm.created',
    'vm.paused',
    'vm.resumed',
    ...['create-vm', 'pause-vm', 'resume-vm', 'stop-vm'].flatMap((one) => [`operation.started ${one}`, `operation.succeeded ${one}`]),
  ])
    expect([kind, kinds.filter((one) => one === kind).length]).toEqual([kind, 1]);
  expect(kinds.indexOf('operation.started pause-vm')).toBeLessThan(kinds.indexOf('vm.paused'));
  for (const event of events)
    expect({ ...event, actor: event.actor !== '', cause: event.cause !== '' }).toMatchObject({ vmName: 'web1', actor: true, cause: true });
  for (const { level, msg } of [...cluster.controllers, ...cluster.hosts].flatMap((one) => one.lines))
    expect([level >= 50, msg]).toEqual([false, msg]);
});
