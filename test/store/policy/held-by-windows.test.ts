import { beforeEach, describe, expect, test } from '@jest/globals';
import { nextStep } from '../../../src/domain/operations/next-step.ts';
import type { OperationOptions } from '../../../src/domain/operations/operation.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { lookAtOperation } from '../../../src/operations/look-at-operation.ts';
import { disableEndpoint } from '../../../src/operations/switch-endpoint.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { operationFacts } from '../../../src/store/operations/operation-facts.ts';
import { lockWatched } from '../../../src/store/operations/operation-watch.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { findOverdue } from '../../../src/store/operations/overdue-operations.ts';
import { waitsOfExecutions, withWaits } from '../../../src/store/reading/waits.ts';
import { readyEndpoints } from '../../../src/store/sending/ready-endpoints.ts';
import { giveUpOverdue } from '../../../src/store/settling/settlement.ts';
import { PLATFORM_TENANT } from '../../../src/store/tenancy/tenants.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import { freeze, passSpans } from '../../support/store/freeze.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** What freeze windows hold, and what they do not. The spans are written as they are: windows have whole minutes. */

const HOUR = 3_600;

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId] });
  return ids;
}

async function bulk(options: OperationOptions = {}): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(tenant, { filter: {} }, { options });
  await store.select(operationId);
  return operationId;
}

const claimed = async (workedBy: Id<'operation'>, count = 100) =>
  (await store.claim({ workedBy, endpointIds: [endpointId], count })).items.length;

const hold = (seconds: Parameters<typeof freeze>[2] = {}) => freeze(store.pool, tenant.id, seconds);

async function step(operationId: Id<'operation'>) {
  const facts = await operationFacts(store.pool, operationId);
  if (!facts) throw new Error('no such operation');
  return nextStep(facts);
}

async function executionsOf(operationId: Id<'operation'>): Promise<Id<'execution'>[]> {
  const rows = await store.rows('select id from executions where operation_id = $1 order by id', [
    operationId,
  ]);
  return rows.map(({ id }) => id);
}

async function waits(operationId: Id<'operation'>) {
  const found = await waitsOfExecutions(store.pool, await executionsOf(operationId));
  return [...found.values()][0];
}

/** Moves what has happened to an operation and its items into the past; the endpoints stay as they are. */
async function isAgo(operationId: Id<'operation'>, seconds: number): Promise<void> {
  const by = `$2::float8 * interval '1 second'`;
  await store.rows(
    `update executions set created_at = created_at - ${by}, due_at = due_at - ${by}, give_up_at = give_up_at - ${by}
     where operation_id = $1`,
    [operationId, seconds],
  );
  await store.rows(
    `update operations set created_at = created_at - ${by}, ramped_at = ramped_at - ${by} where id = $1`,
    [operationId, seconds],
  );
  await store.rows(`update canaries set began_at = began_at - ${by} where operation_id = $1`, [
    operationId,
    seconds,
  ]);
}

