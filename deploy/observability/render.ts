import { stringify } from 'yaml';
import { ALERTS, type Alert } from './alerts.ts';
import { DASHBOARDS, type Dashboard, type Panel } from './dashboards.ts';

const CHART = 'deploy/helm/redrive';
const SOURCE = { type: 'prometheus', uid: '$source' };
const WIDTH = 24;
const STAT = { w: 6, h: 4 };
const LINES = { w: 12, h: 8 };

/** Grafana's schema wants every one of these; a panel without them is shown in another way by each version. */
const STAT_OPTIONS = {
  reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  ...{ colorMode: 'value', graphMode: 'none', justifyMode: 'auto', textMode: 'auto', wideLayout: true },
  ...{ orientation: 'auto', showPercentChange: false, percentChangeColorMode: 'standard' },
};
const LINES_OPTIONS = {
  legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
  tooltip: { mode: 'multi', sort: 'desc' },
};

/** The files that Grafana and Prometheus read, by their path. */
export function renderObservability(): Map<string, string> {
  return new Map([
    ...DASHBOARDS.map((dashboard): [string, string] => [
      `${CHART}/dashboards/${dashboard.uid}.json`,
      `${JSON.stringify(renderDashboard(dashboard), null, 2)}\n`,
    ]),
    [`${CHART}/rules/alerts.yaml`, renderAlerts()],
  ]);
}

function renderDashboard({ uid, title, says, panels }: Dashboard) {
  return {
    uid,
    title,
    description: says,
    tags: ['redrive'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'utc',
    annotations: { list: [] },
    templating: {
      list: [
        { name: 'source', label: 'Source', type: 'datasource', query: 'prometheus', hide: 0 },
        {
          ...{ name: 'namespace', label: 'Namespace', type: 'query', datasource: SOURCE, hide: 0 },
          query: 'label_values(redrive_build_info, namespace)',
          // Outside of a cluster there is no such label, which this value matches.
          ...{ includeAll: true, allValue: '.*', multi: true, refresh: 2, sort: 1 },
          current: { selected: true, text: ['All'], value: ['$__all'] },
        },
      ],
    },
    panels: placed(panels),
  };
}

/** Panels from left to right, each row as high as its highest. */
function placed(panels: readonly Panel[]) {
  let [x, y, high] = [0, 0, 0];
  return panels.map((panel, index) => {
    const { w, h } = panel.stat ? STAT : LINES;
    if (x + w > WIDTH || (high > 0 && h !== high)) [x, y, high] = [0, y + high, 0];
    const gridPos = { x, y, w, h };
    [x, high] = [x + w, h];
    return renderPanel(panel, index + 1, gridPos);
  });
}

function renderPanel({ title, says, unit, stat, queries }: Panel, id: number, gridPos: object) {
  return {
    id,
    title,
    description: says,
    type: stat ? 'stat' : 'timeseries',
    datasource: SOURCE,
    gridPos,
    fieldConfig: {
      defaults: { unit, ...(stat ? {} : { min: 0, custom: { fillOpacity: 8, showPoints: 'never' } }) },
      overrides: [],
    },
    options: stat ? STAT_OPTIONS : LINES_OPTIONS,
    targets: queries.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: SOURCE,
      expr,
      legendFormat,
    })),
  };
}

/** The rules as Prometheus reads them; the chart puts the same groups into a PrometheusRule. */
function renderAlerts(): string {
  const rule = ({ name, expr, for: holds, severity, summary, runbook }: Alert) => ({
    alert: name,
    expr,
    for: holds,
    labels: { severity },
    annotations: { summary, runbook: `docs/runbooks/${runbook}` },
  });
  const head =
    '# Made from deploy/observability/alerts.ts by `node scripts/observability.mjs`: do not edit.\n';
  return head + stringify({ groups: [{ name: 'redrive', rules: ALERTS.map(rule) }] }, { lineWidth: 0 });
}

/** The metrics that an expression of PromQL reads, without the endings of a histogram. */
export function metricsIn(expression: string): string[] {
  const names = expression.match(/\b(?:redrive|temporal|process|nodejs)_[a-z0-9_]+/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(?:bucket|count|sum)$/, '')))];
}

/** Every expression that a dashboard or an alert asks Prometheus for. */
export function allExpressions(): string[] {
  return [
    ...DASHBOARDS.flatMap(({ panels }) =>
      panels.flatMap(({ queries }) => queries.map(([expression]) => expression)),
    ),
    ...ALERTS.map(({ expr }) => expr),
  ];
}
