import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { createPool, type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { setPlatformLimits } from '../../../src/store/policy/platform-limits.ts';
import { chargeQuotas, giveBackQuotas, type QuotaCharge } from '../../../src/store/policy/quotas.ts';
import { PLATFORM_TENANT } from '../../../src/store/tenancy/tenants.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;
/** As the pool of a second process. */
let elsewhere: Pool;

beforeAll(() => {
  elsewhere = createPool(store.url, { max: 10 });
});
afterAll(async () => {
  await elsewhere.end();
});
beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

type Charge = Partial<Parameters<typeof chargeQuotas>[1]> & Pick<QuotaCharge, 'items'>;

/** An open operation, without items. */
async function operation(of = tenant): Promise<Id<'operation'>> {
  return (await store.retry(of, { filter: { state: [] } })).operationId;
}

async function charge({ operationId, ...rest }: Charge, pool: Pool = store.pool) {
  const id = operationId ?? (await operation());
  return withTransaction(pool, (tx) =>
    chargeQuotas(tx, { tenantId: tenant.id, quotas: {}, ...rest, operationId: id }),
  );
}

const used = async (of = tenant): Promise<number> =>
  (
    await store.rows('select coalesce(sum(items), 0)::int as items from quota_days where tenant_id = $1', [
      of.id,
    ])
  )[0].items;

describe('an operation is charged', () => {
  test('to the day of UTC on which it is, by its items', async () => {
    expect(await charge({ items: 40 })).toEqual({ charged: true, exceeded: [], beyond: [] });
    await charge({ items: 2 });
    expect(
      await store.rows(
        `select items, day = (now() at time zone 'UTC')::date as today from quota_days where tenant_id = $1`,
        [tenant.id],
      ),
    ).toEqual([{ items: 42, today: true }]);
  });

  test('once, however often that is tried', async () => {
    const operationId = await operation();
    await Promise.all(Array.from({ length: 8 }, () => charge({ operationId, items: 10 })));
    expect(await used()).toBe(10);
    expect(await charge({ operationId, items: 10, quotas: { itemsPerDay: 5 } })).toMatchObject({
      charged: true,
    });
  });

  test('not where it exceeds a quota, and then when it is approved', async () => {
    const quotas = { itemsPerDay: 100, itemsPerOperation: 60 };
    await charge({ items: 60, quotas });
    const operationId = await operation();
    expect(await charge({ operationId, items: 41, quotas })).toEqual({
      charged: false,
      exceeded: [{ quota: 'itemsPerDay', limit: 100, would: 101 }],
      beyond: [],
    });
    expect(await used()).toBe(60);
    expect(await charge({ items: 40, quotas })).toMatchObject({ charged: true });
    expect(await charge({ operationId, items: 41, quotas, approved: true })).toMatchObject({
      charged: true,
      exceeded: [{ quota: 'itemsPerDay', would: 141 }],
    });
    expect(await used()).toBe(141);
    expect(
      await store.rows('select approved from quota_charges where operation_id = $1', [operationId]),
    ).toEqual([{ approved: true }]);
  });

  test('never above a ceiling, approved or not', async () => {
    const operationId = await operation();
    await setPlatformLimits(store.pool, { itemsPerOperation: 10, ratePerSecond: 5 });
    for (const approved of [true, false])
      expect(await charge({ operationId, items: 11, ratePerSecond: 6, approved })).toMatchObject({
        charged: false,
        beyond: [
          { quota: 'itemsPerOperation', limit: 10, would: 11 },
          { quota: 'ratePerSecond', limit: 5, would: 6 },
        ],
      });
    expect(await charge({ operationId, items: 10, ratePerSecond: 5 })).toMatchObject({ charged: true });
    await setPlatformLimits(store.pool, {});
  });

  test('with the other open operations of its tenant: neither single retries, nor plans, nor those of others', async () => {
    const [delivery] = await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [endpointId] });
    await store.retry(tenant, { deliveryIds: delivery ? [delivery] : [] });
    await store.retry(tenant, { filter: {} }, { plan: 'plan' });
    await operation(await store.newTenant());
    const quotas = { openOperations: 2 };
    expect(await charge({ items: 1, quotas })).toMatchObject({ charged: true });
    expect(await charge({ items: 1, quotas })).toMatchObject({ charged: true });
    expect(await charge({ items: 1, quotas })).toMatchObject({
      exceeded: [{ quota: 'openOperations', limit: 2, would: 3 }],
    });
  });

  test('to each tenant that it spans, where it counts as open', async () => {
    const platform = await operation({ ...PLATFORM_TENANT });
    const other = await store.newTenant();
    await charge({ operationId: platform, items: 3 });
    await withTransaction(store.pool, (tx) =>
      chargeQuotas(tx, { tenantId: other.id, operationId: platform, quotas: {}, items: 4 }),
    );
    expect([await used(), await used(other)]).toEqual([3, 4]);
    expect(await charge({ items: 1, quotas: { openOperations: 1 } })).toMatchObject({
      exceeded: [{ quota: 'openOperations', would: 2 }],
    });
  });
});

