/** docs/metrics.md, made from the catalogue. */
import { labelsOf, SECTIONS } from './catalogue';
import type { LabelTable, Row, Source } from './catalogue/row';

const HEAD = `# Metrics

<!-- Made from packages/metrics/src/catalogue by packages/metrics/bin/write-reference.mjs. Do not edit. -->

Agents and controllers serve these at \`/metrics\`, as Prometheus text or OpenMetrics. [deploy/prometheus](../deploy/prometheus) has a configuration and alerts, [deploy/grafana](../deploy/grafana) dashboards, [runbooks](runbooks) a page for each alert.

- **A scrape disturbs nothing.** An agent fetches its VMs' counters every ten seconds, whoever scrapes; a scrape writes down what came last and asks no VM, datastore or store. \`godwit_vm_counters_timestamp_seconds\` tells when that was.
- **Counters of a VM never go back** while its agent runs, also when its process is another one than before. They go when the VM leaves the host, and begin at 0 on the next one: with the name of the host on each series, rates are right across a migration. What a VM did between the last fetch and its leaving is not in them.
- **Labels are bounded**: VMs, hosts, disks and datastores by name, everything else has the values listed here. What is not listed counts as \`other\`. No label ever holds a migration's id: events and \`godwit migration show\` tell of single migrations.
- \`vm\` is the VM's name, \`vm_id\` its UUID. An agent has \`host\` on each of its series.
- **From** names the counters in \`VmmStats.counters\` (proto/godwit/v1/vmm.proto) that feed a series; \`#\` is the number of a disk or adapter, \`− name\` is taken away. Other metrics are set by the exporting process itself.
`;

export function metricsReference(): string {
  const parts = [HEAD];
  for (const { title, rows } of SECTIONS) {
    parts.push(`## ${title}\n`);
    for (const [name, row] of Object.entries(rows) as [string, Row][]) parts.push(entry(name, row));
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

function entry(name: string, row: Row): string {
  const facts = [`${row.type}, ${EXPORTERS[row.exporter]}`];
  const labels = labelsOf(row).map((label) => labelText(label, row.labels));
  if (labels.length > 0) facts.push(`labels: ${labels.join('; ')}`);
  if (row.buckets) facts.push(`buckets: ${row.buckets.join(', ')}`);
  if (row.sources) facts.push(`from: ${row.sources.map((source) => sourceText(source, row.type)).join(', ')}`);
  return `### \`${name}\`\n\n${row.help}\n\n${facts.map((fact) => `- ${fact}`).join('\n')}\n`;
}

const EXPORTERS = { agent: 'agent', controller: 'controller', both: 'agent and controller' };

function labelText(label: string, table: LabelTable): string {
  const values = table[label];
  return values ? `\`${label}\` (${values.join(', ')})` : `\`${label}\``;
}

function sourceText({ name, less = [], scale }: Source, type: Row['type']): string {
  const names = type === 'histogram' ? `\`${name}_le_BOUND\`, \`${name}_sum\`, \`${name}_count\`` : `\`${name}\``;
  return `${names}${less.map((other) => ` − \`${other}\``).join('')}${scale === undefined ? '' : ` × ${scale}`}`;
}
