import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  type Partner,
  type PreparationFault,
  type Refusal,
  refusalOf,
} from '../../../src/domain/endpoints/preparation.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { loadPreparation, refusePrepared } from '../../../src/store/sending/preparation.ts';
import { recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { type HeldClaim, outcomeOf, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const PARTNER: Partner = { direction: 'OUTBOUND', senderProfile: 'us', partnerProfile: 'them' };

const store = useStore();
let tenant: TestTenant;

beforeAll(async () => {
  tenant = await store.newTenant();
});

/** Prepares a claim as the sender does, and ends the refused items; the others are released. */
async function prepare(held: HeldClaim): Promise<(Refusal | undefined)[]> {
  const found = await loadPreparation(
    store.pool,
    held.items.map(({ executionId }) => executionId),
  );
  const refusals = held.items.map((item) => {
    const facts = found.get(item.executionId);
    return facts && refusalOf({ ...facts, body: item.body });
  });
  await withTransaction(store.pool, async (db) => {
    await recordOutcomes(
      db,
      held.items.map((item) => outcomeOf(held.token, item, 'released')),
    );
    await refusePrepared(
      db,
      held.items.flatMap(({ executionId }, n) => {
        const refusal = refusals[n];
        return refusal ? [{ executionId, refusal }] : [];
      }),
    );
  });
  return refusals;
}

async function executions(deliveryIds: Id<'delivery'>[]) {
  return store.rows(
    `select e.state, e.reason, e.attempts, d.state as delivery, d.fault_code, e.finished_at is not null as ended
     from executions e join deliveries d on d.id = e.delivery_id where d.id = any($1) order by e.id`,
    [deliveryIds],
  );
}

describe('a file for a partner', () => {
  test.each<[PreparationFault, Partner]>([
    ['sender_profile_missing', { direction: 'INBOUND' }],
    ['partner_profile_missing', { direction: 'INBOUND', senderProfile: 'us' }],
    ['guide_missing', { ...PARTNER, guides: ['invoice.*'] }],
    ['business_identifier_missing', { ...PARTNER, keyPath: 'data.id' }],
  ])('%s: fails without an attempt', async (fault, partner) => {
    const endpointId = await store.newEndpoint(tenant, { partner });
    const ids = await store.ingest(tenant, 1);
    const held = await store.claim({ endpointIds: [endpointId] });
    expect(held.items).toMatchObject([{ prepares: true }]);
    expect(await prepare(held)).toEqual([{ state: 'failed', reason: fault }]);
    const own = (await executions(ids)).filter((row) => row.reason !== null);
    expect(own).toEqual([
      { state: 'failed', reason: fault, attempts: 0, delivery: 'failed', fault_code: fault, ended: true },
    ]);
    await store.rows(`update endpoints set state = 'deleted' where id = $1`, [endpointId]);
  });

  test('that is prepared is sent, and one of an endpoint without a partner is not prepared at all', async () => {
    const endpointId = await store.newEndpoint(tenant, {
      partner: { ...PARTNER, guides: ['test.*'], keyPath: 'n' },
    });
    const plain = await store.newEndpoint(tenant);
    await store.ingest(tenant, 1);
    const held = await store.claim({ endpointIds: [endpointId] });
    expect(await prepare(held)).toEqual([undefined]);
    expect(await store.attempt(200, { endpointIds: [endpointId] })).toMatchObject([{ state: 'delivered' }]);
    const others = await store.claim({ endpointIds: [plain] });
    expect(others.items).toMatchObject([{ prepares: false }]);
    await store.record(others, 200);
  });

  test('is accounted for in its operation at every step, refused, ignored or sent', async () => {
    const endpointId = await store.newEndpoint(tenant, {
      partner: PARTNER,
      retry: { maxAttempts: 1, initialMs: 0, factor: 1, capMs: 0 },
    });
    await store.ingest(tenant, 9, { type: 'a.b' });
    await store.attempt(500, { endpointIds: [endpointId] });
    const { operationId } = await store.retry(
      tenant,
      { filter: { endpointIds: [endpointId] } },
      { options: { matchFilter: true } },
    );
    await store.select(operationId);
    const counts = async () =>
      (await store.rows('select * from operation_counts where operation_id = $1', [operationId]))[0];
    const step = async (change: string, count: number) => {
      await store.rows(`update endpoint_versions set ${change} where endpoint_id = $1`, [endpointId]);
      await prepare(await store.claim({ workedBy: operationId, endpointIds: [endpointId], count }));
    };
    expect(await counts()).toMatchObject({ expected: 9, queued: 9 });
    await step(`partner = '{"direction":"INBOUND"}'`, 3);
    expect(await counts()).toMatchObject({ expected: 9, queued: 6, failed: 3, sending: 0 });
    await step(`event_types = '{x.y}'`, 2);
    expect(await counts()).toMatchObject({ expected: 9, queued: 4, failed: 3, ignored: 2 });
    await step(
      `event_types = null, partner = '{"direction":"INBOUND","senderProfile":"a","partnerProfile":"b"}'`,
      4,
    );
    await store.attempt(200, { workedBy: operationId, endpointIds: [endpointId] });
    expect(await counts()).toMatchObject({ expected: 9, queued: 0, failed: 3, ignored: 2, delivered: 4 });
    const reasons = await store.rows(
      'select reason, count(*) from executions where operation_id = $1 group by 1 order by 1',
      [operationId],
    );
    expect(reasons).toEqual([
      { reason: 'no_longer_matches', count: 2 },
      { reason: 'sender_profile_missing', count: 3 },
      { reason: null, count: 4 },
    ]);
  });
});