describe('a bulk operation within a window', () => {
  test('gets nothing, says until when, looks again at its end, and gets everything then', async () => {
    await failed(6);
    const operationId = await bulk();
    const endsAt = await hold();
    expect(await claimed(operationId)).toBe(0);
    const [ready] = await readyEndpoints(store.pool, operationId);
    expect(ready).toMatchObject({ windowHolds: true });
    const next = await step(operationId);
    expect(next).toMatchObject({ do: 'wait', until: 'window_ends' });
    const { ms } = next as { ms: number };
    expect(ms).toBeLessThanOrEqual(HOUR * 1_000);
    expect(ms).toBeGreaterThan((HOUR - 60) * 1_000);
    const wait = { what: 'freeze_window', untilMs: endsAt.getTime() };
    expect(await waits(operationId)).toEqual([wait]);

    await lookAtOperation(quietContext(store.pool), operationId);
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('no such operation');
    expect(operation.nextEvent).toBe('window_ends');
    expect(Math.abs((operation.nextEventAt?.getTime() ?? 0) - endsAt.getTime())).toBeLessThan(1_000);
    expect((await withWaits(store.pool, [operation]))[0]?.waitingFor).toEqual([wait]);

    await passSpans(store.pool, tenant.id, HOUR + 1);
    expect(await waits(operationId)).toEqual([]);
    expect(await step(operationId)).toMatchObject({ do: 'dispatch' });
    expect(await claimed(operationId)).toBe(6);
  });

  test('is not pushed by the sweeper, and is once the window has ended', async () => {
    await failed(1);
    const operationId = await bulk();
    await hold();
    await lookAtOperation(quietContext(store.pool), operationId);
    const pushed = async () => {
      await store.rows(
        `update operations set start_confirmed_at = now(), nudged_at = now() - interval '10 seconds', control_seen = control_revision
         where id = $1`,
        [operationId],
      );
      return (await findOverdue(store.pool, 100, 0)).some(({ id }) => id === operationId);
    };
    expect(await pushed()).toBe(false);
    await store.rows('delete from freeze_spans where tenant_id = $1', [tenant.id]);
    expect(await pushed()).toBe(true);
  });

  test('waits for what holds it longer', async () => {
    await failed(1);
    const operationId = await bulk();
    await hold({ toSeconds: 60 });
    await store.rows(
      `update endpoint_pacing set floor_until = now() + interval '1 hour' where endpoint_id = $1`,
      [endpointId],
    );
    expect(await step(operationId)).toMatchObject({ until: 'due' });
    expect(await waits(operationId)).toMatchObject([{ what: 'freeze_window' }, { what: 'retry_after' }]);
  });

  test('is held until the end of the later of two windows', async () => {
    await failed(1);
    const operationId = await bulk();
    await hold({ toSeconds: 60 });
    const endsAt = await hold({ endpointId, fromSeconds: -30, toSeconds: 120 });
    expect(await waits(operationId)).toEqual([{ what: 'freeze_window', untilMs: endsAt.getTime() }]);
  });

  test('goes on at the endpoints that the window does not name', async () => {
    const other = await store.newEndpoint(tenant);
    await store.ingest(tenant, 4);
    await store.attempt(404, { endpointIds: [endpointId, other] });
    const operationId = await bulk();
    await hold({ endpointId });
    expect(await step(operationId)).toMatchObject({ do: 'dispatch' });
    const { items } = await store.claim({ workedBy: operationId, endpointIds: [endpointId, other] });
    expect(items.map((item) => item.endpointId)).toEqual(Array(4).fill(other));
    expect(await step(operationId)).toMatchObject({ do: 'wait', until: 'lease' });
  });

  test('is not held by the window of another tenant, nor by one that is over or has not begun', async () => {
    await failed(2);
    const operationId = await bulk();
    await freeze(store.pool, (await store.newTenant()).id);
    await hold({ fromSeconds: -HOUR, toSeconds: -1 });
    await hold({ fromSeconds: HOUR, toSeconds: 2 * HOUR });
    expect(await waits(operationId)).toEqual([]);
    expect(await claimed(operationId)).toBe(2);
  });

  test('of the platform is held by the windows of each tenant that it touches', async () => {
    await failed(2);
    const other = await store.newTenant();
    const free = await store.newEndpoint(other);
    await store.ingest(other, 3);
    await store.attempt(404, { endpointIds: [free] });
    const { operationId } = await store.retry(
      { ...PLATFORM_TENANT },
      { filter: {}, tenants: [tenant.id, other.id] },
    );
    await store.select(operationId);
    await hold();
    const { items } = await store.claim({ workedBy: operationId, endpointIds: [endpointId, free] });
    expect(items.map((item) => item.endpointId)).toEqual([free, free, free]);
    expect(await step(operationId)).toMatchObject({ do: 'wait', until: 'lease' });
  });

  test('looks again every minute where nobody knows when the window ends', async () => {
    await failed(1);
    const operationId = await bulk();
    await store.rows(`insert into freeze_spans values ($1, null, now() - interval '1 second', 'infinity')`, [
      tenant.id,
    ]);
    expect(await claimed(operationId)).toBe(0);
    expect(await step(operationId)).toEqual({ do: 'wait', until: 'window_ends', ms: 60_000 });
    expect(await waits(operationId)).toEqual([{ what: 'freeze_window' }]);
  });
});

describe('no window holds', () => {
  test('first deliveries and their automatic retries', async () => {
    await hold();
    await store.ingest(tenant, 3);
    await store.attempt(503, { endpointIds: [endpointId] });
    await store.timePasses();
    expect(await claimed(LIVE_LANE)).toBe(3);
  });

  test('a single retry, in the live lane or with a rate of its own', async () => {
    const [first = '', second = ''] = await failed(2);
    await hold();
    const { operationId: interactive } = await store.retry(tenant, {
      deliveryIds: [first as Id<'delivery'>],
    });
    expect(await waits(interactive)).toEqual([]);
    expect(await claimed(LIVE_LANE)).toBe(1);
    const { operationId: paced } = await store.retry(
      tenant,
      { deliveryIds: [second as Id<'delivery'>] },
      { options: { ratePerSecond: 1 } },
    );
    expect(await readyEndpoints(store.pool, paced)).toMatchObject([{ windowHolds: false }]);
    expect(await claimed(paced)).toBe(1);
  });

  test('a single retry of what a bulk operation has waiting: it takes that over', async () => {
    const [first = ''] = await failed(3);
    const operationId = await bulk();
    const one = { deliveryIds: [first as Id<'delivery'>] };
    const { items: joined } = await store.retry(tenant, one);
    expect(joined).toMatchObject([{ became: 'excluded', reason: 'coalesced' }]);
    await hold();
    const { items } = await store.retry(tenant, one);
    expect(items).toMatchObject([{ became: 'queued' }]);
    expect(await claimed(LIVE_LANE)).toBe(1);
    expect((await loadOperation(store.pool, operationId))?.counts).toMatchObject({
      queued: 2,
      superseded: 1,
    });
  });
});

