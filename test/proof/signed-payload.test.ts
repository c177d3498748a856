import { beforeEach, describe, expect, test } from '@jest/globals';
import { readCheckpoints } from '../../clients/typescript/src/proof/checkpoints.ts';
import { alias, type Id, showId } from '../../src/domain/tenancy/typed-id.ts';
import { sealActsOf } from '../../src/proof/seal-acts.ts';
import { checkpointOf } from '../../src/store/audit/checkpoints.ts';
import { findJws } from '../../src/store/proof/closure-reports.ts';
import { newSealer } from '../support/store/audit.ts';
import { closeOperation } from '../support/store/close-operation.ts';
import { plansOf } from '../support/store/plans.ts';
import { changeEndpoint, ENDPOINT, type TestTenant } from '../support/store/test-store.ts';
import { useStore } from '../support/store/use-store.ts';

/** What a signed report says of the plan that was executed, and of the audit of its tenant. */

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;
let ids: Id<'delivery'>[];

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
  ids = await store.ingest(tenant, 4);
  await store.attempt(404, { endpointIds: [endpointId] });
});

async function payloadOf(operationId: Id<'operation'>) {
  const jws = JSON.parse((await findJws(store.pool, tenant.id, operationId)) ?? '');
  return JSON.parse(Buffer.from(jws.payload, 'base64url').toString());
}

describe('of an operation that was executed from a plan', () => {
  test('it names the plan by its hash, the digest of its deliveries and their number, and what had changed', async () => {
    const plans = plansOf(store, tenant);
    const plan = await plans.make({ filter: { state: ['failed'] } });
    const other = await store.newEndpoint(tenant);
    await store.retry(tenant, { deliveryIds: ids.slice(0, 1) });
    await store.attempt(200, { endpointIds: [endpointId] });
    await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [other] });
    await plans.execute(plan);
    expect(await plans.freeze(plan)).toBe(true);
    await store.attempt(200, { workedBy: plan.operationId, endpointIds: [endpointId] });
    await closeOperation(store.pool, plan.operationId);
    const payload = await payloadOf(plan.operationId);
    expect(payload.plan).toEqual({
      id: showId('plan', alias('plan', plan.operationId)),
      planHash: plan.planned?.planHash,
      itemsDigest: plan.planned?.itemsDigest,
      items: 4,
      drift: { gone: { already_delivered: 1 }, endpointChanged: [], added: 1 },
    });
    expect(payload.counts).toMatchObject({ expected: 4, delivered: 3, excluded: 1 });
    expect(payload.timeline.map(({ did }: { did: string }) => did)).toEqual(['accept', 'execute', 'close']);
    expect(payload.newIdentity).toBe(false);
  });

  test('it names the endpoints that have another address than was shown', async () => {
    const plans = plansOf(store, tenant);
    const plan = await plans.make({ filter: { state: ['failed'] } });
    await changeEndpoint(store.pool, tenant, endpointId, 2, { ...ENDPOINT, url: 'http://127.0.0.1:9/moved' });
    await plans.execute(plan);
    await plans.freeze(plan);
    await closeOperation(store.pool, plan.operationId);
    expect((await payloadOf(plan.operationId)).plan.drift).toMatchObject({
      gone: { endpoint_changed: 4 },
      endpointChanged: [{ endpointId: showId('endpoint', endpointId), from: 1, to: 2, members: ['url'] }],
    });
  });

  test('it names none where there was none', async () => {
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.attempt(200, { endpointIds: [endpointId] });
    await closeOperation(store.pool, operationId);
    expect(await payloadOf(operationId)).not.toHaveProperty('plan');
  });
});

describe('of the audit', () => {
  /** A retry of all that closes when its acts are sealed, or before. */
  async function closed(sealed: boolean) {
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.attempt(200, { endpointIds: [endpointId] });
    if (sealed)
      await sealActsOf(store.pool, { id: operationId, tenantId: tenant.id }, new AbortController().signal);
    const end = await checkpointOf(store.pool, tenant.id);
    await closeOperation(store.pool, operationId);
    return { payload: await payloadOf(operationId), end };
  }

  test('it says that an act on the operation is not in the chain yet', async () => {
    await store.retry(tenant, { deliveryIds: [] });
    await newSealer(store.pool).sealer.seal();
    const { payload, end } = await closed(false);
    const { tenant: _, ...head } = end ?? {};
    expect(payload.audit).toEqual({ ...head, complete: false, jws: expect.any(Object) });
  });

  test('it names the end of the chain that has all of them, which is signed by itself as well', async () => {
    const { payload, end } = await closed(true);
    const { tenant: _, ...head } = end ?? {};
    expect(payload.audit).toEqual({ ...head, complete: true, jws: expect.any(Object) });
    const read = readCheckpoints([{ name: 'r', text: JSON.stringify(payload.audit.jws) }]);
    expect(read).toMatchObject({ ok: true, checkpoints: [end] });
  });

  test('it says nothing where there is none', async () => {
    const { payload } = await closed(false);
    expect(payload).not.toHaveProperty('audit');
  });
});
