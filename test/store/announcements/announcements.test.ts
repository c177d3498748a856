import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Announcement } from '../../../src/domain/announcements/announcement.ts';
import { ANNOUNCED_TYPES } from '../../../src/domain/endpoints/event-type.ts';
import { type Id, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { haltAfter } from '../../../src/operations/halt-operation.ts';
import { sha256 } from '../../../src/proof/sha256.ts';
import { announce } from '../../../src/store/announcements/announce.ts';
import { tenantsToTell } from '../../../src/store/announcements/due-announcements.ts';
import { checkpointOf } from '../../../src/store/audit/checkpoints.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { cancelExpired } from '../../../src/store/operations/operation-states.ts';
import { findJws } from '../../../src/store/proof/closure-reports.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { tellAnnounced } from '../../../src/worker/announcing.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import { newSealer } from '../../support/store/audit.ts';
import { closeOperation, newSigner } from '../../support/store/close-operation.ts';
import { plansOf } from '../../support/store/plans.ts';
import { planOf } from '../../support/store/query-plan.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Facts of operations and outages, told by events of their tenant. */

const store = useStore({ checked: true });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, { eventTypes: ['test.made'] });
});

const listener = (...eventTypes: string[]) => store.newEndpoint(tenant, { eventTypes });

const tell = (of = tenant) => tellAnnounced(store.pool, newSigner(), of.id);

/** What was told to a tenant: its events of these types, each with the endpoints that get it. */
async function told(of = tenant) {
  const rows = await store.rows(
    `select v.type, v.external_id, v.source, v.key, b.body::json as body,
       array(select d.endpoint_id from deliveries d where d.event_id = v.id order by d.endpoint_id) as endpoints
     from events v join payloads b on b.event_id = v.id where v.tenant_id = $1 and v.type = any($2) order by v.number`,
    [of.id, ANNOUNCED_TYPES],
  );
  return rows;
}

async function waiting(): Promise<number> {
  return (await store.rows('select from announcements where tenant_id = $1', [tenant.id])).length;
}

/** A closed retry of deliveries that failed. */
async function closedRetry(ids: Id<'delivery'>[]): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(tenant, { deliveryIds: ids });
  await store.attempt(200);
  await closeOperation(store.pool, operationId);
  return operationId;
}

async function failed(count: number, type = 'test.made'): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count, { type });
  await store.attempt(404);
  return ids;
}

describe('an operation that closes', () => {
  test('is told to the endpoints that name the type, with its counts, its report and the signed end of the chain', async () => {
    const listening = await listener('operation.closed');
    await newSealer(store.pool).sealer.seal();
    const operationId = await closedRetry(await failed(3));
    expect(await tell()).toBe(1);
    const [event, ...others] = await told();
    expect(others).toEqual([]);
    const shown = showId('operation', operationId);
    const jws = JSON.parse((await findJws(store.pool, tenant.id, operationId)) ?? '');
    const end = await checkpointOf(store.pool, tenant.id);
    expect(event).toMatchObject({
      type: 'operation.closed',
      external_id: shown,
      source: 'redrive',
      key: shown,
      endpoints: [listening],
    });
    expect(event.body).toEqual({
      type: 'operation.closed',
      timestamp: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
      tenant: showId('tenant', tenant.id),
      data: {
        operationId: shown,
        kind: 'retry',
        state: 'completed',
        counts: expect.objectContaining({ expected: 3, delivered: 3, failed: 0 }),
        mayHaveArrived: 0,
        remainder: {},
        report: {
          digest: sha256(Buffer.from(jws.payload, 'base64url')).toString('hex'),
          kid: JSON.parse(Buffer.from(jws.protected, 'base64url').toString()).kid,
        },
        link: `/api/v1/retries/${shown}`,
      },
      audit: end ? { ...end, jws: expect.any(Object) } : null,
    });
    expect(await waiting()).toBe(0);
  });

  test('is told once, by however many workers at once and however often it is announced', async () => {
    await listener('operation.closed');
    const operationId = await closedRetry(await failed(1));
    const again = () =>
      withTransaction(store.pool, (tx) =>
        announce(tx, { type: 'operation.closed', tenantId: tenant.id, operationId }),
      );
    expect(await again()).toBe(false);
    expect((await Promise.all(Array.from({ length: 4 }, () => tell()))).reduce((a, b) => a + b)).toBe(1);
    expect(await again()).toBe(false);
    expect(await tell()).toBe(0);
    expect(await told()).toHaveLength(1);
  });

  test('is noted nowhere, where no endpoint names the type', async () => {
    for (const eventTypes of [['operation.*'], ['*'], ['operation.halted']]) await listener(...eventTypes);
    await store.newEndpoint(tenant);
    const left = await listener('operation.closed');
    await setEndpointState(store.pool, tenant.id, left, 'deleted');
    await closedRetry(await failed(1));
    expect(await waiting()).toBe(0);
    expect(await tenantsToTell(store.pool, 100)).not.toContain(tenant.id);
  });

  test('is told to nobody who named the type when it was announced, and does no more', async () => {
    const left = await listener('operation.closed');
    await closedRetry(await failed(1));
    expect(await waiting()).toBe(1);
    await setEndpointState(store.pool, tenant.id, left, 'deleted');
    expect(await tell()).toBe(0);
    expect([await waiting(), await told()]).toEqual([0, []]);
  });

  test('is kept for an endpoint that is disabled, as every event is', async () => {
    const listening = await listener('operation.closed');
    await setEndpointState(store.pool, tenant.id, listening, 'disabled');
    await closedRetry(await failed(1));
    await tell();
    const rows = await store.rows('select state from deliveries where endpoint_id = $1', [listening]);
    expect(rows).toEqual([{ state: 'ignored' }]);
  });

  test('is told to its tenant alone', async () => {
    await listener('operation.closed');
    const stranger = await store.newTenant();
    await store.newEndpoint(stranger, { eventTypes: ['operation.closed'] });
    await closedRetry(await failed(1));
    await tell();
    await tell(stranger);
    expect(await told()).toHaveLength(1);
    expect(await told(stranger)).toEqual([]);
  });

  test('is not told where it was a plan that nobody executed', async () => {
    await listener('operation.closed');
    const plan = await plansOf(store, tenant).make({ deliveryIds: await failed(1) });
    await store.rows(`update operations set expires_at = now() - interval '1 second' where id = $1`, [
      plan.operationId,
    ]);
    expect(await cancelExpired(store.pool, plan.operationId)).toBe(true);
    await closeOperation(store.pool, plan.operationId);
    expect(await waiting()).toBe(0);
  });
});

