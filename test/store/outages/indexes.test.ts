import { beforeAll, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { Parameters } from '../../../src/store/db/parameters.ts';
import type { Transaction } from '../../../src/store/db/queryable.ts';
import { lookInWindow, openFacts, recoveredFacts } from '../../../src/store/outages/outage-looks.ts';
import { countWindow, type Outage, selectionOfOutage } from '../../../src/store/outages/outages.ts';
import { queueTrial } from '../../../src/store/outages/trials.ts';
import { selectionPage } from '../../../src/store/selection/selection-page.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { largeAmong, withoutAutovacuum } from '../../support/store/large-tables.ts';
import { outagesOf } from '../../support/store/outages.ts';
import { planOf } from '../../support/store/query-plan.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** A look at an outage costs what its window left, and not what its endpoint or its tenant ever had. */

const LARGE = ['execution_records', 'queue', 'deliveries', 'undelivered', 'payloads', 'events', 'attempts'];

const store = useStore();
let tenant: TestTenant;
let outage: Outage;

beforeAll(async () => {
  await withoutAutovacuum(store, LARGE);
  tenant = await store.newTenant();
  const endpointIds = await Promise.all(Array.from({ length: 10 }, () => store.newEndpoint(tenant)));
  await seedFailures(store.pool, { tenantId: tenant.id, endpointIds, count: 40_000, bodyBytes: 10 });
  await store.rows(`update deliveries set state = 'delivered' where abs(hashtext(id::text)) % 10 > 0`);
  await store.rows(`update deliveries set state = 'ignored' where abs(hashtext(id::text)) % 10 = 5`);
  await store.ingest(tenant, 3_000);
  await store.rows('checkpoint');
  await store.rows('vacuum analyze');
  const [endpointId] = endpointIds;
  outage = await outagesOf(store).show(await outagesOf(store).opened(endpointId as Id<'endpoint'>));
});

async function expectIndexes(run: (tx: Transaction) => Promise<unknown>, ...wanted: string[]): Promise<void> {
  const { scanned, indexes } = await planOf(store.pool, run);
  expect(largeAmong(scanned, LARGE)).toEqual([]);
  expect(indexes).toEqual(expect.arrayContaining(wanted));
}

test.each([0, 1])(
  'what it left is selected in the order of an index over what is left, part %i',
  async (partition) => {
    const p = new Parameters();
    const selection = selectionOfOutage(outage);
    const page = selectionPage(tenant.id, selection, { after: { partition }, limit: 5_000 }, p);
    await expectIndexes((tx) => tx.query(page, p.values), 'undelivered_by_endpoint');
  },
);

test('whether something of it is left, or is on its way, is found by the queue and by these indexes', async () => {
  const left = ['undelivered_by_endpoint', 'queue_due'];
  await expectIndexes((tx) => lookInWindow(tx, outage), ...left);
  await expectIndexes((tx) => recoveredFacts(tx, outage), ...left);
});

test('whether something is due at its endpoint is found in the queue', async () => {
  await expectIndexes((tx) => openFacts(tx, outage, { dueWithinMs: 60_000 }), 'queue_due');
});

test('a trial is found among what is left, and locked by its key', async () => {
  await expectIndexes(
    async (tx) => {
      let statements = 0;
      // The first one counts the trial.
      const behind = {
        query: (asked: string, values: unknown[]) =>
          statements++ === 0 ? { rows: [] } : tx.query(asked, values),
      };
      await queueTrial(behind as unknown as Transaction, outage);
    },
    'undelivered_by_endpoint',
    'deliveries_pkey',
  );
});

test('its deliveries are counted within its window', async () => {
  await expectIndexes(
    (tx) => countWindow(tx, tenant.id, outage.window, 100),
    'deliveries_by_endpoint',
    'undelivered_by_endpoint',
  );
});
