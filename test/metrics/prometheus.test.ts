/**
 * Proves with a real Prometheus that what is served can be scraped in both formats alike, and that every shipped expression
 * is evaluated without an error and finds data where its series are.
 */
import http from 'node:http';
import { once } from 'node:events';
import type net from 'node:net';
import { httpSdTargets, serveMetrics } from '../../packages/metrics/src';
import { alerts, RULES, shipped } from './support/expressions';
import { filledAgent, filledController } from './support/filled';
import { Prometheus } from './support/prometheus';
import { usedIn } from './support/promql';

const SCRAPES = 5;
const agent = filledAgent();
const controller = filledController();
const formats = new Set<string>();
let server: http.Server;
let prometheus: Prometheus;

/** /agent and /controller as asked for; /agent-text whatever is asked for. Each scrape finds everything further on. */
async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  if (request.url === '/targets') {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      httpSdTargets([
        { hostName: 'host-b', metricsAddress: '' },
        { hostName: 'host-a', metricsAddress: `http://${address()}` },
      ]),
    );
    return;
  }
  const { registry, step } = request.url === '/controller' ? controller : agent;
  if (request.url !== '/agent-text') step();
  const { contentType, body } = await serveMetrics(registry, request.url === '/agent-text' ? undefined : request.headers.accept);
  formats.add(contentType.split(';')[0]);
  response.writeHead(200, { 'content-type': contentType });
  response.end(body);
}

const address = (): string => `127.0.0.1:${(server.address() as net.AddressInfo).port}`;

beforeAll(async () => {
  server = http.createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const job = (name: string, at: string, found: object) => ({ job_name: name, metrics_path: at, honor_labels: true, ...found });
  const fixed = (labels: object) => ({ static_configs: [{ targets: [address()], labels }] });
  prometheus = await Prometheus.start({
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [RULES],
    scrape_configs: [
      job('godwit-agents', '/agent', { http_sd_configs: [{ url: `http://${address()}/targets` }] }),
      job('godwit-controllers', '/controller', fixed({})),
      job('text', '/agent-text', fixed({ format: 'text' })),
    ],
  });
  const scraped = `min(count_over_time(up[2m])) >= ${SCRAPES} and min(count_over_time(godwit_vm_kicks_total{job="godwit-agents"}[2m])) >= ${SCRAPES}`;
  await prometheus.until('scraping', 60_000, async () => (await prometheus.query(scraped)).length > 0);
}, 150_000);

afterAll(async () => {
  await prometheus?.stop();
  server?.closeAllConnections();
  server?.close();
});

test('both formats are taken, and give the same series', async () => {
  expect([...formats].sort()).toEqual(['application/openmetrics-text', 'text/plain']);
  expect((await prometheus.query('up == 0')).map(({ metric }) => metric)).toEqual([]);
  expect((await prometheus.query('up{job="godwit-agents"}')).map(({ metric: { host } }) => host)).toEqual(['host-a']);
  const series = async (job: string): Promise<string[]> =>
    (await prometheus.query(`{__name__=~"(godwit|process)_.*",job="${job}"}`))
      .map(({ metric: { job: _, instance: __, format: ___, ...rest } }) => JSON.stringify(Object.entries(rest).sort()))
      .sort();
  const open = await series('godwit-agents');
  expect(open.length).toBeGreaterThan(300);
  expect(await series('text')).toEqual(open);
});

const dashboards = shipped().filter(({ alert }) => !alert);

test.each(dashboards.map((one) => [one.where, one] as const))(
  '%s finds data, with the labels that its legend names',
  async (_, { expr, spoken }) => {
    const found = await prometheus.query(expr);
    expect(found.length).toBeGreaterThan(0);
    for (const { metric } of found) for (const label of spoken) expect(metric).toHaveProperty(label);
    // A division by nothing would be drawn as a gap.
    expect(found.some(({ value: [, value] }) => Number.isFinite(Number(value)))).toBe(true);
  },
);

test.each(alerts().map(({ alert, expr }) => [alert, expr]))('%s finds its series', async (_, expr) => {
  await prometheus.query(expr);
  for (const { metric, selectors } of usedIn(expr).series) {
    const selector = `${metric}{${selectors.map(({ label, operator, value }) => `${label}${operator}${JSON.stringify(value)}`).join()}}`;
    expect({ selector, series: (await prometheus.query(selector)).length }).not.toEqual({ selector, series: 0 });
  }
});

test('the rules are evaluated without an error', async () => {
  type Rules = { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
  const rules = async () => ((await prometheus.get('/api/v1/rules')) as Rules).groups.flatMap((group) => group.rules);
  await prometheus.until('done with all rules', 30_000, async () => (await rules()).every(({ health }) => health !== 'unknown'));
  const all = await rules();
  expect(all.length).toBe(alerts().length);
  expect(all.filter(({ health, lastError }) => health !== 'ok' || lastError)).toEqual([]);
});