describe('a short list', () => {
  test('is worked by its own slices where its tenant has windows, and waits', async () => {
    const deliveryIds = await failed(3);
    await store.rows(`insert into freeze_calendars values ($1, '[{}]', now() + interval '1 day')`, [
      tenant.id,
    ]);
    await hold();
    const { operationId } = await store.retry(tenant, { deliveryIds });
    expect(await loadOperation(store.pool, operationId)).toMatchObject({ interactive: false });
    expect(await claimed(operationId)).toBe(0);
    expect(await step(operationId)).toMatchObject({ until: 'window_ends' });
  });

  test('that the live lane had before the windows were there is held, too', async () => {
    const deliveryIds = await failed(3);
    const { operationId } = await store.retry(tenant, { deliveryIds });
    await store.ingest(tenant, 1);
    const endsAt = await hold();
    expect(await claimed(LIVE_LANE)).toBe(1);
    expect(await step(operationId)).toMatchObject({ do: 'wait', until: 'window_ends' });
    expect(await waits(operationId)).toEqual([{ what: 'freeze_window', untilMs: endsAt.getTime() }]);
    await passSpans(store.pool, tenant.id, HOUR + 1);
    expect(await claimed(LIVE_LANE)).toBe(3);
  });
});

describe('while a window holds an endpoint', () => {
  const gaveUp = async () => withTransaction(store.pool, (db) => giveUpOverdue(db, 100));

  test('the time to give up its items stands still', async () => {
    await failed(2);
    const operationId = await bulk({ giveUpAfterMs: 2 * HOUR * 1_000 });
    // An hour of it had passed when the window began, three hours ago; in an hour it ends.
    await isAgo(operationId, 4 * HOUR);
    await hold({ fromSeconds: -3 * HOUR, toSeconds: HOUR });
    expect(await waits(operationId)).toMatchObject([{ what: 'freeze_window' }]);
    expect(await gaveUp()).toMatchObject({ gaveUp: [], putOff: 2 });
    const left = () =>
      store.rows(
        `select round(extract(epoch from give_up_at - clock_timestamp()) / 60)::int as minutes, put_off_ms is not null as put_off
         from executions where operation_id = $1 limit 1`,
        [operationId],
      );
    expect(await left()).toEqual([{ minutes: 120, put_off: true }]);
    expect(await gaveUp()).toMatchObject({ gaveUp: [], putOff: 0 });
    // Half an hour after the window.
    await isAgo(operationId, 1.5 * HOUR);
    await passSpans(store.pool, tenant.id, 1.5 * HOUR);
    expect(await left()).toEqual([{ minutes: 30, put_off: true }]);
    expect(await claimed(operationId, 1)).toBe(1);
    await isAgo(operationId, HOUR);
    await passSpans(store.pool, tenant.id, HOUR);
    expect((await gaveUp()).gaveUp).toHaveLength(1);
  });

  test('no item is given up that could be claimed once it has ended, also where nobody looked meanwhile', async () => {
    await failed(2);
    const operationId = await bulk({ giveUpAfterMs: 2 * HOUR * 1_000 });
    await isAgo(operationId, 4 * HOUR);
    await hold({ fromSeconds: -3.5 * HOUR, toSeconds: -0.5 * HOUR });
    expect(await waits(operationId)).toEqual([]);
    const claim = await store.claim({ workedBy: operationId, endpointIds: [endpointId], count: 1 });
    expect(claim.items).toHaveLength(1);
    // It is tried again in a minute, an hour before its time to give up.
    expect(await store.record(claim, 503)).toMatchObject([{ state: 'scheduled' }]);
    expect(await gaveUp()).toMatchObject({ gaveUp: [], putOff: 2 });
  });

  test('the time to give up of a first delivery and of a single retry does not', async () => {
    const [first = ''] = await failed(1);
    const { operationId } = await store.retry(
      tenant,
      { deliveryIds: [first as Id<'delivery'>] },
      { options: { giveUpAfterMs: 1_000 } },
    );
    await isAgo(operationId, HOUR);
    const [second = ''] = await store.ingest(tenant, 1);
    await store.rows(
      `update executions set give_up_at = now() - interval '1 minute' where delivery_id = $1`,
      [second],
    );
    await hold({ fromSeconds: -HOUR });
    expect((await gaveUp()).gaveUp.sort()).toEqual([first, second].sort());
  });

  test('where nobody knows when it ends, items are put off minute by minute, and lose nothing', async () => {
    await failed(1);
    const operationId = await bulk({ giveUpAfterMs: HOUR * 1_000 });
    await isAgo(operationId, 2 * HOUR);
    await store.rows(
      `insert into freeze_spans values ($1, null, now() - interval '90 minutes', 'infinity')`,
      [tenant.id],
    );
    expect(await gaveUp()).toMatchObject({ putOff: 1 });
    await store.rows('update freeze_spans set to_at = now() where tenant_id = $1', [tenant.id]);
    await store.rows(
      `update executions set give_up_at = now() - interval '1 second', put_off_ms = put_off_ms - 61000
      where operation_id = $1`,
      [operationId],
    );
    expect(await gaveUp()).toMatchObject({ putOff: 1 });
    const [row] = await store.rows(
      'select round(extract(epoch from give_up_at - now()) / 60)::int as minutes from executions where operation_id = $1',
      [operationId],
    );
    expect(row).toEqual({ minutes: 30 });
  });

  test('the patience of an operation with an endpoint that was disabled stands still', async () => {
    await failed(1);
    const operationId = await bulk({ disabledPatienceMs: HOUR * 1_000 });
    await disableEndpoint(store.deps, tenant.id, endpointId);
    await store.rows(`update endpoints set disabled_at = disabled_at - interval '2 hours' where id = $1`, [
      endpointId,
    ]);
    await isAgo(operationId, 3 * HOUR);
    const inMinutes = async () =>
      Math.round(((await readyEndpoints(store.pool, operationId))[0]?.claimableInMs ?? 0) / 60_000);
    expect(await inMinutes()).toBeLessThanOrEqual(0);
    await hold({ fromSeconds: -1.5 * HOUR, toSeconds: HOUR });
    expect(await inMinutes()).toBe(90);
  });

  describe('a canary that is out', () => {
    const canaryStands = { canary: { count: 1, maxFailurePercent: 0 } };

    async function out(): Promise<Id<'operation'>> {
      await failed(3);
      const operationId = await bulk(canaryStands);
      await store.rows(
        `insert into canaries (operation_id, endpoint_id, allowed, claimed) values ($1, $2, 1, 1)`,
        [operationId, endpointId],
      );
      await claimed(operationId, 1);
      return operationId;
    }

    test('is not late, and its minute goes on when the window has ended', async () => {
      const operationId = await out();
      // It had been out for half a minute.
      await isAgo(operationId, HOUR + 30);
      await hold({ fromSeconds: -HOUR, toSeconds: HOUR });
      await lookAtOperation(quietContext(store.pool), operationId);
      expect(await loadOperation(store.pool, operationId)).toMatchObject({ state: 'running' });
      const facts = await operationFacts(store.pool, operationId);
      // Half a minute of it is left behind the window; what this machine took since is gone.
      const left = (ms = 0) => ({ most: ms <= (HOUR + 30) * 1_000, least: ms > (HOUR + 1) * 1_000 });
      expect(left(facts?.judgeInMs)).toEqual({ most: true, least: true });
      const [wait] = (await waits(operationId))?.filter(({ what }) => what === 'canary') ?? [];
      expect(left((wait?.untilMs ?? 0) - Date.now())).toEqual({ most: true, least: true });
      await isAgo(operationId, HOUR + 31);
      await passSpans(store.pool, tenant.id, HOUR + 31);
      await lookAtOperation(quietContext(store.pool), operationId);
      expect(await loadOperation(store.pool, operationId)).toMatchObject({ state: 'halted' });
    });

    test('is late after its minute where no window holds its endpoint', async () => {
      const operationId = await out();
      await isAgo(operationId, HOUR + 30);
      await hold({ fromSeconds: -HOUR, toSeconds: HOUR, endpointId: await store.newEndpoint(tenant) });
      await lookAtOperation(quietContext(store.pool), operationId);
      expect(await loadOperation(store.pool, operationId)).toMatchObject({ state: 'halted' });
    });
  });

  test('the span of a ramp stands still, while all that is left to send is held', async () => {
    const other = await store.newEndpoint(tenant);
    await store.ingest(tenant, 4);
    await store.attempt(404, { endpointIds: [endpointId, other] });
    const operationId = await bulk({ ramp: { startPerSecond: 1, everySeconds: 600 } });
    await isAgo(operationId, HOUR);
    const spanMinutes = () =>
      withTransaction(store.pool, async (db) =>
        Math.round(((await lockWatched(db, operationId))?.spanMs ?? 0) / 60_000),
      );
    await hold({ fromSeconds: -0.5 * HOUR, endpointId });
    expect(await spanMinutes()).toBe(60);
    await hold({ fromSeconds: -0.25 * HOUR, endpointId: other });
    expect(await spanMinutes()).toBe(45);
  });
});