describe('a notice that failed', () => {
  /** Deliveries of notices that failed. */
  async function failedNotices(): Promise<Id<'delivery'>[]> {
    await closedRetry(await failed(1));
    await tell();
    await store.attempt(404);
    const rows = await store.rows(
      `select d.id from deliveries d join events v on v.id = d.event_id
       where d.tenant_id = $1 and v.type = 'operation.closed' and d.state = 'failed'`,
      [tenant.id],
    );
    return rows.map(({ id }) => id);
  }

  test('is retried without a word, or it would be told for ever', async () => {
    await listener('operation.closed');
    const notices = await failedNotices();
    expect(notices).toHaveLength(1);
    const { operationId } = await store.retry(tenant, { filter: { state: ['failed'] } });
    await store.select(operationId);
    await store.attempt(404, { workedBy: operationId });
    await closeOperation(store.pool, operationId);
    expect(await waiting()).toBe(0);
    const left = await store.retry(tenant, { deliveryIds: notices });
    const coalesced = await store.retry(tenant, { deliveryIds: notices });
    await closeOperation(store.pool, coalesced.operationId);
    await store.attempt(200);
    await closeOperation(store.pool, left.operationId);
    expect(await waiting()).toBe(0);
    const plan = await plansOf(store, tenant).make({ deliveryIds: notices });
    expect(
      await withTransaction(store.pool, (tx) =>
        announce(tx, {
          type: 'operation.awaiting_approval',
          tenantId: tenant.id,
          operationId: plan.operationId,
        }),
      ),
    ).toBe(false);
  });

  test('is told of together with the deliveries of others', async () => {
    await listener('operation.closed', 'operation.awaiting_approval');
    const notices = await failedNotices();
    const others = await failed(1);
    const plan = await plansOf(store, tenant).make({ deliveryIds: [...notices, ...others] });
    const asked: Announcement = {
      type: 'operation.awaiting_approval',
      tenantId: tenant.id,
      operationId: plan.operationId,
    };
    expect(await withTransaction(store.pool, (tx) => announce(tx, asked))).toBe(true);
    await closedRetry([...notices, ...others]);
    expect(await waiting()).toBe(2);
  });
});

test('an operation that halts is told each time that it does, with the evidence', async () => {
  await listener('operation.halted');
  const { operationId } = await store.retry(tenant, { deliveryIds: await failed(1) });
  const halt = () => haltAfter(quietContext(store.pool), operationId, { step: 'dispatch', code: '23514' });
  await halt();
  await halt();
  await tell();
  await store.rows(
    `update operations set state = 'running', control = 'run', control_revision = control_revision + 1,
       control_seen = control_revision + 1 where id = $1`,
    [operationId],
  );
  await halt();
  await tell();
  const events = await told();
  expect(events.map(({ body }) => body.data)).toEqual(
    [1, 2].map(() => ({
      operationId: showId('operation', operationId),
      halt: { reason: 'failed_step', step: 'dispatch', code: '23514' },
      link: expect.any(String),
    })),
  );
  expect(new Set(events.map(({ external_id }) => external_id)).size).toBe(2);
});

