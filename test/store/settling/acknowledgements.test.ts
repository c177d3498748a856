import { beforeEach, describe, expect, test } from '@jest/globals';
import { classify, demandAcknowledgement } from '../../../src/domain/sending/classification.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { acknowledgeDeliveries } from '../../../src/operations/deliveries/acknowledge-deliveries.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { freezePage } from '../../../src/store/selection/freeze.ts';
import { WHOLE } from '../../../src/store/selection/selection-page.ts';
import { recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { settleAcknowledged } from '../../../src/store/settling/settlement.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { type Ending, outcomeOf, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** A receiver may acknowledge at any time: first deliveries, retries, replays of delivered ones, in every state. */

const store = useStore({ connections: 4 });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
});

const MODES = ['first', 'retry', 'replay', 'replay of what was acknowledged'] as const;
type Mode = (typeof MODES)[number];

/** One delivery whose newest execution is queued, and the operation that it belongs to. */
async function queued(mode: Mode): Promise<{ id: Id<'delivery'>; operationId?: Id<'operation'> }> {
  const [id = NO_ID] = await store.ingest(tenant, 1);
  if (mode === 'first') return { id };
  if (mode === 'retry') await store.attempt(404, { endpointIds: [endpointId] });
  if (mode === 'replay') await store.attempt(200, { endpointIds: [endpointId] });
  if (mode === 'replay of what was acknowledged') {
    await takenOnly(id);
    expect(await acknowledge(id)).toBe('settled');
  }
  const kind = mode === 'retry' ? 'retry' : 'replay';
  const { operationId } = await store.retry(tenant, { deliveryIds: [id] }, { kind });
  return { id, operationId };
}

async function claimed(id: string) {
  const [{ worked_by: workedBy = LIVE_LANE } = {}] = await store.rows(
    'select worked_by from executions where delivery_id = $1 and open',
    [id],
  );
  return store.claim({ workedBy, endpointIds: [endpointId] });
}

/** Sends it, with this end. */
async function sent(id: string, ending: Ending): Promise<void> {
  await store.record(await claimed(id), ending);
}

/** Sends it to an endpoint that answers 202 and is to acknowledge. */
async function takenOnly(id: string): Promise<void> {
  const { token, items } = await claimed(id);
  const answer = classify({ kind: 'answered', status: 202, excerpt: new Uint8Array(), durationMs: 1 });
  await recordOutcomes(
    store.pool,
    items.map((item) => ({
      ...outcomeOf(token, item, 202),
      classification: demandAcknowledgement(answer),
      next: { state: 'unknown', probes: false },
    })),
  );
}

async function acknowledge(id: Id<'delivery'>, signedAt = new Date()) {
  return (await acknowledgeDeliveries(store.deps, [id], new Map([[id, signedAt]]))).get(id);
}

/** By so many minutes before the newest execution was made. */
async function minutesBefore(id: string, minutes: number): Promise<Date> {
  const [row] = await store.rows(
    `select max(created_at) - $2::int * interval '1 minute' as at from executions where delivery_id = $1`,
    [id, minutes],
  );
  return row.at;
}

async function newest(id: string) {
  const [execution] = await store.rows(
    'select state, reason, acknowledged_at from executions where delivery_id = $1 order by id desc limit 1',
    [id],
  );
  const [delivery] = await store.rows('select state from deliveries where id = $1', [id]);
  return { execution, delivery: delivery.state };
}

async function countsOf(operationId: Id<'operation'>) {
  const [counts] = await store.rows('select * from operation_counts where operation_id = $1', [operationId]);
  return counts;
}

const WAYS: Record<string, (id: string, operationId?: Id<'operation'>) => Promise<void>> = {
  scheduled: (id) => sent(id, 500),
  unknown: (id) => sent(id, 'timeout'),
  'taken and not acknowledged': (id) => takenOnly(id),
  failed: (id) => sent(id, 404),
};
const CANCELLED: typeof WAYS = {
  'cancelled after an attempt': async (id, operationId = NO_ID as Id<'operation'>) => {
    const claim = await claimed(id);
    await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
    await store.record(claim, 500);
  },
  'unknown under a cancel': async (id, operationId = NO_ID as Id<'operation'>) => {
    const claim = await claimed(id);
    await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
    await store.record(claim, 'timeout');
  },
};

