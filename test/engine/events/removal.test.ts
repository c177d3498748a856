import { expect, test } from '@jest/globals';
import { uuidIn } from '../../support/api/retries.ts';
import { useEngine, useScenes, useTemporal } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { ok, status } from '../../support/receivers/receiver-behaviour.ts';

useTemporal();
const engine = useEngine();
const scene = useScenes(engine);

test('events that are past their term go beside a bulk operation, a plan and ingest, and take nothing of these with them', async () => {
  const { tenant, endpoints, receivers, retries, seed, ids } = await scene([ok, status(500)], {
    protect: false,
  });
  const tenantId = uuidIn('tenant', tenant.id);
  const [first, second] = endpoints.map(({ id }) => id);
  await seed(200, [0]);
  await seed(50, [1]);
  const planned = await ids(`endpoint_id = '${uuidIn('endpoint', second)}'`);
  const { body: plan } = await engine.client.expect(201, 'POST', '/api/v1/retries/plans', {
    key: tenant.key,
    body: { select: { filter: { endpointIds: [second] } } },
  });
  const planPath = `/api/v1/retries/plans/${plan.operationId}`;
  await eventually('the plan is made', async () => {
    const { body } = await engine.client.expect(200, 'GET', planPath, { key: tenant.key });
    return body.planHash !== null && body.planHash !== undefined;
  });
  const { id } = await retries.start({
    select: { filter: { endpointIds: [first] } },
    options: { ratePerSecond: 100 },
  });
  await eventually('all is selected, and not all is sent', async () => {
    const { body } = await engine.client.expect(200, 'GET', `/api/v1/retries/${id}`, { key: tenant.key });
    return body.counts.expected === 200;
  });
  // Shorter than anybody may set it: everything is past its term at once.
  await engine.database.pool.query(
    `update tenants set settings = '{"eventRetentionDays": 0}' where id = $1`,
    [tenantId],
  );
  const { body: sent } = await engine.client.expect(202, 'POST', '/api/v1/events', {
    key: tenant.key,
    body: Array.from({ length: 20 }, (_, n) => ({ type: 'made.meanwhile', payload: { n } })),
  });
  expect(sent).toHaveLength(20);

  const operation = await retries.ended(id);
  expect(operation).toMatchObject({ state: 'completed', counts: { expected: 200, delivered: 200 } });
  expect(receivers[0]?.requests).toHaveLength(220);
  const left = async () => (await ids()).join();
  await eventually('nothing but what is planned is left', async () => (await left()) === planned.join(), {
    withinMs: 30_000,
  });
  expect(await retries.report(id)).toMatchObject({ counts: operation.counts, attempts: 200 });
  expect(await retries.items(id)).toHaveLength(200);

  await engine.client.expect(200, 'POST', `/api/v1/retries/${plan.operationId}/cancel`, { key: tenant.key });
  await eventually('nothing is left', async () => (await left()) === '', { withinMs: 30_000 });
  expect(receivers[1]?.requests).toHaveLength(20);
});
