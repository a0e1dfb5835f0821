/**
 * Writes what is made from the catalogue: docs/metrics.md and the dashboards of deploy/grafana. Run it after a change
 * of the catalogue; a test fails while they differ.
 *
 *     npx tsc -b packages/metrics && node packages/metrics/bin/write-reference.mjs
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const { dashboardFiles, metricsReference } = createRequire(import.meta.url)('..');
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

const write = (file, text) => {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
};

write('docs/metrics.md', metricsReference());
for (const { name, text } of dashboardFiles()) write(`deploy/grafana/dashboards/${name}`, text);
