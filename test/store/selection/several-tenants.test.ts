import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SelectedTenants } from '../../../src/domain/operations/selection.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { Parameters } from '../../../src/store/db/parameters.ts';
import {
  type SelectionCursor,
  type Stretch,
  selectionPage,
} from '../../../src/store/selection/selection-page.ts';
import { PLATFORM_TENANT } from '../../../src/store/tenancy/tenants.ts';
import { anyId } from '../../support/store/any-id.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Selections of the platform over tenants that it names, page by page. */

const store = useStore();
let tenants: TestTenant[];
let all: Place[];

interface Place {
  tenant_id: Id<'tenant'>;
  accepted_at: string;
  id: Id<'delivery'>;
}

beforeAll(async () => {
  tenants = await Promise.all(Array.from({ length: 4 }, () => store.newTenant()));
  for (const [n, tenant] of tenants.entries()) {
    await store.newEndpoint(tenant);
    await store.ingest(tenant, 3 * n);
  }
  // Many at the same moment: then the ids decide.
  await store.rows(
    `update deliveries set accepted_at = date_trunc('hour', now()) where abs(hashtext(id::text)) % 2 = 0`,
  );
  all = (await store.rows(
    `select tenant_id, accepted_at::text, id from deliveries order by deliveries.tenant_id, deliveries.accepted_at, id`,
  )) as Place[];
});

async function read(named: SelectedTenants, stretch: Stretch, states: ('pending' | 'delivered')[]) {
  const p = new Parameters();
  const selection = { filter: { state: states }, tenants: named };
  const page = selectionPage(PLATFORM_TENANT.id, selection, stretch, p);
  const { rows } = await store.pool.query<{ id: Id<'delivery'> }>(page, p.values);
  return rows.map(({ id }) => id);
}

function cursorAt(place: Place | undefined): SelectionCursor {
  return place
    ? { partition: 0, tenantId: place.tenant_id, acceptedAt: place.accepted_at, id: place.id }
    : { partition: 0 };
}

test('a stretch has what lies between its places, in order, and nothing of a tenant that is not named', async () => {
  const anywhere = fc.option(fc.nat(all.length - 1), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        named: fc.array(fc.nat(4), { maxLength: 6 }),
        from: anywhere,
        to: anywhere,
        limit: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
        delivered: fc.boolean(),
      }),
      async ({ named, from, to, limit, delivered }) => {
        // One of them is nobody's.
        const ids = named.map(
          (n) => tenants[n]?.id ?? (anyId('00000000-0000-7000-8000-000000000001') as Id<'tenant'>),
        );
        const expected = all
          .filter(
            (place, at) => ids.includes(place.tenant_id) && at > (from ?? -1) && at <= (to ?? all.length),
          )
          .slice(0, limit)
          .map(({ id }) => id);
        const { partition: _, ...upTo } = cursorAt(to === undefined ? undefined : all[to]);
        const stretch = {
          after: cursorAt(from === undefined ? undefined : all[from]),
          ...(to === undefined ? {} : { upTo }),
          ...(limit === undefined ? {} : { limit }),
        };
        expect(await read(ids, stretch, delivered ? ['pending', 'delivered'] : ['pending'])).toEqual(
          expected,
        );
      },
    ),
    { numRuns: 200 },
  );
});
