import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { settleExpiredClaims } from '../../../src/operations/settle-expired.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE, type Transaction } from '../../../src/store/db/queryable.ts';
import { recordProbe } from '../../../src/store/sending/probes.ts';
import { acknowledge } from '../../../src/store/settling/acknowledgements.ts';
import { recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { resolveUnknown } from '../../../src/store/settling/resolutions.ts';
import {
  giveUpOverdue,
  ignoreAtClosedEndpoints,
  ignoreWithoutPayload,
} from '../../../src/store/settling/settlement.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { changeEndpoint, ENDPOINT, outcomeOf, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

function claimOwn() {
  return store.claim({ endpointIds: [endpointId] });
}

async function execution(deliveryId: Id<'delivery'> | undefined) {
  return (
    await store.rows('select * from executions where delivery_id = $1 order by id desc limit 1', [deliveryId])
  )[0];
}

async function delivery(deliveryId: Id<'delivery'> | undefined) {
  return (await store.rows('select * from deliveries where id = $1', [deliveryId]))[0];
}

describe('recording', () => {
  test('numbers the attempts of an execution one after the other, and keeps what each one was', async () => {
    const [id] = await store.ingest(tenant, 1);
    for (const ending of [500, 'refused', 404] as const) {
      await store.attempt(ending, { endpointIds: [endpointId] });
      await store.timePasses();
    }
    const { id: executionId } = await execution(id);
    expect(
      await store.rows(
        'select number, outcome, http_status, fault_code, endpoint_version from attempts where execution_id = $1 order by number',
        [executionId],
      ),
    ).toEqual([
      { number: 1, outcome: 'retryable', http_status: 500, fault_code: 'http_5xx', endpoint_version: 1 },
      {
        number: 2,
        outcome: 'unsent',
        http_status: null,
        fault_code: 'connection_refused',
        endpoint_version: 1,
      },
      { number: 3, outcome: 'permanent', http_status: 404, fault_code: 'http_4xx', endpoint_version: 1 },
    ]);
    expect(await delivery(id)).toMatchObject({
      state: 'failed',
      attempts: 3,
      fault_code: 'http_4xx',
      http_status: 404,
      original_version: 1,
    });
  });

  test('with another token than the claim’s changes nothing', async () => {
    const [id] = await store.ingest(tenant, 1);
    const claim = await claimOwn();
    expect(await store.record({ ...claim, token: randomUUID() }, 200)).toEqual([]);
    expect(await execution(id)).toMatchObject({ state: 'sending', attempts: 0, lease_token: claim.token });
    expect(await delivery(id)).toMatchObject({ state: 'pending', attempts: 0 });
    await store.record(claim, 200);
  });

  test('twice is recording once, for a commit whose answer was lost', async () => {
    const [id] = await store.ingest(tenant, 1);
    const claim = await claimOwn();
    expect(await store.record(claim, 500)).toMatchObject([{ state: 'scheduled', attempts: 1 }]);
    expect(await store.record(claim, 500)).toEqual([]);
    expect(await execution(id)).toMatchObject({ state: 'scheduled', attempts: 1 });
    expect(await delivery(id)).toMatchObject({ attempts: 1 });
  });

  test('a release gives the item back unsent: no attempt, and the delivery as it was', async () => {
    const [id] = await store.ingest(tenant, 1);
    const before = await delivery(id);
    await store.attempt('released', { endpointIds: [endpointId] });
    expect(await execution(id)).toMatchObject({ state: 'queued', attempts: 0 });
    expect(await delivery(id)).toEqual(before);
    expect((await claimOwn()).items).toHaveLength(1);
    await store.leasesEnd();
    await settleExpiredClaims(store.pool);
  });

  test('waits for the backoff, or for Retry-After where that is longer', async () => {
    const [id] = await store.ingest(tenant, 1);
    const wait = async () => {
      const [{ ms }] = await store.rows(
        'select extract(epoch from due_at - now())::float8 * 1000 as ms from executions where delivery_id = $1',
        [id],
      );
      return ms;
    };
    await store.attempt(500, { endpointIds: [endpointId] });
    expect(await wait()).toBeGreaterThan(55_000);
    expect(await wait()).toBeLessThanOrEqual(60_000);
    await store.timePasses();
    await store.attempt({ status: 429, retryAfterMs: 600_000 }, { endpointIds: [endpointId] });
    expect(await wait()).toBeGreaterThan(595_000);
    expect(await wait()).toBeLessThanOrEqual(600_000);
  });

  test('a retry that would only be due after the time to give up is a failure now', async () => {
    const [id] = await store.ingest(tenant, 1);
    await store.rows(
      `update executions set give_up_at = now() + interval '30 seconds' where delivery_id = $1`,
      [id],
    );
    await store.attempt(500, { endpointIds: [endpointId] });
    expect(await execution(id)).toMatchObject({ state: 'failed', reason: 'gave_up', attempts: 1 });
    expect(await delivery(id)).toMatchObject({ state: 'failed', fault_code: 'http_5xx' });
  });

  test('keeps in mind that an attempt may have arrived, to the end', async () => {
    const [id] = await store.ingest(tenant, 1);
    for (const ending of ['timeout', 500, 500] as const) {
      await store.attempt(ending, { endpointIds: [endpointId] });
      await store.timePasses();
    }
    expect(await execution(id)).toMatchObject({
      state: 'failed',
      reason: 'exhausted',
      may_have_arrived: true,
    });
    expect(
      await store.rows('select resend from attempts where execution_id = $1 order by number', [
        (await execution(id)).id,
      ]),
    ).toEqual([{ resend: false }, { resend: true }, { resend: true }]);
  });

  test('holds an attempt that may have arrived where the policy says so, and never gives it up by time', async () => {
    endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
    const id = (await store.ingest(tenant, 1)).at(-1);
    await store.claim();
    await store.leasesEnd();
    await settleExpiredClaims(store.pool);
    const [held] = await store.rows(`select * from executions where endpoint_id = $1`, [endpointId]);
    expect(held).toMatchObject({ state: 'unknown', may_have_arrived: true });
    expect(held.reconcile_until.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
    await store.rows(`update executions set give_up_at = now() - interval '1 day' where id = $1`, [held.id]);
    await withTransaction(store.pool, (db) => giveUpOverdue(db, 100));
    expect(await store.rows('select state from executions where id = $1', [held.id])).toEqual([
      { state: 'unknown' },
    ]);
    expect(id).toBeDefined();
  });

  test('a delivered delivery stays delivered, whatever a replay of it comes to', async () => {
    const [id] = await store.ingest(tenant, 1);
    await store.attempt(200, { endpointIds: [endpointId] });
    const before = await delivery(id);
    await store.retry(tenant, { deliveryIds: [id ?? NO_ID] }, { kind: 'replay' });
    await store.attempt(404, { endpointIds: [endpointId] });
    expect(await execution(id)).toMatchObject({ state: 'failed' });
    expect(await delivery(id)).toEqual({ ...before, attempts: 2, last_attempt_at: expect.any(Date) });
  });

  test('of many outcomes in one statement does each', async () => {
    const ids = await store.ingest(tenant, 40);
    const claim = await claimOwn();
    const recorded = await store.record(claim, ({ deliveryId }) =>
      ids.indexOf(deliveryId) % 2 === 0 ? 200 : 404,
    );
    expect(recorded).toHaveLength(40);
    expect(
      await store.rows(
        `select state, count(*) as n from deliveries where endpoint_id = $1 group by 1 order by 1`,
        [endpointId],
      ),
    ).toEqual([
      { state: 'delivered', n: 20 },
      { state: 'failed', n: 20 },
    ]);
  });
});

describe('a lease that has ended', () => {
  test('is settled as an attempt that may have arrived, and a later word of its sender changes nothing', async () => {
    const [id] = await store.ingest(tenant, 1);
    const claim = await claimOwn();
    expect(await settleExpiredClaims(store.pool)).toBe(0);
    await store.leasesEnd();
    expect(await settleExpiredClaims(store.pool)).toBe(1);
    expect(await execution(id)).toMatchObject({
      state: 'scheduled',
      attempts: 1,
      may_have_arrived: true,
      lease_token: null,
    });
    expect(
      await store.rows('select outcome, fault_code from attempts where execution_id = $1', [
        (await execution(id)).id,
      ]),
    ).toEqual([{ outcome: 'ambiguous', fault_code: 'lease_lost' }]);
    expect(await store.rows('select from claims where token = $1', [claim.token])).toEqual([]);
    expect(await store.record(claim, 200)).toEqual([]);
    expect(await delivery(id)).toMatchObject({ state: 'pending', attempts: 1, fault_code: 'lease_lost' });
  });

  test('does not touch outcomes that its sender has recorded, nor a later claim of the same item', async () => {
    const [recorded, lost] = await store.ingest(tenant, 2);
    const claim = await claimOwn();
    const first = claim.items.filter((item) => item.deliveryId === recorded);
    await recordOutcomes(
      store.pool,
      first.map((item) => outcomeOf(claim.token, item, 'released')),
    );
    await store.rows(`update claims set lease_until = now() - interval '1 second' where token = $1`, [
      claim.token,
    ]);
    const again = await claimOwn();
    expect(again.items.map((item) => item.deliveryId)).toEqual([recorded]);
    expect(await settleExpiredClaims(store.pool)).toBe(1);
    expect(await execution(recorded)).toMatchObject({ state: 'sending', lease_token: again.token });
    expect(await execution(lost)).toMatchObject({ state: 'scheduled', attempts: 1 });
    await store.record(again, 200);
  });

  test('is settled once, by whichever of several sweepers', async () => {
    await store.ingest(tenant, 30);
    for (let n = 0; n < 10; n++) await store.claim({ endpointIds: [endpointId], count: 3 });
    await store.leasesEnd();
    const settled = await Promise.all(Array.from({ length: 6 }, () => settleExpiredClaims(store.pool)));
    expect(settled.reduce((sum, n) => sum + n, 0)).toBe(30);
    expect(
      await store.rows(`select from executions where endpoint_id = $1 and attempts <> 1`, [endpointId]),
    ).toEqual([]);
  });

  test('is settled by the current policy, as its sender would have, also where an older version was sent to', async () => {
    const [id] = await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [endpointId] });
    await changeEndpoint(store.pool, tenant, endpointId, 2, { ...ENDPOINT, onAmbiguous: 'hold' });
    await store.retry(tenant, { deliveryIds: [id ?? NO_ID] }, { target: 'original' });
    expect((await claimOwn()).items).toMatchObject([{ version: 1 }]);
    await store.leasesEnd();
    await settleExpiredClaims(store.pool);
    expect(await execution(id)).toMatchObject({ state: 'unknown', target_version: 1 });
    expect(
      await store.rows('select endpoint_version from attempts where execution_id = $1', [
        (await execution(id)).id,
      ]),
    ).toEqual([{ endpoint_version: 1 }]);
  });
});

