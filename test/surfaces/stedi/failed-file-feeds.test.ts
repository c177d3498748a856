import { describe, expect, test } from '@jest/globals';
import { FAILED_FILE_TYPE } from '../../../src/domain/endpoints/event-type.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { tellFailedFiles, tenantsToTell } from '../../../src/surfaces/stedi/failed-file-feed.ts';
import { eventually } from '../../support/eventually.ts';
import { sideBySide } from '../../support/side-by-side.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';
import { seedFile } from '../../support/surfaces/seed-file.ts';

const store = useStore({ connections: 16 });

async function told(tenant: TestTenant) {
  return store.rows(
    `select v.key, b.body::json as payload, count(d.id)::int as deliveries from events v
     join payloads b on b.event_id = v.id left join deliveries d on d.event_id = v.id
     where v.tenant_id = $1 and v.type = $2 and v.source = 'redrive' group by v.id, b.body order by v.number`,
    [tenant.id, FAILED_FILE_TYPE],
  );
}

/** Tells of failed files, as a sweeper does. */
async function sweep(): Promise<void> {
  for (const tenantId of await tenantsToTell(store.pool)) await tellFailedFiles(store.pool, tenantId);
}

/** Feeds until nothing that ended is left to tell of. */
async function feed(): Promise<void> {
  await eventually('all is told', async () => {
    await sweep();
    const left = await tenantsToTell(store.pool);
    return left.length === 0;
  });
}

async function open(tenant: TestTenant, endpointId: Id<'endpoint'>, change: object = {}): Promise<string> {
  const runs = [{ state: 'queued' as const }];
  return (
    (await seedFile(store.pool, { tenantId: tenant.id, endpointId, runs, ...change })).executionIds[0] ?? ''
  );
}

const fail = (id: string, reason = 'exhausted', state = 'failed') =>
  store.rows(`update executions set state = $2, reason = $3, finished_at = now() where id = $1`, [
    id,
    state,
    reason,
  ]);

describe('the feed of failed files', () => {
  test('tells of each execution that ended failed, in the documented form, and of nothing else', async () => {
    const tenant = await store.newTenant();
    const partner = { direction: 'OUTBOUND', senderProfile: 'us', partnerProfile: 'them' } as const;
    const endpointId = await store.newEndpoint(tenant, { partner });
    const early = await open(tenant, endpointId);
    await fail(early);
    const listener = await store.newEndpoint(tenant, { eventTypes: [FAILED_FILE_TYPE] });
    await store.newEndpoint(tenant);
    await store.newEndpoint(tenant, { eventTypes: ['file.*'] });
    const id = await open(tenant, endpointId, { externalId: 'inv-7' });
    await fail(id, 'guide_missing');
    await fail(await open(tenant, endpointId), 'endpoint_disabled', 'ignored');
    await fail(await open(tenant, listener, { type: FAILED_FILE_TYPE }));
    await fail(await open(tenant, listener, { type: 'operation.closed' }));
    await open(tenant, endpointId);
    await feed();
    const [{ handle }] = await store.rows('select handle from endpoints where id = $1', [endpointId]);
    const [row, ...others] = await told(tenant);
    expect(others).toEqual([]);
    expect(row.deliveries).toBe(1);
    expect(Object.keys(row.payload)).toEqual([
      'version',
      'id',
      'time',
      'region',
      'resources',
      'source',
      'detail-type',
      'account',
      'detail',
    ]);
    expect(row.payload).toMatchObject({
      version: '0',
      resources: [id],
      'detail-type': 'file.failed.v2',
      account: tenant.id,
      detail: {
        fileExecutionId: id,
        processedAt: row.payload.time,
        direction: 'OUTBOUND',
        artifacts: [{ usage: 'input', sizeBytes: 7 }],
        errors: [
          {
            message: 'The partnership has no guide for files of this type.',
            faultCode: 'FAILED_TO_FIND_GUIDE',
          },
        ],
        source: { name: 'inv-7' },
        partnership: { partnershipId: handle },
      },
    });
  });

  test('tells of each exactly once, by many workers at the same time, while many end things', async () => {
    const tenant = await store.newTenant();
    const endpointId = await store.newEndpoint(tenant);
    await store.newEndpoint(tenant, { eventTypes: [FAILED_FILE_TYPE] });
    const ids = await Promise.all(Array.from({ length: 150 }, () => open(tenant, endpointId)));
    let writing = true;
    const workers = Array.from({ length: 3 }, async () => {
      while (writing) await sweep();
    });
    await sideBySide(store.url, 8, ids, async (db, id, n) => {
      await db.query('begin');
      // Some last longer than the lag of the feed, so that others overtake them.
      await db.query('select now(), pg_sleep($1)', [n % 40 === 7 ? 1.2 : (n % 5) / 50]);
      await db.query(
        `update executions set state = 'failed', reason = 'exhausted', finished_at = now() where id = $1`,
        [id],
      );
      await db.query('select pg_sleep($1)', [(n % 3) / 50]);
      await db.query(n % 10 === 0 ? 'rollback' : 'commit');
    });
    writing = false;
    await Promise.all(workers);
    await feed();
    const failed = await store.rows(`select id from executions where tenant_id = $1 and state = 'failed'`, [
      tenant.id,
    ]);
    expect(failed).toHaveLength(135);
    expect((await told(tenant)).map((row) => row.key).sort()).toEqual(failed.map((row) => row.id).sort());
  });

  test('tells nobody of files that failed while nobody asked', async () => {
    const tenant = await store.newTenant();
    const endpointId = await store.newEndpoint(tenant);
    const listener = await store.newEndpoint(tenant, { eventTypes: [FAILED_FILE_TYPE] });
    await store.rows(`update endpoints set state = 'deleted' where id = $1`, [listener]);
    await fail(await open(tenant, endpointId));
    await feed();
    await store.newEndpoint(tenant, { eventTypes: [FAILED_FILE_TYPE] });
    const id = await open(tenant, endpointId);
    await fail(id);
    await feed();
    expect((await told(tenant)).map((row) => row.key)).toEqual([id]);
  });

  test('tells one tenant nothing of another', async () => {
    const [ours, theirs] = [await store.newTenant(), await store.newTenant()];
    await store.newEndpoint(ours, { eventTypes: [FAILED_FILE_TYPE] });
    await fail(await open(theirs, await store.newEndpoint(theirs)));
    await feed();
    expect(await told(ours)).toEqual([]);
    expect(await told(theirs)).toEqual([]);
  });
});
