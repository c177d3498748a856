import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { DASHBOARDS } from '../../deploy/observability/dashboards.ts';
import { allExpressions, metricsIn, renderObservability } from '../../deploy/observability/render.ts';
import { ALL_FAILURES } from '../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { metricNames, metricsAt, queriedButMissing } from '../support/metrics.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

const engine = useEngine();
const scene = useScenes(engine);

test('every metric that a dashboard or an alert asks for is shown by a service that has recovered something', async () => {
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
