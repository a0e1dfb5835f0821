/** Every expression that is shipped: of alerts and of dashboards, with what surrounds it. */
import fs from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { DASHBOARDS } from '../../../packages/metrics/src';

export const root = path.join(__dirname, '../../..');
export const RULES = path.join(root, 'deploy/prometheus/rules/godwit.yml');

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export const alerts = (): Alert[] =>
  (parse(fs.readFileSync(RULES, 'utf8')) as { groups: { rules: Alert[] }[] }).groups.flatMap(({ rules }) => rules);

export interface Shipped {
  readonly where: string;
  readonly expr: string;
  /** Labels that its text speaks of. */
  readonly spoken: readonly string[];
  readonly alert: boolean;
}

const spokenIn = (text: string, form: RegExp): string[] => [...text.matchAll(form)].map(([, label]) => label);

/** Grafana's variables filled in: everything, and a window that a short test fills. */
const filled = (expr: string): string => expr.replaceAll('$__rate_interval', '1m').replace(/\$(host|vm)\b/g, '.+');

export const shipped = (): Shipped[] => [
  ...alerts().map(({ alert, expr, annotations }) => ({
    where: `alert ${alert}`,
    expr,
    spoken: spokenIn(Object.values(annotations).join(' '), /\$labels\.(\w+)/g),
    alert: true,
  })),
  ...DASHBOARDS.flatMap(({ title, sections }) =>
    sections.flatMap(({ panels }) =>
      panels.flatMap((panel) =>
        panel.queries.map(({ expr, legend }) => ({
          where: `${title}: ${panel.title}`,
          expr: filled(expr),
          spoken: spokenIn(legend, /\{\{(\w+)\}\}/g),
          alert: false,
        })),
      ),
    ),
  ),
];
