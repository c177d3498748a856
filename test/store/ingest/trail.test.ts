import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { cancelAsInTemporal, cancelWhenExpired } from '../../../src/operations/cancel-unasked.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { resolveDeliveries } from '../../../src/operations/deliveries/resolve-deliveries.ts';
import { resolveDelivery } from '../../../src/operations/deliveries/resolve-delivery.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { controlsOf } from '../../../src/store/operations/operation-controls.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { unsentEndpoints } from '../../../src/store/operations/unsent-endpoints.ts';
import { beginResolution, resolveSelected } from '../../../src/store/settling/resolution-acts.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Acts, their actors and their results, as they are written down in the transaction of the act. */

const store = useStore();
let tenant: TestTenant;

beforeEach(async () => {
  tenant = await store.newTenant();
});

const acts = async (operationId: Id<'operation'>) =>
  (await controlsOf(store.pool, tenant.id, operationId)).map(({ at, ...act }) => {
    expect(at).toBeInstanceOf(Date);
    return act;
  });

describe('the acts of an operation', () => {
  test('are kept with who did them, in their order, and only where they were taken', async () => {
    await store.newEndpoint(tenant);
    const deliveryIds = await store.ingest(tenant, 1);
    await store.attempt(404, {});
    const { operationId } = await store.retry(tenant, { deliveryIds });
    const by = (actor: string) => ({ actor });
    const control = (command: Parameters<typeof controlOperation>[3], actor: string) =>
      controlOperation(store.deps, tenant.id, operationId, command, by(actor));
    await control({ do: 'pause' }, 'key_a');
    await control({ do: 'rate', ratePerSecond: 5 }, 'key_b');
    await control({ do: 'rate', ratePerSecond: null }, 'key_b');
    await control({ do: 'resume' }, 'jwt:iss_1:somebody');
    expect(await control({ do: 'resume' }, 'key_c')).toMatchObject({ ok: false });
    await control({ do: 'cancel' }, 'key_a');
    expect(await control({ do: 'cancel' }, 'key_c')).toMatchObject({ ok: false });
    expect(await acts(operationId)).toEqual([
      { did: 'pause', actor: 'key_a' },
      { did: 'rate', actor: 'key_b', ratePerSecond: 5 },
      { did: 'rate', actor: 'key_b', ratePerSecond: null },
      { did: 'resume', actor: 'jwt:iss_1:somebody' },
      { did: 'cancel', actor: 'key_a' },
    ]);
    const others = await store.newTenant();
    expect(await controlsOf(store.pool, others.id, operationId)).toEqual([]);
  });

  test('that nobody asked for are Redrive’s own, or Temporal’s', async () => {
    await store.newEndpoint(tenant);
    const ids = await store.ingest(tenant, 2);
    await store.attempt(404, {});
    const [first = NO_ID, second = NO_ID] = ids;
    const { operationId: expired } = await store.retry(tenant, { deliveryIds: [first] });
    await controlOperation(store.deps, tenant.id, expired, { do: 'pause' }, { actor: 'key_a' });
    expect(await cancelWhenExpired(store.deps, expired)).toBe(false);
    await store.rows(`update operations set expires_at = now() - interval '1 second' where id = $1`, [
      expired,
    ]);
    expect(await cancelWhenExpired(store.deps, expired)).toBe(true);
    const { operationId: outside } = await store.retry(tenant, { deliveryIds: [second] });
    expect(await cancelAsInTemporal(store.deps, outside)).toBe(true);
    expect(await cancelAsInTemporal(store.deps, outside)).toBe(false);
    expect(await acts(expired)).toEqual([
      { did: 'pause', actor: 'key_a' },
      { did: 'cancel', actor: 'redrive' },
    ]);
    expect(await acts(outside)).toEqual([{ did: 'cancel', actor: 'temporal' }]);
  });
});

describe('the report of an operation', () => {
  test('says what its items came to at each endpoint, and why', async () => {
    const endpoints = [await store.newEndpoint(tenant), await store.newEndpoint(tenant)];
    const eventIds = await store.ingest(tenant, 3);
    for (const endpointId of endpoints) await store.attempt(404, { endpointIds: [endpointId] });
    const { operationId } = await store.retry(tenant, { deliveryIds: eventIds });
    expect((await unsentEndpoints(store.pool, { id: operationId, interactive: true }, 9)).sort()).toEqual(
      [...endpoints].sort(),
    );
    await store.attempt(200, { endpointIds: endpoints.slice(0, 1) });
    await store.attempt(403, { endpointIds: endpoints.slice(1), count: 2 });
    await store.attempt('refused', { endpointIds: endpoints.slice(1) });
    await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
    await store.rows(
      `update executions set state = 'cancelled', reason = 'operation_cancelled', finished_at = now()
       where operation_id = $1 and open`,
      [operationId],
    );
    await closeOperation(store.pool, operationId);
    const { report } = (await loadOperation(store.pool, operationId)) ?? {};
    expect(report?.breakdown?.endpointCount).toBe(2);
    expect(report?.breakdown?.endpoints).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ endpointId: endpoints[0], items: 3, delivered: 3, failed: 0, others: 0 }),
        expect.objectContaining({ endpointId: endpoints[1], items: 3, delivered: 0, failed: 2, others: 1 }),
      ]),
    );
    expect(report?.breakdown?.causes).toEqual([
      { state: 'failed', reason: 'permanent', faultCode: 'http_4xx', httpStatus: 403, items: 2 },
      { state: 'cancelled', reason: 'operation_cancelled', faultCode: 'connection_refused', items: 1 },
    ]);
  });

  test('names the endpoints that a bulk operation has something unsent for, from one to the next', async () => {
    const endpoints = [await store.newEndpoint(tenant), await store.newEndpoint(tenant)];
    await store.ingest(tenant, 20);
    for (const endpointId of endpoints) await store.attempt(404, { endpointIds: [endpointId] });
    const { operationId } = await store.retry(tenant, { filter: {} });
    await store.select(operationId);
    const unsent = (limit: number) =>
      unsentEndpoints(store.pool, { id: operationId, interactive: false }, limit);
    expect(await unsent(9)).toEqual([...endpoints].sort());
    expect(await unsent(1)).toEqual([...endpoints].sort().slice(0, 1));
  });
});

