import { expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { startService } from '../../src/service.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { VERSION } from '../../src/version.ts';
import { unknownGauge } from '../../src/worker/gauges.ts';
import { uuidIn } from '../support/api/retries.ts';
import { ALL_FAILURES } from '../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { metricNames, metricsAt, sampleOf } from '../support/metrics.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

const engine = useEngine();
const scene = useScenes(engine);

/** Waits until `/metrics` of the engine shows these values. */
async function shows(expected: Record<string, number>): Promise<void> {
  let last: Record<string, number | undefined> = {};
  await eventually(
    'the metrics show it',
    async () => {
      const text = await metricsAt(engine.service.url);
      last = Object.fromEntries(Object.keys(expected).map((series) => [series, sampleOf(text, series)]));
      return Object.entries(expected).every(([series, value]) => last[series] === value);
    },
    { withinMs: 30_000, otherwise: () => JSON.stringify(last) },
  );
}

test('a running service says what it is, who works, and how its connections are used', async () => {
  await shows({
    [`redrive_build_info{version="${VERSION}",node="${process.version}"}`]: 1,
    'redrive_workers{state="alive"}': 1,
    'redrive_workers{state="polling"}': 1,
    redrive_temporal_connected: 1,
    'redrive_operations_halted_total{reason="canary"}': 0,
    'redrive_pool_waiting{pool="worker"}': 0,
  });
  const text = await metricsAt(engine.service.url);
  expect(sampleOf(text, 'redrive_gauges_read_timestamp_seconds{part="quick"}')).toBeGreaterThan(
    1_700_000_000,
  );
  for (const pool of ['api', 'worker', 'live', 'health'])
    expect(text).toContain(`redrive_pool_connections{pool="${pool}",state="idle"}`);
});

test('it measures claims and the writing of outcomes, by the core of Temporal what that does', async () => {
  const it = await scene([ok]);
  await it.seed(20);
  const { id } = await it.retries.start(ALL_FAILURES);
  await it.retries.reaches(id, ['completed']);
  const text = await metricsAt(engine.service.url);
  expect(sampleOf(text, 'redrive_claim_duration_seconds_count{lane="bulk"}')).toBeGreaterThan(0);
  expect(sampleOf(text, 'redrive_record_duration_seconds_count')).toBeGreaterThan(0);
  expect(metricNames(text)).toEqual(
    expect.arrayContaining(['temporal_request_total', 'temporal_worker_task_slots_available']),
  );
});

test('refusals are counted by method, route and code', async () => {
  const { key } = await engine.client.newTenant('refused');
  await engine.client.expect(400, 'POST', '/api/v1/events', { key, body: { payload: {} } });
  await engine.client.expect(401, 'GET', '/api/v1/events', { key: 'rdk_none' });
  await shows({
    'redrive_requests_refused_total{method="POST",route="/api/v1/events",code="invalid_request"}': 1,
    'redrive_requests_refused_total{method="GET",route="/api/v1/events",code="credential_invalid"}': 1,
  });
});

test('the state of the whole installation is shown as Postgres has it', async () => {
  const { pool } = engine.database;
  const it = await scene([ok, ok, ok]);
  await it.seed(3, [0]);
  const [open, half, out] = it.endpoints.map(({ id }) => uuidIn('endpoint', id));
  const before = (await pool.query(`select count(*)::int as count from endpoints where state = 'enabled'`))
    .rows[0].count;
  await pool.query(
    `update endpoint_pacing set openings = 1, floor_until = 'infinity' where endpoint_id = $1`,
    [open],
  );
  await pool.query(`update endpoint_pacing set openings = 1 where endpoint_id = $1`, [half]);
  const tenantId = uuidIn('tenant', it.tenant.id);
  await pool.query(
    // Nobody looks at it, and so nobody ends it.
    `insert into outages (tenant_id, endpoint_id, cause, began_at, reaches_back_to, look_at)
     values ($1, $2, 'circuit_open', now(), now(), 'infinity')`,
    [tenantId, out],
  );
  await pool.query(
    `update deliveries set state = 'unknown' where id in (select id from deliveries where tenant_id = $1 limit 2)`,
    [tenantId],
  );
  await shows({
    'redrive_endpoints{circuit="open"}': 1,
    'redrive_endpoints{circuit="half_open"}': 1,
    'redrive_endpoints{circuit="closed"}': before - 2,
    redrive_outages_open: 1,
    redrive_unknown_waiting: 2,
    redrive_audit_unsealed_age_seconds: 0,
  });
});

test('unknown outcomes are counted by one worker of all, and by another when that is gone', async () => {
  const { pool } = engine.database;
  const it = await scene([ok]);
  await it.seed(1);
  await pool.query(`update deliveries set state = 'unknown' where tenant_id = $1`, [
    uuidIn('tenant', it.tenant.id),
  ]);
  let isTheOne = false;
  const metrics = createMetrics();
  const look = unknownGauge(metrics, pool, () => isTheOne);
  const shown = async () => {
    await look();
    return sampleOf(await metrics.registry.metrics(), 'redrive_unknown_waiting');
  };
  expect(await shown()).toBeUndefined();
  isTheOne = true;
  expect(await shown()).toBeGreaterThan(0);
  // Its word would stand beside that of the one that counts now.
  isTheOne = false;
  expect(await shown()).toBeUndefined();
});

test('items of open operations are counted by part', async () => {
  const it = await scene([ok]);
  await it.seed(7);
  const { id } = await it.retries.start({ ...ALL_FAILURES, options: { maxConcurrency: 1 } });
  await it.retries.reaches(id, ['completed']);
  // Ended operations are not among them.
  await shows({
    'redrive_operation_items{part="queued"}': 0,
    'redrive_operation_items{part="delivered"}': 0,
  });
});

test('a worker without an API answers on a port of its own, and nothing there is for anybody else', async () => {
  const worker = await startService({
    ...engine.options,
    config: { ...engine.options.config, metricsPort: 0 },
    roles: { api: false, worker: true },
  });
  try {
    expect(worker.url).toBeUndefined();
    const health = await fetch(`${worker.metricsUrl}/healthz`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'alive', version: VERSION }]);
    await eventually('it is ready', async () => (await fetch(`${worker.metricsUrl}/readyz`)).ok);
    await eventually('it has read the gauges', async () =>
      Boolean(
        sampleOf(await metricsAt(worker.metricsUrl), 'redrive_gauges_read_timestamp_seconds{part="quick"}'),
      ),
    );
    expect((await fetch(`${worker.metricsUrl}/api/v1/tenants`)).status).toBe(404);
    expect((await fetch(`${worker.metricsUrl}/metrics`, { method: 'POST' })).status).toBe(405);
  } finally {
    await worker.stop();
  }
  await expect(fetch(`${worker.metricsUrl}/healthz`)).rejects.toThrow();
});

test('a port for operators that is taken ends the start with the variable to change', async () => {
  const taken = new URL(engine.service.url ?? '').port;
  await expect(
    startService({
      ...engine.options,
      config: { ...engine.options.config, metricsPort: Number(taken) },
      roles: { api: false, worker: true },
    }),
  ).rejects.toThrow('set REDRIVE_METRICS_PORT to a free port');
});

test('the age of the live lane is that of work which a worker could do, and not that of an endpoint that rests', async () => {
  const { pool } = engine.database;
  const it = await scene([ok]);
  await it.seed(1);
  const endpoint = uuidIn('endpoint', it.endpoints[0].id);
  await pool.query(`update endpoint_pacing set floor_until = 'infinity' where endpoint_id = $1`, [endpoint]);
  await pool.query(
    `insert into executions (id, tenant_id, delivery_id, endpoint_id, state, due_at, give_up_at)
     select $1, tenant_id, id, endpoint_id, 'queued', now() - interval '1 hour', 'infinity'
     from deliveries where endpoint_id = $2 limit 1`,
    [uuidv7(), endpoint],
  );
  await shows({
    'redrive_queue_depth{lane="live",state="queued"}': 1,
    'redrive_queue_oldest_age_seconds{lane="live"}': 0,
  });
});