test('a drift that is too large is told, once for each execution that meets it', async () => {
  await listener('operation.drift_too_large');
  const plans = plansOf(store, tenant);
  const ids = await failed(2);
  const plan = await plans.make({ deliveryIds: ids });
  await closedRetry(ids.slice(0, 1));
  expect((await plans.execute(plan, 10)).ok).toBe(false);
  expect((await plans.execute(plan, 10)).ok).toBe(false);
  await tell();
  const [event, ...others] = await told();
  expect(others).toEqual([]);
  expect(event.body.data).toMatchObject({
    operationId: showId('operation', plan.operationId),
    planHash: plan.planned?.planHash,
    items: 2,
    gone: { already_delivered: 1 },
    endpointsChanged: 0,
  });
  // Measured by its workflow, behind the answer.
  await plans.execute(plan);
  await store.rows('update plans set max_drift_percent = 10 where operation_id = $1', [plan.operationId]);
  expect(await plans.freeze(plan)).toBe(false);
  await tell();
  expect(await told()).toHaveLength(2);
});

describe('an outage', () => {
  const since = new Date(Date.now() - 60_000);
  const opened = (endpoint: Id<'endpoint'>, more: { since?: Date } = {}): Announcement => ({
    type: 'outage.opened',
    tenantId: tenant.id,
    outage: 'out_01k9z3e5hbe7r9qk2m4n6p8r0s',
    endpointId: endpoint,
    data: { cause: 'circuit' },
    ...more,
  });
  const said = (announcement: Announcement) =>
    withTransaction(store.pool, (tx) => announce(tx, announcement));

  test('is told to every endpoint that names it but the one that was down', async () => {
    const other = await listener('outage.opened');
    const down = await listener('outage.opened', 'test.made');
    await failed(1);
    expect(await said(opened(down, { since }))).toBe(true);
    await tell();
    const [event] = await told();
    expect(event.endpoints).toEqual([other]);
    expect(event.body.data).toEqual({
      outageId: 'out_01k9z3e5hbe7r9qk2m4n6p8r0s',
      endpointId: showId('endpoint', down),
      cause: 'circuit',
      link: '/api/v1/outages/out_01k9z3e5hbe7r9qk2m4n6p8r0s',
    });
    await setEndpointState(store.pool, tenant.id, other, 'deleted');
    expect(await said({ ...opened(down, { since }), once: 'again' })).toBe(false);
  });

  test('of an endpoint that had nothing but notices to take is told to nobody', async () => {
    await listener('outage.opened');
    const down = await listener('operation.closed');
    await closedRetry(await failed(1));
    await tell();
    await store.attempt(404);
    expect(await said(opened(down, { since }))).toBe(false);
    // An operator who disables it is no failure of a notice.
    expect(await said(opened(down))).toBe(true);
  });

  test('is told where something of somebody else waits there, however old', async () => {
    await listener('outage.opened');
    await failed(1);
    expect(await said(opened(endpointId, { since: new Date(Date.now() + 60_000) }))).toBe(true);
  });
});

test('who is to be told is looked up by an index over the endpoints that name one of the types', async () => {
  const [row] = await store.rows(`select pg_get_indexdef('endpoint_versions_told'::regclass) as text`);
  const listed = [...row.text.matchAll(/'([a-z_]+\.[a-z_]+)'/g)].map(([, type]: string[]) => type);
  expect(listed).toEqual([...ANNOUNCED_TYPES]);
  await store.rows(
    `insert into endpoint_versions (endpoint_id, version, tenant_id, url, event_types, timeout_ms, max_attempts, initial_ms,
       factor, cap_ms, give_up_after_ms, on_ambiguous, reconcile_within_ms, require_ack, protect, ordered, on_exhausted)
     select v.endpoint_id, n, v.tenant_id, v.url, array['a', 'b'], v.timeout_ms, v.max_attempts, v.initial_ms, v.factor,
       v.cap_ms, v.give_up_after_ms, v.on_ambiguous, v.reconcile_within_ms, v.require_ack, v.protect, v.ordered, v.on_exhausted
     from endpoint_versions v cross join generate_series(2, 3000) as n where v.endpoint_id = $1`,
    [endpointId],
  );
  await store.rows('analyze endpoint_versions');
  for (const generic of [false, true]) {
    const { scanned, indexes } = await planOf(
      store.pool,
      (tx) =>
        announce(tx, { type: 'operation.closed', tenantId: tenant.id, operationId: '' as Id<'operation'> }),
      { generic },
    );
    expect(scanned).not.toContain('endpoint_versions');
    expect(indexes).toContain('endpoint_versions_told');
  }
});
