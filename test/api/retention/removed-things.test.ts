import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { verifyReport } from '../../../clients/typescript/src/index.ts';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';
import { anyId } from '../../support/store/any-id.ts';
import { closeOperation, newSigner } from '../../support/store/close-operation.ts';
import { removeOnce } from '../../support/store/retention.ts';
import { sendItems } from '../../support/store/send-items.ts';

/** What the surfaces answer for things that are past their term and gone. */

const api = useApi();
const once = (key: string) => ({ 'idempotency-key': key });
const sql = (text: string, values: unknown[] = []) => api.database.pool.query(text, values);
const get = (path: string, headers: Record<string, string> = {}) => api.call('GET', path, { headers });

let operation: string;
let counts: object;
let ledger: string;
/** Ids that calls are made with, by the name of the parameter or of the thing. */
let gone: Record<'event' | 'delivery' | 'execution' | 'receipt' | 'replay' | 'diagnostics', string>;
let tenantId: string;
let endpointId: string;

beforeAll(async () => {
  endpointId = await seedEndpoint(api);
  const [first, second] = await seedFailedDeliveries(api, 2);
  if (!first || !second) throw new Error('nothing was seeded');
  const receipt = showId('receipt', anyId(api.uuid(first.eventId)));
  const { body: made } = await api.call('POST', '/api/v1/retries', {
    body: { select: { deliveryIds: [first.deliveryId, second.deliveryId] } },
  });
  operation = made.id;
  await sendItems(api.database.pool, [api.uuid(endpointId)], () => 200);
  await closeOperation(api.database.pool, api.uuid(operation), { signer: newSigner(api.sealer) });
  const preview = await api.call('POST', `/flowrelay/v1/receipts/${receipt}/replay/preview`, {
    headers: once('replay-of-what-goes'),
    body: {},
  });
  const diagnostics = await api.call('POST', `/flowrelay/v1/receipts/${receipt}/diagnostics/preview`, {
    body: {},
  });
  await api.call('POST', `/flowrelay/v1/diagnostics/${diagnostics.body.diagnosticsId}/freeze`, { body: {} });
  gone = {
    event: first.eventId,
    delivery: first.deliveryId,
    execution: first.executionId,
    receipt,
    replay: preview.body.replayId,
    diagnostics: diagnostics.body.diagnosticsId,
  };
  const tenant = await api.call('GET', '/api/v1/tenants/acme', { key: api.adminKey });
  tenantId = api.uuid(tenant.body.id);
  ({ counts } = (await get(`/api/v1/retries/${operation}/report`)).body);
  ledger = (await get(`/api/v1/retries/${operation}/items`, { accept: 'application/x-ndjson' })).text;

  // Shorter than anybody may set it; replays count for a day.
  await sql(`update tenants set settings = '{"eventRetentionDays": 0}' where handle = 'acme'`);
  expect(await removeOnce(api.database.pool, anyId(tenantId))).toEqual({ events: 1, more: true });
  await sql(`update receipt_replays set created_at = now() - interval '2 days'`);
  expect(await removeOnce(api.database.pool, anyId(tenantId))).toEqual({ events: 1, more: true });
  expect((await sql('select from events union all select from receipt_diagnostics')).rowCount).toBe(0);
});

test('what is named by its own id is not there any more, on any surface', async () => {
  const { event, delivery, execution, receipt, replay, diagnostics } = gone;
  const paths = [
    `/api/v1/events/${event}`,
    `/api/v1/events/${event}?include=payload`,
    `/api/v1/deliveries/${delivery}`,
    `/api/v1/deliveries/${delivery}/advice`,
    `/api/v1/executions/${execution}`,
    `/flowrelay/v1/receipts/${receipt}`,
    `/flowrelay/v1/receipts/${receipt}/guide`,
    `/flowrelay/v1/replays/${replay}`,
    `/flowrelay/v1/diagnostics/${diagnostics}`,
    `/v1/tenants/acme/deliveries/${api.uuid(delivery)}`,
  ];
  for (const path of paths) expect([path, (await get(path)).status]).toEqual([path, 404]);
  for (const path of [`/executions/${execution}`, `/executions/${execution}/faults`])
    expect([path, (await get(path, { authorization: api.key })).status]).toEqual([path, 404]);
});

