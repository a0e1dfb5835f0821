/** Proves that docs/metrics.md and the dashboards are those that the catalogue makes. */
import fs from 'node:fs';
import path from 'node:path';
import { dashboardFiles } from './grafana';
import { metricsReference } from './reference';

const root = path.join(__dirname, '../../..');
const HOW = 'run: npx tsc -b packages/metrics && node packages/metrics/bin/write-reference.mjs';
const committed = (file: string): string => fs.readFileSync(path.join(root, file), 'utf8');
const state = (file: string, made: string): string => (committed(file) === made ? 'as made' : `${file} is out of date; ${HOW}`);

test('docs/metrics.md is up to date', () => {
  expect(state('docs/metrics.md', metricsReference())).toBe('as made');
});

test.each(dashboardFiles().map(({ name, text }) => [name, text]))('%s is up to date', (name, text) => {
  expect(state(`deploy/grafana/dashboards/${name}`, text)).toBe('as made');
});

test('no dashboard is left over', () => {
  expect(fs.readdirSync(path.join(root, 'deploy/grafana/dashboards')).sort()).toEqual(
    dashboardFiles()
      .map(({ name }) => name)
      .sort(),
  );
});
