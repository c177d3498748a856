import { beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, flattenedVerify } from 'jose';
import { type Id, showId } from '../../src/domain/tenancy/typed-id.ts';
import type { ChoreDeps } from '../../src/loops/chore.ts';
import { freezeNext } from '../../src/operations/freeze-selection.ts';
import { planNext } from '../../src/operations/plans/make-plan.ts';
import { pruningChore } from '../../src/proof/pruning-chore.ts';
import { cancelExpired } from '../../src/store/operations/operation-states.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { closeOperation, newSigner } from '../support/store/close-operation.ts';
import { sendItems } from '../support/store/send-items.ts';

/** Lines of ledgers and pages of plans, after their time. */

const api = useApi();
let endpointId: string;

beforeAll(async () => {
  endpointId = await seedEndpoint(api);
  await api.call('PATCH', '/api/v1/tenants/acme', {
    key: api.adminKey,
    body: { settings: { ledgerRetentionDays: 30 } },
  });
});

const sql = (text: string, values: unknown[] = []) => api.database.pool.query(text, values);

/** Runs the chore, whose transactions remove so much at a time; returns how much it has removed. */
async function prune(batch?: number): Promise<number> {
  let removed = 0;
  const deps: ChoreDeps = {
    pool: api.database.pool,
    stop: new AbortController().signal,
    count: (_, n) => {
      removed += n;
    },
    wakeLiveLanes: async () => {},
    attempt: (_, work) => work(),
  };
  await pruningChore(deps, batch).run();
  return removed;
}

async function closed(): Promise<{ id: string; deliveryId: string }> {
  const seeded = await seedFailedDeliveries(api, 3);
  const ids = seeded.map(({ deliveryId }) => deliveryId);
  const { body } = await api.call('POST', '/api/v1/retries', { body: { select: { deliveryIds: ids } } });
  await sendItems(api.database.pool, [api.uuid(endpointId)], () => 200);
  const closing = { signer: newSigner(api.sealer), linesOfChunk: 1 };
  await closeOperation(api.database.pool, api.uuid(body.id), closing);
  return { id: body.id, deliveryId: ids[0] ?? '' };
}

/** As if its report had been signed so many days ago. */
async function age(id: string, days: number): Promise<void> {
  await sql('alter table closure_reports disable trigger never_changed');
  await sql(
    `update closure_reports set signed_at = now() - $2::float8 * interval '1 day' where operation_id = $1`,
    [api.uuid(id), days],
  );
  await sql('alter table closure_reports enable trigger never_changed');
}

const get = (path: string, headers = {}) => api.call('GET', path, { headers });

describe('the lines of a closed ledger', () => {
  test('go after the time that their tenant says, oldest first; the signed report and the items as they are stay', async () => {
    const [old, older, young] = [await closed(), await closed(), await closed()];
    await age(old.id, 31);
    await age(older.id, 40);
    expect(await prune(2)).toBe(6);
    expect(await prune(2)).toBe(0);
    for (const { id, deliveryId } of [old, older]) {
      const path = `/api/v1/retries/${id}`;
      for (const answer of [
        await get(`${path}/items`),
        await get(`${path}/items`, { accept: 'application/x-ndjson' }),
        await get(`${path}/items/${deliveryId}/proof`),
      ])
        expect(answer).toMatchObject({ status: 410, body: { code: 'pruned' } });
      expect((await get(`${path}/items?as=now`)).body.items).toHaveLength(3);
      const report = await get(`${path}/report`, { accept: 'application/jose+json' });
      const keys = (await get('/.well-known/redrive/jwks.json')).body;
      const { payload } = await flattenedVerify(report.body, createLocalJWKSet(keys));
      expect(JSON.parse(Buffer.from(payload).toString()).ledger).toEqual(
        (await get(`${path}/report`)).body.ledger,
      );
    }
    const kept = `/api/v1/retries/${young.id}/items`;
    expect((await get(kept)).body.items).toHaveLength(3);
    expect((await get(`${kept}/${young.deliveryId}/proof`)).status).toBe(200);
    const other = await api.newTenant();
    expect((await api.call('GET', `/api/v1/retries/${old.id}/items`, { key: other.key })).status).toBe(404);
  });

  test('are served no more once the first of them has gone', async () => {
    const { id } = await closed();
    await sql('delete from ledger_chunks where operation_id = $1 and number = 0', [api.uuid(id)]);
    expect((await get(`/api/v1/retries/${id}/items`)).status).toBe(410);
  });

  test('of a tenant that says nothing stay for ever', async () => {
    const { id } = await closed();
    // Behind the place that the sweep has come to.
    await age(id, 30.5);
    await sql(`update tenants set settings = settings - 'ledgerRetentionDays' where handle = 'acme'`);
    try {
      expect(await prune()).toBe(0);
    } finally {
      await sql(
        `update tenants set settings = settings || '{"ledgerRetentionDays": 30}' where handle = 'acme'`,
      );
    }
    expect(await prune()).toBe(3);
  });
});

describe('the pages of a plan', () => {
  async function planned(): Promise<Id<'operation'>> {
    await seedFailedDeliveries(api, 2);
    const { body } = await api.call('POST', '/api/v1/retries/plans', {
      body: { select: { filter: { state: ['failed'] } } },
    });
    while (await planNext(api.database.pool, api.uuid(body.operationId)));
    return api.uuid(body.operationId);
  }
  const items = (id: string) => get(`/api/v1/retries/plans/${id}/items`);
  const shown = async (id: string) => (await get(`/api/v1/retries/plans/${id}`)).body;

  test('go a week after the end of one that nobody executed; its number, hash and digests stay', async () => {
    const id = await planned();
    const before = await shown(id);
    await sql(`update operations set expires_at = now() - interval '1 second' where id = $1`, [id]);
    await cancelExpired(api.database.pool, id);
    await closeOperation(api.database.pool, id, { signer: newSigner(api.sealer) });
    const waiting = await planned();
    const ended = (days: number) =>
      sql(`update operations set closed_at = now() - $2 * interval '1 day' where id = $1`, [id, days]);
    await ended(6);
    expect(await prune()).toBe(0);
    expect((await items(id)).status).toBe(200);
    await ended(8);
    expect(await prune()).toBe(1);
    expect(await prune()).toBe(0);
    expect(await items(id)).toMatchObject({ status: 410, body: { code: 'pruned' } });
    const { count, planHash, itemsDigest, risks } = await shown(id);
    expect({ count, planHash, itemsDigest, risks }).toEqual({
      count: before.count,
      planHash: before.planHash,
      itemsDigest: before.itemsDigest,
      risks: before.risks,
    });
    expect((await items(waiting)).status).toBe(200);
  });

  test('of one that was executed go with the lines of its ledger', async () => {
    const id = await planned();
    const { planHash } = await shown(id);
    await api.call('POST', `/api/v1/retries/plans/${id}/execute`, { body: { planHash } });
    while (await freezeNext(api.database.pool, id));
    await sendItems(api.database.pool, [api.uuid(endpointId)], () => 200, { workedBy: id });
    await closeOperation(api.database.pool, id, { signer: newSigner(api.sealer) });
    await sql(`update operations set closed_at = now() - interval '20 days' where id = $1`, [id]);
    await prune();
    expect((await items(id)).status).toBe(200);
    await age(showId('operation', id), 30.2);
    await prune();
    expect((await items(id)).status).toBe(410);
    const { rows } = await sql(
      'select pages_gone_at is not null as gone from plans where operation_id = $1',
      [id],
    );
    expect(rows).toEqual([{ gone: true }]);
  });
});
