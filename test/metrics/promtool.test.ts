/**
 * Proves by promtool that what is exported keeps Prometheus' conventions, that the shipped configuration and rules are
 * valid, and that each alert fires when it should and not when it should not (deploy/prometheus/tests).
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { serveMetrics } from '../../packages/metrics/src';
import { alerts, root, RULES } from './support/expressions';
import { filledAgent, filledController } from './support/filled';
import { promtool } from './support/prometheus';

const deploy = path.join(root, 'deploy/prometheus');

test.each([
  ['agent', filledAgent],
  ['controller', filledController],
] as const)('metrics of %s: promtool check metrics has nothing to say', async (_, fill) => {
  const { registry, step } = fill();
  step();
  expect(promtool(['check', 'metrics'], (await serveMetrics(registry)).body)).toEqual({ code: 0, output: '' });
  // It does find fault where there is some.
  expect(promtool(['check', 'metrics'], '# HELP x_ms a\n# TYPE x_ms counter\nx_ms 1\n').code).not.toBe(0);
});

test('the shipped configuration is valid, with certificates in place', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-promtool-'));
  try {
    fs.cpSync(deploy, folder, { recursive: true });
    fs.mkdirSync(path.join(folder, 'tls'));
    for (const name of ['ca.pem', 'cert.pem', 'key.pem']) fs.writeFileSync(path.join(folder, 'tls', name), '');
    fs.renameSync(path.join(folder, 'targets/agents.json.example'), path.join(folder, 'targets/agents.json'));
    const { code, output } = promtool(['check', 'config', path.join(folder, 'prometheus.yml')]);
    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining(`${alerts().length} rules found`) });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('the rules are valid', () => {
  expect(promtool(['check', 'rules', RULES])).toEqual({
    code: 0,
    output: expect.stringContaining(`SUCCESS: ${alerts().length} rules found`),
  });
});

test('each alert fires when it should, alone, and stays quiet next to that', () => {
  const file = path.join(deploy, 'tests/godwit.test.yml');
  expect(promtool(['test', 'rules', file])).toEqual({ code: 0, output: expect.stringContaining('SUCCESS') });
  const text = fs.readFileSync(file, 'utf8');
  for (const { alert } of alerts()) for (const what of ['fires', 'quiet']) expect(text).toContain(`'${alert}: ${what}`);
});