describe.each(MODES)('an acknowledgement of a delivery (%s)', (mode) => {
  const ways = mode === 'first' ? WAYS : { ...WAYS, ...CANCELLED };

  test.each(Object.keys(ways))('that is %s settles that execution', async (state) => {
    const { id, operationId } = await queued(mode);
    await ways[state]?.(id, operationId);
    expect(await acknowledge(id)).toBe('settled');
    expect(await newest(id)).toMatchObject({
      execution: { state: 'delivered', reason: 'acknowledged', acknowledged_at: expect.any(Date) },
      delivery: 'delivered',
    });
    if (operationId) expect(await countsOf(operationId)).toMatchObject({ expected: 1, delivered: 1 });
    expect(await acknowledge(id)).toBe('already_delivered');
  });

  test('that is queued settles it where a request was made before, and nothing where none ever was', async () => {
    const { id } = await queued(mode);
    expect(await acknowledge(id)).toBe(mode === 'first' ? 'never_sent' : 'settled');
    expect(await newest(id)).toMatchObject({
      execution: { state: mode === 'first' ? 'queued' : 'delivered' },
    });
    expect((await claimed(id)).items).toHaveLength(mode === 'first' ? 1 : 0);
  });

  test.each([500, 404, 'timeout'] as const)(
    'that is being sent is remembered, and %s is no failure',
    async (ending) => {
      const { id, operationId } = await queued(mode);
      const claim = await claimed(id);
      expect(await acknowledge(id)).toBe('remembered');
      await store.record(claim, ending);
      expect(await newest(id)).toMatchObject({
        execution: { state: 'delivered', reason: 'acknowledged' },
        delivery: 'delivered',
      });
      if (operationId) expect(await countsOf(operationId)).toMatchObject({ expected: 1, delivered: 1 });
    },
  );

  test('that is being sent is remembered where it is released unsent, too', async () => {
    const { id } = await queued(mode);
    const claim = await claimed(id);
    expect(await acknowledge(id)).toBe('remembered');
    await store.record(claim, 'released');
    // A delivery that no request was ever made for cannot have been processed.
    const state = mode === 'first' ? 'queued' : 'delivered';
    expect(await newest(id)).toMatchObject({
      execution: { state },
      delivery: mode === 'first' ? 'pending' : 'delivered',
    });
  });

  test('whose execution is delivered changes nothing', async () => {
    const { id } = await queued(mode);
    await sent(id, 200);
    expect(await acknowledge(id)).toBe('already_delivered');
    expect(await newest(id)).toMatchObject({ execution: { state: 'delivered', reason: null } });
  });

  test('whose operation has closed settles it, and leaves its counts alone', async () => {
    const { id, operationId } = await queued(mode);
    if (!operationId) return;
    await takenOnly(id);
    await store.timePasses();
    await closeOperation(store.pool, operationId);
    expect(await countsOf(operationId)).toMatchObject({ frozen: true, unknown: 1 });
    expect(await acknowledge(id)).toBe('settled');
    expect(await newest(id)).toMatchObject({ execution: { state: 'delivered' }, delivery: 'delivered' });
    expect(await countsOf(operationId)).toMatchObject({ unknown: 1, delivered: 0 });
  });
});

test('a replay that was acknowledged is no obstacle to the next one', async () => {
  for (let n = 0; n < 3; n++) {
    const { id } = await queued('replay of what was acknowledged');
    await takenOnly(id);
    expect(await acknowledge(id)).toBe('settled');
    const { items } = await store.retry(tenant, { deliveryIds: [id] }, { kind: 'replay' });
    expect(items).toMatchObject([{ deliveryId: id, executionId: expect.any(String) }]);
    expect(await acknowledge(id)).toBe('settled');
  }
});

describe('an acknowledgement from before a replay', () => {
  test.each(['queued', 'sending', 'unknown'])('settles nothing of one that is %s', async (state) => {
    const { id } = await queued('replay');
    const claim = state === 'queued' ? undefined : await claimed(id);
    if (claim && state === 'unknown') await store.record(claim, 'timeout');
    expect(await acknowledge(id, await minutesBefore(id, 6))).toBe('already_delivered');
    expect(await newest(id)).toMatchObject({ execution: { state, acknowledged_at: null } });
    // A clock may be that much behind.
    expect(await acknowledge(id, await minutesBefore(id, 4))).toBe(
      state === 'sending' ? 'remembered' : 'settled',
    );
  });

  test('settles a retry of what was never delivered: that it was received is new', async () => {
    const { id } = await queued('retry');
    expect(await acknowledge(id, await minutesBefore(id, 60))).toBe('settled');
  });
});

test('a replay that was cancelled unsent leaves nothing to acknowledge', async () => {
  const { id, operationId = NO_ID } = await queued('replay');
  await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
  await withTransaction(store.pool, (db) => cancelUnsent(db, operationId, 10));
  expect(await acknowledge(id)).toBe('already_delivered');
  expect(await newest(id)).toMatchObject({ execution: { state: 'cancelled' } });
});

test('an acknowledgement that is written while a retry selects the delivery ends that retry unsent', async () => {
  const { id } = await queued('first');
  await sent(id, 404);
  const { operationId } = await store.retry(tenant, { filter: { state: ['failed'] } });
  await withTransaction(store.pool, async (tx) => {
    const operation = await loadOperation(tx, operationId);
    if (operation) await freezePage(tx, operation, WHOLE);
    expect(await acknowledge(id)).toBe('settled');
  });
  expect(await newest(id)).toMatchObject({ execution: { state: 'queued' }, delivery: 'delivered' });
  const { items, acknowledged } = await claimed(id);
  expect({ items, acknowledged }).toEqual({ items: [], acknowledged: [expect.any(String)] });
  await withTransaction(store.pool, (db) => settleAcknowledged(db, acknowledged));
  expect(await newest(id)).toMatchObject({
    execution: { state: 'delivered', reason: 'acknowledged', acknowledged_at: expect.any(Date) },
  });
  expect(await countsOf(operationId)).toMatchObject({ expected: 1, delivered: 1 });
});
