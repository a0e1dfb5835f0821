/** The part of Grafana's dashboard model (schema 36, Grafana 9 and later) that ours need, built from rows of panels. */

export type PanelUnit = 's' | 'bytes' | 'Bps' | 'percentunit' | 'short' | 'ops' | 'dateTimeFromNow';

export interface Query {
  readonly expr: string;
  /** Grafana's template for the line's name: `{{host}}`. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly kind: 'timeseries' | 'stat' | 'heatmap' | 'table';
  readonly unit: PanelUnit;
  readonly help: string;
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
  /** A value from which on it is red. */
  readonly alarmFrom?: number;
}

export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A choice at the head of the dashboard: the values of a metric's label. */
export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly metric: string;
  /** Selectors that narrow it down, by variables that stand before it. */
  readonly where?: string;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly help: string;
  readonly variables: readonly Variable[];
  readonly sections: readonly Section[];
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's variable, filled in by it
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 24;
const SIZES = { stat: { w: 4, h: 4 }, timeseries: { w: 12, h: 8 }, heatmap: { w: 12, h: 8 }, table: { w: 24, h: 8 } };

/** As Grafana's provisioning reads it. */
export function dashboardJson(dashboard: Dashboard): string {
  const { uid, title, help, variables, sections } = dashboard;
  return `${JSON.stringify(
    {
      uid,
      title,
      description: help,
      tags: ['godwit'],
      schemaVersion: 36,
      version: 1,
      editable: true,
      graphTooltip: 1,
      refresh: '10s',
      time: { from: 'now-1h', to: 'now' },
      links: [{ type: 'dashboards', tags: ['godwit'], title: 'Godwit', asDropdown: true, keepTime: true, includeVars: true }],
      templating: { list: [datasourceVariable(), ...variables.map(queryVariable)] },
      annotations: { list: [] },
      panels: layOut(sections),
    },
    null,
    2,
  )}\n`;
}

const datasourceVariable = () => ({ name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', hide: 0 });

const queryVariable = ({ name, label, metric, where = '' }: Variable) => {
  const query = `label_values(${metric}${where && `{${where}}`}, ${name})`;
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    includeAll: true,
    multi: true,
    // Not '.*', which series without the label match, too.
    allValue: '.+',
    current: { text: 'All', value: '$__all' },
  };
};

/** Panels from left to right, each section below its title. */
function layOut(sections: readonly Section[]): object[] {
  const out: object[] = [];
  let id = 1;
  let y = 0;
  for (const { title, panels } of sections) {
    out.push({ id: id++, type: 'row', title, collapsed: false, gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 }, panels: [] });
    let x = 0;
    let height = 0;
    for (const panel of panels) {
      const size = SIZES[panel.kind];
      if (x + size.w > COLUMNS) {
        x = 0;
        y += height;
        height = 0;
      }
      out.push(panelJson(panel, id++, { x, y, ...size }));
      x += size.w;
      height = Math.max(height, size.h);
    }
    y += height;
  }
  return out;
}

function panelJson({ title, kind, unit, help, queries, stacked, alarmFrom }: Panel, id: number, gridPos: object): object {
  const steps = [{ color: 'green', value: null }, ...(alarmFrom === undefined ? [] : [{ color: 'red', value: alarmFrom }])];
  return {
    id,
    type: kind,
    title,
    description: help,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: {
      defaults: {
        unit,
        min: unit === 'dateTimeFromNow' ? undefined : 0,
        thresholds: { mode: 'absolute', steps },
        custom:
          kind === 'timeseries'
            ? { fillOpacity: stacked ? 30 : 8, lineWidth: 1, showPoints: 'never', stacking: { mode: stacked ? 'normal' : 'none' } }
            : undefined,
      },
      overrides: [],
    },
    options: OPTIONS[kind],
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      ...(kind === 'heatmap' ? { format: 'heatmap' } : {}),
      ...(kind === 'table' ? { format: 'table', instant: true } : {}),
      ...(kind === 'stat' ? { instant: true } : {}),
    })),
  };
}

const OPTIONS = {
  timeseries: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'multi', sort: 'desc' } },
  stat: { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'none', textMode: 'auto' },
  heatmap: { calculate: false, yAxis: { unit: 's' } },
  table: { showHeader: true },
};
