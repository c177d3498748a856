import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { DASHBOARDS } from '../../deploy/observability/dashboards.ts';
import { allExpressions, metricsIn, renderObservability } from '../../deploy/observability/render.ts';
import { OPERATION_STATES } from '../../src/domain/operations/operation-state.ts';
import { ALL_FAILURES } from '../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { metricLabels, metricNames, metricsAt, missingFrom, queriedButMissing } from '../support/metrics.ts';
import { labelsAskedFor, valuesAskedFor } from '../support/promql.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

const engine = useEngine();
const scene = useScenes(engine);

test('every metric and every label that a dashboard or an alert asks for is shown by a service that has recovered something', async () => {
  const it = await scene([ok]);
  await it.seed(30);
  const { id } = await it.retries.start(ALL_FAILURES);
  await it.retries.reaches(id, ['completed']);
  expect(new Set(allExpressions().flatMap(metricsIn)).size).toBeGreaterThan(25);
  let missing: string[] = [];
  await eventually(
    'all of them are there',
    async () => {
      missing = await queriedButMissing(engine.service.url);
      return missing.length === 0;
    },
    { withinMs: 30_000, otherwise: () => missing.join(', ') },
  );
});

test('every value that a label is asked for is one that it has', async () => {
  const { key } = await engine.client.newTenant('asked-for');
  await engine.client.expect(202, 'POST', '/api/v1/events', { key, body: { type: 'a', payload: {} } });
  await engine.client.expect(400, 'POST', '/api/v1/events', { key, body: {} });
  await engine.client.call('GET', '/readyz');
  const text = await metricsAt(engine.service.url);
  // There are none of those here.
  const others = OPERATION_STATES.map((state) => `redrive_operations{state="${state}"} 0`);
  const shown = [...text.split('\n'), ...others];
  const unknown = allExpressions()
    .flatMap(valuesAskedFor)
    .filter(({ series, label, value }) => {
      const of = `${label}="${value}"`;
      return !shown.some((line) => line.startsWith(`${series}{`) && line.includes(of));
    });
  expect(unknown).toEqual([]);
});

test('a label that no metric has is found, wherever an expression asks for it', () => {
  const text = [
    ...['# TYPE redrive_in_flight gauge', 'redrive_in_flight{lane="live"} 1'],
    ...['# TYPE redrive_some histogram', 'redrive_some_bucket{le="1"} 1', 'redrive_some_count 1'],
  ].join('\n');
  const missing = (expression: string) => missingFrom(metricLabels(text), expression);
  expect(missing('sum by (lane, namespace) (redrive_in_flight{pod="a", lane="live"})')).toEqual([]);
  expect(missing('histogram_quantile(0.5, sum by (le) (rate(redrive_some_bucket[5m])))')).toEqual([]);
  expect(missing('redrive_in_flight{lame="live"} > 0')).toEqual(['redrive_in_flight{lame}']);
  expect(missing('max by (route) (redrive_in_flight)')).toEqual(['redrive_in_flight{route}']);
  expect(missing('redrive_in_flight unless on (code) redrive_some_count')).toEqual([
    'redrive_in_flight{code}',
    'redrive_some_count{code}',
  ]);
  expect(missing('redrive_none')).toEqual(['redrive_none']);
  expect(() => missing('sum by (redrive_in_flight')).toThrow('no PromQL');
});

test('a legend names labels that its query leaves', () => {
  const wrong = DASHBOARDS.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries)).filter(
    ([expression, legend]) => {
      const asked = [...labelsAskedFor(expression).values()].flatMap((labels) => [...labels]);
      return [...legend.matchAll(/\{\{(\w+)\}\}/g)].some(
        ([, label = '']) => ![...asked, 'pod'].includes(label),
      );
    },
  );
  expect(wrong).toEqual([]);
});

test('every metric of ours is shown by a dashboard or watched by an alert', async () => {
  const queried = new Set(allExpressions().flatMap(metricsIn));
  const own = metricNames(await metricsAt(engine.service.url)).filter((name) => name.startsWith('redrive_'));
  expect(own.filter((name) => !queried.has(name))).toEqual([]);
});

test('no query sums what every worker shows of the whole', () => {
  const whole =
    /sum[^(]*\([^()]*\bredrive_(?:queue|operations\{|operation_items|unknown|endpoints|outages|workers|temporal_connected|retention|audit|sealed)/;
  expect(allExpressions().filter((expression) => whole.test(expression))).toEqual([]);
});

test('dashboards are what Grafana reads: one of each uid, panels with ids of their own that do not lie on each other', async () => {
  const files = [...renderObservability()].filter(([file]) => file.endsWith('.json'));
  expect(files).toHaveLength(4);
  const uids = new Set<string>();
  for (const [file, content] of files) {
    expect(await readFile(file, 'utf8')).toBe(content);
    const dashboard = JSON.parse(content);
    uids.add(dashboard.uid);
    expect(dashboard).toMatchObject({
      schemaVersion: 39,
      title: expect.any(String),
      templating: { list: [{}, {}] },
    });
    const ids = dashboard.panels.map(({ id }: { id: number }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Set<string>();
    for (const { gridPos, targets } of dashboard.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      expect(targets.length).toBeGreaterThan(0);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken).not.toContain(`${x} ${y}`);
          taken.add(`${x} ${y}`);
        }
    }
  }
  expect(uids.size).toBe(4);
  expect(DASHBOARDS.flatMap(({ panels }) => panels).filter(({ says }) => says === '')).toEqual([]);
});