describe('settling many that are unknown', () => {
  /** Deliveries whose outcome nobody knows. */
  async function unknown(count: number): Promise<{ endpointId: Id<'endpoint'>; ids: Id<'delivery'>[] }> {
    const endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
    const ids = await store.ingest(tenant, count);
    await store.attempt('timeout', { endpointIds: [endpointId], count });
    return { endpointId, ids };
  }

  const request = (
    selection: Parameters<typeof resolveDeliveries>[1]['selection'],
    outcome: 'delivered' | 'failed' | 'retry' = 'delivered',
    key?: string,
  ) =>
    resolveDeliveries(store.deps, {
      tenantId: tenant.id,
      selection,
      outcome,
      reason: 'asked the receiver',
      by: { actor: 'key_a' },
      ...(key === undefined
        ? {}
        : {
            idempotency: {
              scope: tenant.id,
              key,
              fingerprint: Buffer.from(JSON.stringify(selection)),
              keep: { ms: 60_000 },
            },
          }),
      render: (done) => done,
    });

  const answerOf = (result: Awaited<ReturnType<typeof request>>) => {
    if (!result.ok) throw new Error(result.code);
    return JSON.parse(result.body);
  };

  const states = async (ids: string[]) =>
    (await store.rows('select distinct state from deliveries where id = any($1)', [ids])).map(
      (row) => row.state,
    );

  test.each([
    ['delivered', 'delivered'],
    ['failed', 'failed'],
    ['retry', 'pending'],
  ] as const)('as %s makes all of them %s, in batches, and counts them', async (outcome, becomes) => {
    const { ids } = await unknown(1_200);
    expect(answerOf(await request({ filter: {} }, outcome, 'k'))).toMatchObject({
      outcome,
      resolved: 1_200,
      notUnknown: 0,
      more: false,
    });
    expect(await states(ids)).toEqual([becomes]);
    const linked = await store.rows(
      `select r.actor, r.reason, count(*)::int as items from resolutions r
       join resolved_executions x on x.resolution_id = r.id where r.tenant_id = $1 group by 1, 2`,
      [tenant.id],
    );
    expect(linked).toEqual([{ actor: 'key_a', reason: 'asked the receiver', items: 1_200 }]);
  });

  const OBSTACLES: Record<string, (endpointId: Id<'endpoint'>, ids: Id<'delivery'>[]) => Promise<unknown>> = {
    endpoint_disabled: (endpointId) =>
      store.rows(
        `update endpoints set state = 'disabled', disabled_reason = 'operator', disabled_at = now() where id = $1`,
        [endpointId],
      ),
    endpoint_deleted: (endpointId) =>
      store.rows(`update endpoints set state = 'deleted' where id = $1`, [endpointId]),
    payload_expired: (_, ids) =>
      store.rows(
        'delete from payloads where event_id in (select event_id from deliveries where id = any($1))',
        [ids],
      ),
  };

  test.each(Object.keys(OBSTACLES))('leaves unknown what cannot be sent again: %s', async (reason) => {
    const { ids: stuck, endpointId } = await unknown(3);
    await store.rows(`update endpoints set state = 'disabled', disabled_reason = 'operator' where id = $1`, [
      endpointId,
    ]);
    const later = await unknown(2);
    const free = (
      await store.rows('select id from deliveries where id = any($1) and endpoint_id = $2', [
        later.ids,
        later.endpointId,
      ])
    ).map(({ id }): Id<'delivery'> => id);
    await store.rows(`update endpoints set state = 'enabled', disabled_reason = null where id = $1`, [
      endpointId,
    ]);
    await OBSTACLES[reason]?.(endpointId, stuck);
    const [one = NO_ID] = stuck;
    expect(await resolveDelivery(store.deps, tenant.id, one, 'retry')).toEqual({
      ok: false,
      code: 'not_sendable',
      reason,
      endpointId,
    });
    expect(answerOf(await request({ deliveryIds: [one, ...free.slice(0, 1)] }, 'retry'))).toMatchObject({
      resolved: 1,
      notUnknown: 0,
      notSendable: 1,
    });
    expect(answerOf(await request({ deliveryIds: [one, ...free.slice(0, 1)] }, 'retry'))).toMatchObject({
      resolved: 0,
      notUnknown: 1,
      notSendable: 1,
    });
    expect(answerOf(await request({ filter: {} }, 'retry', 'k-stuck'))).toMatchObject({
      resolved: 1,
      notUnknown: 0,
      notSendable: 3,
      more: false,
    });
    expect([await states(stuck), await states(free)]).toEqual([['unknown'], ['pending']]);
    // Any other word on it is taken.
    expect(await resolveDelivery(store.deps, tenant.id, one, 'failed')).toMatchObject({ ok: true });
    expect(answerOf(await request({ filter: {} }, 'delivered', 'k-rest'))).toMatchObject({
      resolved: 2,
      notSendable: 0,
    });
  });

  test('takes only unknown deliveries, of the tenant, and of the selection', async () => {
    const { ids, endpointId } = await unknown(4);
    const before = tenant;
    tenant = await store.newTenant();
    const theirs = await unknown(2);
    tenant = before;
    await request({ deliveryIds: ids.slice(0, 1) }, 'failed');
    expect(answerOf(await request({ deliveryIds: ids.slice(0, 3) }))).toMatchObject({
      resolved: 2,
      notUnknown: 1,
    });
    expect(await states(ids.slice(0, 1))).toEqual(['failed']);
    expect(await states(ids.slice(3))).toEqual(['unknown']);
    expect(await request({ deliveryIds: [...ids, ...theirs.ids] })).toMatchObject({
      ok: false,
      code: 'unknown_ids',
    });
    expect(answerOf(await request({ filter: { endpointIds: [endpointId] } }))).toMatchObject({ resolved: 1 });
    expect(await states(theirs.ids)).toEqual(['unknown']);
  });

  test('by events and by executions is the same', async () => {
    const { ids } = await unknown(2);
    const [first, second] = await store.rows(
      'select e.id, d.event_id from deliveries d join executions e on e.delivery_id = d.id where d.id = any($1) order by d.id',
      [ids],
    );
    expect(answerOf(await request({ eventIds: [first.event_id] }))).toMatchObject({ resolved: 1 });
    expect(answerOf(await request({ executionIds: [second.id] }))).toMatchObject({ resolved: 1 });
  });

  test('gives the same answer to the same key, and refuses another request under it', async () => {
    const { ids } = await unknown(3);
    const first = await request({ filter: {} }, 'delivered', 'same');
    expect(await request({ filter: {} }, 'delivered', 'same')).toEqual({ ...first, replayed: true });
    expect(await request({ deliveryIds: ids }, 'delivered', 'same')).toEqual({
      ok: false,
      code: 'idempotency_key_reused',
    });
    await store.rows(
      `update resolutions set key_expires_at = now() - interval '1 second' where tenant_id = $1`,
      [tenant.id],
    );
    expect(await request({ deliveryIds: ids }, 'delivered', 'same')).toMatchObject({
      ok: true,
      replayed: false,
    });
  });

  test('goes on where it was broken off, and counts all of it', async () => {
    const { ids } = await unknown(5);
    const selection = { filter: {} };
    await withTransaction(store.pool, async (db) => {
      const act = await beginResolution(
        db,
        { tenantId: tenant.id, selection, outcome: 'delivered', actor: 'key_a', reason: 'r' },
        {
          hash: createHash('sha256').update(`${tenant.id}\nbroken`).digest(),
          fingerprint: Buffer.from(JSON.stringify(selection)),
          keepMs: 60_000,
        },
      );
      if (act) await resolveSelected(db, act, 2);
    });
    expect(await states(ids)).toHaveLength(2);
    expect(answerOf(await request(selection, 'delivered', 'broken'))).toMatchObject({ resolved: 5 });
    expect(await states(ids)).toEqual(['delivered']);
  });

  test('two at a time settle each delivery once, and both count all', async () => {
    const { ids } = await unknown(600);
    const both = await Promise.all([
      request({ filter: {} }, 'delivered', 'pair'),
      request({ filter: {} }, 'delivered', 'pair'),
    ]);
    expect(both.map(answerOf)).toMatchObject([{ resolved: 600 }, { resolved: 600 }]);
    expect(await states(ids)).toEqual(['delivered']);
    const { length } = await store.rows(
      'select from resolved_executions x join executions e on e.id = x.execution_id where e.tenant_id = $1',
      [tenant.id],
    );
    expect(length).toBe(600);
  });

  test('ends deliveries that are asked for by status requests, too', async () => {
    const { ids } = await unknown(2);
    await store.rows(
      `update executions set probe_at = now() + interval '1 hour' where delivery_id = any($1)`,
      [ids],
    );
    const [first = NO_ID, second = NO_ID] = ids;
    expect(answerOf(await request({ deliveryIds: [first] }))).toMatchObject({ resolved: 1 });
    expect(await resolveDelivery(store.deps, tenant.id, second, 'failed')).toMatchObject({ ok: true });
  });
});
