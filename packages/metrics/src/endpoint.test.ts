/** Proves what is served under which address: text or OpenMetrics, discovery, nothing else; that a taken port is told or passed over. */
import http from 'node:http';
import { isLoopback, listenMetrics, MetricsEndpoint, type MetricsServer, splitAddress } from './endpoint';
import { createRegistry } from './registry';

const registry = createRegistry('controller', { version: '1' });
const servers: MetricsServer[] = [];
const serve = async (listen: string, anyPort = false): Promise<MetricsServer> => {
  const server = await listenMetrics(new MetricsEndpoint(registry, () => '[{"targets":["a:1"]}]'), { listen, anyPort });
  servers.push(server);
  return server;
};
const get = async (server: MetricsServer, at: string, options: RequestInit = {}) => {
  const answer = await fetch(`${server.scheme}://${server.address}${at}`, options);
  return { code: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
};

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

test('metrics and targets, and nothing else', async () => {
  const server = await serve('127.0.0.1:0');
  const text = await get(server, '/metrics');
  expect(text).toMatchObject({ code: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
  expect(text.body).toContain('godwit_build_info{version="1",process="controller"} 1\n');
  const open = await get(server, '/metrics?a=b', { headers: { accept: 'application/openmetrics-text;version=1.0.0' } });
  expect(open.type).toMatch(/^application\/openmetrics-text/);
  expect(open.body.endsWith('# EOF\n')).toBe(true);
  expect(await get(server, '/metrics/targets')).toEqual({ code: 200, type: 'application/json', body: '[{"targets":["a:1"]}]' });
  expect((await get(server, '/')).code).toBe(404);
  expect((await get(server, '/metricsx')).code).toBe(404);
  expect((await get(server, '/metrics', { method: 'POST', body: 'x' })).code).toBe(405);
  expect(await get(server, '/metrics', { method: 'HEAD' })).toMatchObject({ code: 200, body: '' });
});

test('scrapes at one time are one; each of them is whole', async () => {
  const server = await serve('127.0.0.1:0');
  let reads = 0;
  registry.onScrape(() => reads++);
  const bodies = await Promise.all([1, 2, 3].map(() => registry.text('prometheus')));
  expect(reads).toBe(1);
  expect(new Set(bodies).size).toBe(1);
  expect((await get(server, '/metrics')).body).toContain('process_cpu_seconds_total');
});

test('a port that is taken: an error that names it, or another port where any will do', async () => {
  const { address } = await serve('127.0.0.1:0');
  await expect(serve(address)).rejects.toThrow(`metrics cannot be served at ${address}`);
  const other = await serve(address, true);
  expect(other.address).not.toBe(address);
  expect((await get(other, '/metrics')).code).toBe(200);
});

test('a client that sends nothing is not waited for at the end', async () => {
  const server = await serve('127.0.0.1:0');
  const { host, port } = splitAddress(server.address);
  const idle = http.request({ host, port, path: '/metrics', method: 'POST' }).on('error', () => undefined);
  idle.flushHeaders();
  await get(server, '/metrics');
  await server.close();
  servers.length = 0;
});

test('addresses', () => {
  expect(splitAddress('[::1]:80')).toEqual({ host: '::1', port: 80 });
  for (const wrong of ['', 'a', ':1', 'a:99999', 'a b:1']) expect(() => splitAddress(wrong)).toThrow('is no HOST:PORT');
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.org'].some(isLoopback)).toBe(false);
});
