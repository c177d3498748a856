import { expect, test } from '@jest/globals';
import { Gauge } from 'prom-client';
import { createPool } from '../../src/store/db/pool.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { counted, showSlowGauges, unknownGauge } from '../../src/worker/gauges.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { metricsAt, sampleOf, samplesOf } from '../support/metrics.ts';
import { closedAfterEach } from '../support/use.ts';
import { SITUATIONS } from './gauge-situations.ts';

const engine = useEngine();
const scene = useScenes(engine);
const closing = closedAfterEach();

const MINUTE_MS = 60_000;

test('every gauge has a value in a situation that it is there for', async () => {
  const gauges = createMetrics()
    .registry.getMetricsAsArray()
    .filter((metric) => metric instanceof Gauge)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('redrive_'));
  expect(gauges.sort()).toEqual(Object.keys(SITUATIONS).sort());
  const world = { engine, scene, closing };
  const elsewhere = new Map<string, () => Promise<string>>();
  for (const [name, { arrange, apart }] of Object.entries(SITUATIONS)) {
    await arrange?.(world);
    const metrics = await apart?.(world);
    if (metrics) elsewhere.set(name, () => metrics.registry.metrics());
  }
  // Those of other situations may be over by then.
  const without = new Set(gauges);
  await eventually(
    'each of them has been above 0',
    async () => {
      const text = await metricsAt(engine.service.url);
      for (const name of without) {
        const own = elsewhere.get(name);
        if (samplesOf(own ? await own() : text, name).some((value) => value > 0)) without.delete(name);
      }
      return without.size === 0;
    },
    { withinMs: 60_000, otherwise: () => [...without].join(', ') },
  );
});

test('gauges that are read seldom have no samples before they were read, and none of what is five minutes old', async () => {
  let now = 1_000 * MINUTE_MS;
  const metrics = createMetrics(new Map(), () => now);
  const { pool } = engine.database;
  expect(await seldom(metrics)).toEqual([]);
  await showSlowGauges(metrics, pool);
  await unknownGauge(metrics, pool, () => true)();
  const shown = await seldom(metrics);
  expect(new Set(shown)).toEqual(
    new Set([
      ...['redrive_unknown_waiting', 'redrive_endpoints', 'redrive_outages_open'],
      ...[
        'redrive_retention_lag_seconds',
        'redrive_retention_held_seconds',
        'redrive_audit_unsigned_age_seconds',
      ],
      ...['redrive_partition_weeks_ahead', 'redrive_partition_oldest_age_seconds'],
    ]),
  );
  now += 5 * MINUTE_MS;
  expect(await seldom(metrics)).toEqual(shown);
  now += 1;
  expect(await seldom(metrics)).toEqual([]);
  await showSlowGauges(metrics, pool);
  expect(await seldom(metrics)).toEqual(shown.filter((name) => name !== 'redrive_unknown_waiting'));
});

test('a reading that fails is counted, and leaves the time of the last one as it was', async () => {
  const metrics = createMetrics(new Map(), () => 7_000_000);
  metrics.read.expected();
  const gone = createPool(engine.database.url, { max: 1 });
  await showSlowGauges(metrics, gone);
  await gone.end();
  await expect(counted(metrics, 'slow', () => showSlowGauges(metrics, gone))()).rejects.toThrow();
  const text = await metrics.registry.metrics();
  expect(sampleOf(text, 'redrive_gauges_failed_total{part="slow"}')).toBe(1);
  expect(sampleOf(text, 'redrive_gauges_failed_total{part="unknown"}')).toBe(0);
  expect(sampleOf(text, 'redrive_gauges_read_timestamp_seconds{part="slow"}')).toBe(7_000);
  expect(sampleOf(text, 'redrive_gauges_read_timestamp_seconds{part="unknown"}')).toBe(0);
});

/** The names of the samples that the gauges which are read seldom have. */
async function seldom({ registry }: Metrics): Promise<string[]> {
  const text = await registry.metrics();
  return [
    ...['redrive_unknown_waiting', 'redrive_endpoints', 'redrive_outages_open'],
    ...[
      'redrive_retention_lag_seconds',
      'redrive_retention_held_seconds',
      'redrive_audit_unsigned_age_seconds',
    ],
    ...['redrive_partition_weeks_ahead', 'redrive_partition_oldest_age_seconds'],
  ].flatMap((name) => samplesOf(text, name).map(() => name));
}