test('no read of any surface fails for it', async () => {
  const answers: [string, number][] = [];
  for (const surface of ['native', 'flowrelay', 'jack-henry', 'minka', 'stedi', 'zen-mesh']) {
    const { paths } = JSON.parse(await readFile(`openapi/${surface}.json`, 'utf8'));
    for (const [path, methods] of Object.entries(paths)) {
      if (!('get' in (methods as object)) || path.endsWith('/stream')) continue;
      const called = path.replace(/\{(\w+)\}/g, (_, name: string) => parameterOf(path, name));
      const headers: Record<string, string> = surface === 'stedi' ? { authorization: api.key } : {};
      answers.push([called, (await get(called, headers)).status]);
    }
  }
  expect(answers.length).toBeGreaterThan(50);
  expect(answers.filter(([, status]) => status >= 500)).toEqual([]);
});

function parameterOf(path: string, name: string): string {
  if (name === 'surface') return 'native';
  if (name === 'tid') return 'acme';
  if (name === 'institutionId') return tenantId;
  if (name === 'subscriptionId') return api.uuid(endpointId);
  if (name === 'did') return api.uuid(gone.delivery);
  if (name === 'deliveryId') return gone.delivery;
  if (name === 'replay_id') return operation;
  if (path.includes('/tenants/')) return 'acme';
  if (path.includes('/endpoints/')) return endpointId;
  if (path.includes('/events/')) return gone.event;
  if (path.includes('/deliveries/')) return gone.delivery;
  if (path.includes('executions/')) return gone.execution;
  if (path.includes('/receipts/')) return gone.receipt;
  if (path.includes('flowrelay/v1/replays/')) return gone.replay;
  if (path.includes('/diagnostics/')) return gone.diagnostics;
  return operation;
}

test('nobody retries, replays or acknowledges it, and nothing is kept of the try', async () => {
  const { event, delivery, execution, receipt } = gone;
  for (const select of [{ deliveryIds: [delivery] }, { eventIds: [event] }, { executionIds: [execution] }])
    expect(await api.call('POST', '/api/v1/retries', { body: { select } })).toMatchObject({
      status: 404,
      body: { code: 'unknown_ids' },
    });
  const previewed = await api.call('POST', `/flowrelay/v1/receipts/${receipt}/replay/preview`, {
    headers: once('another-replay'),
    body: {},
  });
  expect(previewed.status).toBe(404);
  const zen = await api.call('POST', `/v1/tenants/acme/events/${api.uuid(event)}/retry`, { body: {} });
  expect(zen.status).toBe(404);
  const left = await api.call('POST', '/api/v1/retries', {
    headers: once('what-is-left'),
    body: { select: { remainderOf: operation } },
  });
  expect(left.status).toBe(202);
});

describe('what outlives it', () => {
  const path = () => `/api/v1/retries/${operation}`;

  test('the operation, with its counts', async () => {
    expect((await get(path())).body).toMatchObject({ id: operation, counts: { expected: 2, delivered: 2 } });
    const { body } = await get(`${path()}/report`);
    expect([body.counts, body.addendum]).toEqual([counts, {}]);
  });

  test('its report with every line, of which each is proved', async () => {
    const report = await get(`${path()}/report`, { accept: 'application/jose+json' });
    const items = await get(`${path()}/items`, { accept: 'application/x-ndjson' });
    expect(items.text).toBe(ledger);
    const verdict = await verifyReport({
      report: report.body,
      keys: (await get('/.well-known/redrive/jwks.json')).body,
      operation,
      items: items.text,
      proof: (await get(`${path()}/items/${gone.delivery}/proof`)).body,
    });
    expect('why' in verdict ? verdict.why : '').toBe('');
    expect(verdict).toMatchObject({ ok: true, lines: 2, line: { deliveryId: gone.delivery } });
  });

  test('the items as they are now are those whose deliveries are kept', async () => {
    expect((await get(`${path()}/items?as=now`)).body.items).toEqual([]);
  });

  test('what is counted by endpoint says that it is not everything', async () => {
    expect((await get(`${path()}/endpoints`)).body).toMatchObject({ basis: 'atLeast', endpoints: [] });
  });

  test('the lines go by their own term, and the report stays', async () => {
    await sql('delete from ledger_chunks where operation_id = $1', [api.uuid(operation)]);
    for (const gone410 of [`${path()}/items`, `${path()}/items/${gone.delivery}/proof`])
      expect((await get(gone410)).body).toMatchObject({ status: 410, code: 'pruned' });
    const report = await get(`${path()}/report`, { accept: 'application/jose+json' });
    const keys = (await get('/.well-known/redrive/jwks.json')).body;
    expect(await verifyReport({ report: report.body, keys, operation })).toMatchObject({ ok: true });
  });
});
