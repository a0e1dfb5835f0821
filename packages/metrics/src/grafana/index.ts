import { CLUSTER } from './cluster';
import { type Dashboard, dashboardJson } from './dashboard';
import { HOST_DASHBOARD } from './host';
import { MIGRATION } from './migration';
import { VM_DASHBOARD } from './vm';

export const DASHBOARDS: readonly Dashboard[] = [CLUSTER, HOST_DASHBOARD, VM_DASHBOARD, MIGRATION];

/** File names and contents for deploy/grafana/dashboards. */
export const dashboardFiles = (): readonly { readonly name: string; readonly text: string }[] =>
  DASHBOARDS.map((dashboard) => ({ name: `${dashboard.uid}.json`, text: dashboardJson(dashboard) }));
