import type { TestApi } from '../api/test-api.ts';

/** Ids of a delivery as they are shown. */
export type SeededDelivery = { eventId: string; deliveryId: string; executionId: string };

/** Makes an endpoint for everything; its id. */
export async function seedEndpoint(api: TestApi, key = api.key, change: object = {}): Promise<string> {
  const made = await api.call('POST', '/api/v1/endpoints', {
    key,
    body: { url: 'https://hooks.example/in', ...change },
  });
  if (made.status !== 201) throw new Error(made.text);
  return made.body.id;
}

/** Accepts events of which each is delivered to one endpoint, and lets these deliveries fail after one attempt. */
export async function seedFailedDeliveries(
  api: TestApi,
  count: number,
  key = api.key,
): Promise<SeededDelivery[]> {
  const body = Array.from({ length: count }, (_, n) => ({
    type: 'seeded',
    key: `k${n}`,
    source: 'seed',
    payload: { n },
  }));
  const accepted = await api.call('POST', '/api/v1/events', { key, body });
  if (accepted.status !== 202) throw new Error(accepted.text);
  const seeded: SeededDelivery[] = [];
  for (const { eventId } of accepted.body) {
    const event = await api.call('GET', `/api/v1/events/${eventId}`, { key });
    const deliveryId: string = event.body.deliveries[0].id;
    const delivery = await api.call('GET', `/api/v1/deliveries/${deliveryId}`, { key });
    seeded.push({ eventId, deliveryId, executionId: delivery.body.executions[0].id });
  }
  await failAll(
    api,
    seeded.map(({ executionId }) => api.uuid(executionId)),
  );
  return seeded;
}

/** Records one refused attempt for each execution and ends it, as a sender would. */
async function failAll({ database: { pool } }: TestApi, executionIds: string[]): Promise<void> {
  await pool.query(
    `update executions set state = 'sending', lease_token = uuidv7() where id = any($1::uuid[])`,
    [executionIds],
  );
  await pool.query(
    `insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome,
      fault_code, http_status, response_excerpt)
     select id, 1, tenant_id, 1, now(), 12, 'permanent', 'http_4xx', 404, '\\x6e6fff'
     from executions where id = any($1::uuid[])`,
    [executionIds],
  );
  await pool.query(
    `update executions set state = 'failed', lease_token = null, attempts = 1, reason = 'permanent', finished_at = now()
     where id = any($1::uuid[])`,
    [executionIds],
  );
  await pool.query(
    `update deliveries d set state = 'failed', state_changed_at = now(), attempts = 1, last_attempt_at = now(),
      fault_code = 'http_4xx', http_status = 404, original_version = 1
     from executions e where e.delivery_id = d.id and e.id = any($1::uuid[])`,
    [executionIds],
  );
}