describe('giving up', () => {
  test('ends executions that nobody sent in time, and says so on a delivery that was never attempted', async () => {
    const [id] = await store.ingest(tenant, 1);
    await store.rows(
      `update executions set give_up_at = now() - interval '1 second' where delivery_id = $1`,
      [id],
    );
    expect((await withTransaction(store.pool, (db) => giveUpOverdue(db, 100))).gaveUp).toHaveLength(1);
    expect(await execution(id)).toMatchObject({ state: 'failed', reason: 'gave_up' });
    expect(await delivery(id)).toMatchObject({ state: 'failed', fault_code: 'gave_up' });
  });

  test('of a retry that was never sent leaves the word of the last attempt', async () => {
    const [id] = await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [endpointId] });
    await store.retry(tenant, { deliveryIds: [id ?? NO_ID] });
    await store.rows(
      `update executions set give_up_at = now() - interval '1 second' where delivery_id = $1 and open`,
      [id],
    );
    expect((await withTransaction(store.pool, (db) => giveUpOverdue(db, 100))).gaveUp).toHaveLength(1);
    expect(await delivery(id)).toMatchObject({ state: 'failed', fault_code: 'http_4xx', http_status: 404 });
  });
});

describe('an execution', () => {
  const ends: Record<
    string,
    { first: 'timeout' | 500 | 404 | 200; end?: (db: Transaction, id: Id<'delivery'>) => Promise<unknown> }
  > = {
    'that is delivered': { first: 200 },
    'that fails': { first: 404 },
    'that an operator settles': {
      first: 'timeout',
      end: (db, id) => resolveUnknown(db, tenant.id, id, 'failed'),
    },
    'that is acknowledged': { first: 'timeout', end: (db, id) => acknowledge(db, [id]) },
    'that a status request settles': {
      first: 'timeout',
      end: async (db, deliveryId) =>
        recordProbe(
          db,
          { executionId: (await execution(deliveryId)).id, deliveryId },
          { state: 'delivered' },
        ),
    },
    'that is given up': {
      first: 500,
      end: async (db, id) => {
        await db.query(
          `update executions set give_up_at = now() - interval '1 hour' where delivery_id = $1`,
          [id],
        );
        await giveUpOverdue(db, 100);
      },
    },
    'that is ignored': {
      first: 500,
      end: async (db) => {
        await setEndpointState(db, tenant.id, endpointId, 'disabled');
        await ignoreAtClosedEndpoints(db, LIVE_LANE, [endpointId], 100);
      },
    },
    'whose payload is gone': {
      first: 500,
      end: async (db, id) => ignoreWithoutPayload(db, [(await execution(id)).id]),
    },
  };

  test.each(Object.keys(ends))('%s has not ended before its last attempt has', async (name) => {
    const { first, end } = ends[name] ?? { first: 200 };
    tenant = await store.newTenant();
    endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
    const [id = NO_ID] = await store.ingest(tenant, 1);
    // Its transaction begins before the attempt is recorded.
    await withTransaction(store.pool, async (db) => {
      await db.query('select 1');
      const claim = await claimOwn();
      await recordOutcomes(
        store.pool,
        claim.items.map((item) => outcomeOf(claim.token, item, first, { ...ENDPOINT, onAmbiguous: 'hold' })),
      );
      await end?.(db, id);
    });
    const [row] = await store.rows(
      `select e.state, e.finished_at >= a.started_at + a.duration_ms * interval '1 millisecond' as in_order
       from executions e join attempts a on a.execution_id = e.id where e.delivery_id = $1`,
      [id],
    );
    expect(row).toMatchObject({ in_order: true });
  });
});
