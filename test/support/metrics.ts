import { allExpressions } from '../../deploy/observability/render.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { labelsAskedFor } from './promql.ts';

/** Labels that Prometheus gives to whatever it reads from a target. */
const OF_THE_TARGET = ['namespace', 'pod'];

/** What `/metrics` of a service says now. */
export async function metricsAt(url: string | undefined): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

/** The value of one series, by its name with labels as it is written; undefined where it is not there. */
export function sampleOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

/** The values of all series of a metric. */
export function samplesOf(text: string, name: string): number[] {
  return [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
    Number(value),
  );
}

/** The names of all metrics that are described there. */
export function metricNames(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) => name);
}

/** The labels of each metric that is described there: those of its series, and those that it is made with. */
export function metricLabels(text: string): Map<string, Set<string>> {
  const labels = new Map(metricNames(text).map((name) => [name, new Set<string>()]));
  const add = (name: string, label: string) => labels.get(name)?.add(label);
  for (const [, series = '', of = ''] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm))
    for (const [, label = ''] of of.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) {
      add(series, label);
      add(withoutEnding(series), label);
    }
  // Where nothing has been counted yet there are no series.
  for (const metric of createMetrics().registry.getMetricsAsArray())
    if ('labelNames' in metric) for (const label of metric.labelNames as string[]) add(metric.name, label);
  return labels;
}

/** Metrics and labels that an expression asks for, and that are not among these. */
export function missingFrom(labels: ReadonlyMap<string, ReadonlySet<string>>, expression: string): string[] {
  return [...labelsAskedFor(expression)].flatMap(([series, asked]) => {
    const has = labels.get(series) ?? labels.get(withoutEnding(series));
    if (has === undefined) return [series];
    return [...asked]
      .filter((label) => !has.has(label) && !OF_THE_TARGET.includes(label))
      .map((label) => `${series}{${label}}`);
  });
}

/** Metrics and labels that a dashboard or an alert asks for, and that this service does not show. */
export async function queriedButMissing(url: string | undefined): Promise<string[]> {
  const labels = metricLabels(await metricsAt(url));
  return [...new Set(allExpressions().flatMap((expression) => missingFrom(labels, expression)))].sort();
}

function withoutEnding(series: string): string {
  return series.replace(/_(?:bucket|count|sum)$/, '');
}
