import { expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { listPlanItems } from '../../../src/store/plans/plan-items.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { plansOf } from '../../support/store/plans.ts';
import { age, keepFor, removeAll } from '../../support/store/retention.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });

test('the deliveries of a plan that are gone are counted, and end no page', async () => {
  const tenant = await store.newTenant();
  const endpointIds = [await store.newEndpoint(tenant)];
  const deliveries: Id<'delivery'>[] = [];
  for (let n = 0; n < 6; n += 1) deliveries.push(...(await store.ingest(tenant, 1)));
  await store.attempt(404, { endpointIds });
  const plans = plansOf(store, tenant);
  const plan = await plans.make({ deliveryIds: deliveries });
  const { operationId } = plan;
  await plans.execute(plan);
  await plans.freeze(plan);
  await store.attempt(200, { endpointIds, workedBy: operationId });
  expect(await closeOperation(store.pool, operationId)).toMatchObject({ closed: true });
  const planned = (await plans.ids(plan)).map(({ id }) => id);
  const going = [1, 2, 5].map((n) => planned[n] as Id<'delivery'>);
  await age(store, 9, { deliveries: going });
  await keepFor(store, tenant, { eventRetentionDays: 5 });
  expect(await removeAll(store.pool, tenant)).toBe(3);

  const operation = await loadOperation(store.pool, operationId);
  if (!operation) throw new Error('no operation');
  const page = async (limit: number, after?: number) => {
    const found = await listPlanItems(store.pool, operation, plan, {
      limit,
      ...(after === undefined ? {} : { after }),
    });
    return { ...found, items: found.items.map(({ deliveryId }) => planned.indexOf(deliveryId)) };
  };
  expect(await page(10)).toEqual({ items: [0, 3, 4], gone: 3 });
  const first = await page(1);
  expect(first).toEqual({ items: [0], gone: 2, next: 2 });
  expect(await page(2, first.next)).toEqual({ items: [3, 4], gone: 1 });
  const second = await page(1, first.next);
  expect(second).toEqual({ items: [3], gone: 0, next: 3 });
  expect(await page(1, second.next)).toEqual({ items: [4], gone: 1 });
});
