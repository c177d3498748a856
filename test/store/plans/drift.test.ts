import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { goneItems } from '../../../src/domain/operations/plan.ts';
import { LEFT_OUT } from '../../../src/domain/operations/plan-risks.ts';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { erasePayload } from '../../../src/store/settling/payload-retention.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { plansOf } from '../../support/store/plans.ts';
import { changeEndpoint, ENDPOINT, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/**
 * Whatever happens between a plan and its execution: each delivery that it showed becomes an item or an exclusion of its
 * operation, nothing else does, and nothing goes where it did not say.
 */

const store = useStore({ checked: true });

const CONFIG = { ...ENDPOINT, retry: { maxAttempts: 1, initialMs: 0, factor: 1, capMs: 0 } };

const place = fc.nat(100);
const change = fc.oneof(
  fc.record({ do: fc.constant('comes in' as const), fails: fc.boolean() }),
  fc.record({
    do: fc.constant('is retried' as const),
    n: place,
    ends: fc.constantFrom(200, 404, 'timeout' as const),
  }),
  fc.record({
    do: fc.constant('is taken' as const),
    n: place,
    after: fc.constantFrom('left', 'paused', 'cancelled'),
  }),
  fc.record({ do: fc.constant('is erased' as const), n: place }),
  fc.record({
    do: fc.constant('endpoint' as const),
    n: place,
    becomes: fc.constantFrom('disabled', 'enabled', 'deleted'),
  }),
  fc.record({ do: fc.constant('moves' as const), n: place, what: fc.constantFrom('url', 'policy') }),
);

const anyCase = fc.record({
  failed: fc.nat(8),
  pending: fc.nat(3),
  select: fc.constantFrom('failures', 'all', 'ids', 'endpoint'),
  kind: fc.constantFrom('retry' as const, 'replay' as const),
  target: fc.constantFrom('current' as const, 'original' as const),
  takeOverScheduled: fc.boolean(),
  steps: fc.record({ stretch: fc.integer({ min: 1, max: 6 }), together: fc.integer({ min: 1, max: 3 }) }),
  changes: fc.array(change, { maxLength: 8 }),
});

type Case = typeof anyCase extends fc.Arbitrary<infer C> ? C : never;
type Change = Case['changes'][number];

/** A tenant with two endpoints, to which what happens is done. */
class World {
  readonly tenant: TestTenant;
  readonly endpoints: Id<'endpoint'>[];
  readonly versions = new Map<Id<'endpoint'>, number>();
  readonly moved = new Set<Id<'endpoint'>>();
  deliveries: Id<'delivery'>[] = [];

  constructor(tenant: TestTenant, endpoints: Id<'endpoint'>[]) {
    this.tenant = tenant;
    this.endpoints = endpoints;
  }

  static async create(): Promise<World> {
    const tenant = await store.newTenant();
    const endpoints = [];
    for (const type of ['a', 'b'])
      endpoints.push(await store.newEndpoint(tenant, { ...CONFIG, eventTypes: [type] }));
    return new World(tenant, endpoints);
  }

  async comesIn(count: number, fails: boolean): Promise<void> {
    for (let n = 0; n < count; n += 1)
      this.deliveries.push(...(await store.ingest(this.tenant, 1, { type: n % 2 === 0 ? 'a' : 'b' })));
    if (fails) await store.attempt(404, { endpointIds: this.endpoints });
  }

  async happens(it: Change): Promise<void> {
    const at = <T>(list: T[], n: number): T | undefined => list[n % Math.max(1, list.length)];
    const { tenant } = this;
    if (it.do === 'comes in') return this.comesIn(1, it.fails);
    if (it.do === 'endpoint' || it.do === 'moves') {
      const endpointId = at(this.endpoints, it.n) as Id<'endpoint'>;
      if (it.do === 'endpoint') {
        await setEndpointState(store.pool, tenant.id, endpointId, it.becomes as 'enabled');
        return;
      }
      const version = (this.versions.get(endpointId) ?? 1) + 1;
      const [{ deleted, url }] = await store.rows(
        `select n.state = 'deleted' as deleted, v.url from endpoints n
         join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version where n.id = $1`,
        [endpointId],
      );
      if (deleted) return;
      this.versions.set(endpointId, version);
      if (it.what === 'url') this.moved.add(endpointId);
      await changeEndpoint(store.pool, tenant, endpointId, version, {
        ...CONFIG,
        eventTypes: [endpointId === this.endpoints[0] ? 'a' : 'b'],
        url: it.what === 'url' ? `http://127.0.0.1:9/${version}` : url,
        timeoutMs: 100 * version,
      });
      return;
    }
    const deliveryId = at(this.deliveries, it.n);
    if (deliveryId === undefined) return;
    if (it.do === 'is erased') {
      const [{ event_id: eventId }] = await store.rows('select event_id from deliveries where id = $1', [
        deliveryId,
      ]);
      await erasePayload(store.pool, tenant.id, eventId);
      return;
    }
    const { operationId } = await store.retry(tenant, { deliveryIds: [deliveryId] });
    if (it.do === 'is retried') await store.attempt(it.ends as 200, { endpointIds: this.endpoints });
    else if (it.after !== 'left')
      await controlOperation(store.deps, tenant.id, operationId, {
        do: it.after === 'paused' ? 'pause' : 'cancel',
      });
  }
}

function selectionOf({ select }: Case, { deliveries, endpoints }: World): Selection {
  switch (select) {
    case 'failures':
      return { filter: {} };
    case 'all':
      return { filter: { state: ['failed', 'pending', 'delivered', 'unknown', 'cancelled', 'ignored'] } };
    case 'endpoint':
      return { filter: { state: ['failed', 'pending'], endpointIds: endpoints.slice(0, 1) } };
    default:
      return { deliveryIds: deliveries.slice(0, 5) };
  }
}

test('what was planned is what becomes items and exclusions, one by one; what was added is never sent', async () => {
  await fc.assert(
    fc.asyncProperty(anyCase, async (of) => {
      const world = await World.create();
      const plans = plansOf(store, world.tenant);
      await world.comesIn(of.failed, true);
      await world.comesIn(of.pending, false);
      const plan = await plans.make(
        selectionOf(of, world),
        { kind: of.kind, target: of.target, options: { takeOverScheduled: of.takeOverScheduled } },
        of.steps,
      );
      const planned = await plans.ids(plan);
      for (const each of of.changes) await world.happens(each);

      const ids = planned.map(({ id }) => id);
      const [{ added }] = await store.rows(
        `select count(*)::int as added from deliveries where tenant_id = $1 and state = 'failed' and id <> all($2)`,
        [world.tenant.id, ids],
      );
      expect(await plans.execute(plan)).toMatchObject({ ok: true });
      expect(await plans.freeze(plan)).toBe(true);
      const ledger = await plans.ledger(plan);
      expect([...ledger.keys()].sort()).toEqual(planned.map(({ id }) => id).sort());
      const operation = await loadOperation(store.pool, plan.operationId);
      expect(operation?.counts.expected).toBe(plan.items);

      const { drift, planned: still } = await plans.show(plan.operationId);
      expect(still).toEqual(plan.planned);
      if (of.select === 'failures') expect(drift?.added).toBe(added);
      const gone = planned.filter(({ id, risks }) => (risks & LEFT_OUT) === 0 && ledger.get(id) !== 'item');
      expect(goneItems(drift ?? { gone: {} })).toBe(gone.length);

      // Everything of it is sent that can be: to the address that the plan showed.
      await store.timePasses();
      const claim = await store.claim({ workedBy: plan.operationId, endpointIds: world.endpoints });
      for (const { deliveryId, endpointId, version } of claim.items) {
        expect(ledger.get(deliveryId)).toBe('item');
        if (of.target === 'current') expect([version, world.moved.has(endpointId)]).toEqual([1, false]);
      }
      await store.record(claim, 200);
      const own = await store.rows(
        'select delivery_id from executions where operation_id = $1 and attempts > 0',
        [plan.operationId],
      );
      const known = new Set(planned.map(({ id }) => id));
      expect(own.filter(({ delivery_id: id }) => !known.has(id))).toEqual([]);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});