describe('of many that are charged at once, by two processes,', () => {
  test('no more pass than the quota of a day has room for', async () => {
    const ids = await Promise.all(Array.from({ length: 40 }, () => operation()));
    const charged = await Promise.all(
      ids.map((operationId, n) =>
        charge({ operationId, items: 10, quotas: { itemsPerDay: 155 } }, n % 2 ? elsewhere : store.pool),
      ),
    );
    expect(charged.filter((each) => each.charged)).toHaveLength(15);
    expect(charged.filter(({ exceeded }) => exceeded.length > 0)).toHaveLength(25);
    expect(await used()).toBe(150);
  });

  test('no more are open than may be, also where each is made in the transaction that charges it', async () => {
    const quotas = { openOperations: 3 };
    const charged = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const outcome: boolean[] = [];
        await store
          .retry(
            tenant,
            { filter: { state: [] } },
            {
              after: async (tx, { operationId }) => {
                const { charged: passed } = await chargeQuotas(tx, {
                  ...{ tenantId: tenant.id, operationId, quotas, items: n },
                });
                outcome.push(passed);
                return passed ? undefined : ('refused' as never);
              },
            },
          )
          .catch(() => {});
        return outcome[0];
      }),
    );
    expect(charged.filter(Boolean)).toHaveLength(3);
    expect(
      await store.rows('select count(*)::int as open from operations where tenant_id = $1', [tenant.id]),
    ).toEqual([{ open: 3 }]);
  });
});

describe('an operation that is cancelled', () => {
  async function bulk(): Promise<Id<'operation'>> {
    await store.ingest(tenant, 3);
    await store.attempt(404, { endpointIds: [endpointId] });
    const { operationId } = await store.retry(tenant, { filter: {} });
    await store.select(operationId);
    await charge({ operationId, items: 3 });
    return operationId;
  }

  async function cancel(operationId: Id<'operation'>): Promise<void> {
    await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
    await withTransaction(store.pool, (tx) => cancelUnsent(tx, operationId, 100));
    expect(await closeOperation(store.pool, operationId)).toMatchObject({ closed: true });
  }

  test('before it has sent anything gives back what it was charged, to the day of its charge', async () => {
    const operationId = await bulk();
    await cancel(operationId);
    expect(await used()).toBe(0);
    await withTransaction(store.pool, (tx) => giveBackQuotas(tx, operationId));
    expect(await used()).toBe(0);
    expect(
      await store.rows(
        'select items, given_back_at is not null as given from quota_charges where operation_id = $1',
        [operationId],
      ),
    ).toEqual([{ items: 3, given: true }]);
  });

  test('after it has sent something gives nothing back; nor does one that has ended otherwise', async () => {
    const operationId = await bulk();
    await store.attempt(200, { workedBy: operationId, endpointIds: [endpointId], count: 1 });
    await cancel(operationId);
    expect(await used()).toBe(3);
    const ended = await bulk();
    await store.attempt(200, { workedBy: ended, endpointIds: [endpointId] });
    expect(await closeOperation(store.pool, ended)).toMatchObject({ closed: true });
    expect(await used()).toBe(6);
  });
});
