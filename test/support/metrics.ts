import { allExpressions, metricsIn } from '../../deploy/observability/render.ts';

/** What `/metrics` of a service says now. */
export async function metricsAt(url: string | undefined): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

/** The value of one series, by its name with labels as it is written; undefined where it is not there. */
export function sampleOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

/** The names of all metrics that are described there. */
export function metricNames(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) => name);
}

/** Metrics that a dashboard or an alert asks for, and that this service does not show. */
export async function queriedButMissing(url: string | undefined): Promise<string[]> {
  const names = metricNames(await metricsAt(url));
  return [...new Set(allExpressions().flatMap(metricsIn))].filter((name) => !names.includes(name)).sort();
}
