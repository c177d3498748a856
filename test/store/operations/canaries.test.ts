import { beforeEach, describe, expect, test } from '@jest/globals';
import { nextStep } from '../../../src/domain/operations/next-step.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { lookAtOperation } from '../../../src/operations/look-at-operation.ts';
import { settleExpiredClaims } from '../../../src/operations/settle-expired.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import {
  beginCanariesAgain,
  giveBackCanaries,
  reserveCanaries,
} from '../../../src/store/operations/canaries.ts';
import { operationFacts } from '../../../src/store/operations/operation-facts.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import type { Ending, TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** When a canary is judged, and by what. */

const COUNT = 2;

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;
let operationId: Id<'operation'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
  await store.ingest(tenant, 6);
  await store.attempt(404, { endpointIds: [endpointId] });
  ({ operationId } = await store.retry(
    tenant,
    { filter: {} },
    { options: { canary: { count: COUNT, maxFailurePercent: 10 } } },
  ));
  await store.select(operationId);
});

function reserve(count: number) {
  return withTransaction(store.pool, (db) =>
    reserveCanaries(db, operationId, [{ endpointId, count }], COUNT),
  );
}

/** Reserves, claims and sends so many items, as a slice does; how many it got. */
async function send(count: number, ending: Ending): Promise<number> {
  const [granted] = await reserve(count);
  if (!granted) return 0;
  const sent = await store.attempt(ending, {
    ...{ workedBy: operationId, endpointIds: [endpointId], count: granted.count },
  });
  return sent.length;
}

/** Nothing of the endpoint can be claimed for a while, as after its `Retry-After`. */
async function rests(): Promise<void> {
  await store.rows(
    `update endpoint_pacing set floor_until = clock_timestamp() + interval '242 seconds' where endpoint_id = $1`,
    [endpointId],
  );
}

async function passMs(ms: number): Promise<void> {
  await store.rows(
    `update canaries set began_at = began_at - $2 * interval '1 millisecond' where operation_id = $1`,
    [operationId, ms],
  );
  await store.rows(
    `update attempts a set started_at = started_at - $2 * interval '1 millisecond'
     from executions e where e.id = a.execution_id and e.operation_id = $1`,
    [operationId, ms],
  );
}

async function step() {
  const facts = await operationFacts(store.pool, operationId);
  if (!facts) throw new Error('no such operation');
  return nextStep(facts);
}

const look = () => lookAtOperation(quietContext(store.pool), operationId);
const canary = () => store.rows('select state, claimed from canaries where operation_id = $1', [operationId]);
const halt = async () => (await loadOperation(store.pool, operationId))?.halt;

describe('a canary that is out', () => {
  test('wakes its operation when its minute is over, however long its endpoint rests', async () => {
    await send(1, 503);
    await rests();
    const waits = await step();
    expect(waits).toMatchObject({ do: 'wait', until: 'judged' });
    const { ms } = waits as { ms: number };
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThanOrEqual(60_000);
    await passMs(61_000);
    await look();
    expect(await halt()).toMatchObject({
      reason: 'canary',
      endpoints: [{ endpointId, attempts: 1, bad: 1 }],
    });
  });

  test('is not judged before anything of it was sent, and its minute begins with the first', async () => {
    const granted = await reserve(COUNT);
    await withTransaction(store.pool, (db) => giveBackCanaries(db, operationId, granted));
    await rests();
    await passMs(3_600_000);
    expect(await step()).toMatchObject({ until: 'due' });
    await look();
    expect(await canary()).toEqual([{ state: 'testing', claimed: 0 }]);
    await send(1, 503);
    expect(await step()).toMatchObject({ until: 'judged' });
    await look();
    expect(await canary()).toEqual([{ state: 'testing', claimed: 1 }]);
  });
});

test('a canary is not judged by what our own proxy kept back, and has its items again', async () => {
  expect(await send(COUNT, 'kept_back')).toBe(COUNT);
  const kept = await store.rows(
    'select distinct attempts, lost_attempts, state from executions where operation_id = $1 and attempts > 0',
    [operationId],
  );
  expect(kept).toEqual([{ attempts: 1, lost_attempts: 1, state: 'scheduled' }]);
  await withTransaction(store.pool, (db) =>
    giveBackCanaries(db, operationId, [{ endpointId, count: COUNT }]),
  );
  await passMs(61_000);
  await look();
  expect(await canary()).toEqual([{ state: 'testing', claimed: 0 }]);
  await store.timePasses();
  expect(await send(5, 200)).toBe(COUNT);
  await look();
  expect(await canary()).toMatchObject([{ state: 'passed' }]);
});

test('a canary is not judged by a sender that was lost, and has its items again', async () => {
  const [granted] = await reserve(COUNT);
  const { items } = await store.claim({
    ...{ workedBy: operationId, endpointIds: [endpointId], count: granted?.count ?? 0 },
  });
  expect(items).toHaveLength(COUNT);
  await store.leasesEnd();
  await settleExpiredClaims(store.pool);
  await look();
  expect(await canary()).toEqual([{ state: 'testing', claimed: 0 }]);
  await store.timePasses();
  expect(await send(5, 200)).toBe(COUNT);
  await look();
  expect(await canary()).toMatchObject([{ state: 'passed' }]);
});

describe('a canary begins again', () => {
  test.each(['an endpoint that was enabled', 'an operation that was resumed'])(
    'for %s, and is judged by its sends from then on',
    async (whose) => {
      await send(1, 503);
      await passMs(10_000);
      if (whose.includes('endpoint')) await beginCanariesAgain(store.pool, endpointId);
      else {
        await passMs(60_000);
        await look();
        expect(await halt()).toMatchObject({ reason: 'canary' });
        await controlOperation(store.deps, tenant.id, operationId, { do: 'resume' });
      }
      expect(await canary()).toEqual([]);
      // The item that had failed is claimed first, for its second attempt: that counts like any other.
      await store.timePasses();
      expect(await send(5, 200)).toBe(COUNT);
      await look();
      expect(await canary()).toMatchObject([{ state: 'passed' }]);
      expect(await loadOperation(store.pool, operationId)).toMatchObject({
        state: 'running',
        control: 'run',
      });
    },
  );

  test('and holds items that are no better than before', async () => {
    await send(COUNT, 503);
    await look();
    expect(await canary()).toMatchObject([{ state: 'held' }]);
    await beginCanariesAgain(store.pool, endpointId);
    await controlOperation(store.deps, tenant.id, operationId, { do: 'resume' });
    expect(await send(5, 503)).toBe(COUNT);
    await look();
    expect(await canary()).toMatchObject([{ state: 'held' }]);
    expect(await loadOperation(store.pool, operationId)).toMatchObject({ state: 'halted' });
  });

  test('also where it had passed, after a halt, and not after a pause', async () => {
    await send(COUNT, 200);
    await look();
    expect(await canary()).toMatchObject([{ state: 'passed' }]);
    await controlOperation(store.deps, tenant.id, operationId, { do: 'pause' });
    await controlOperation(store.deps, tenant.id, operationId, { do: 'resume' });
    expect(await canary()).toMatchObject([{ state: 'passed' }]);
    await store.rows(
      `update operations set state = 'halted', control = 'pause', halt = '{"reason": "failure_rate"}' where id = $1`,
      [operationId],
    );
    await controlOperation(store.deps, tenant.id, operationId, { do: 'resume' });
    expect(await canary()).toEqual([]);
  });
});

test('the span of a ramp wakes its operation where there is something to judge', async () => {
  const { operationId: ramped } = await store.retry(
    tenant,
    { filter: {} },
    { options: { takeOverScheduled: true, ramp: { startPerSecond: 1, everySeconds: 30 } } },
  );
  await store.select(ramped);
  await rests();
  const until = async () => nextStep((await operationFacts(store.pool, ramped)) ?? ({} as never));
  expect(await until()).toMatchObject({ until: 'due' });
  await store.rows(
    `insert into operation_pulses (operation_id, second, attempts, bad, first_attempts, first_bad)
     values ($1, date_trunc('second', clock_timestamp()), 1, 0, 1, 0)`,
    [ramped],
  );
  expect(await until()).toMatchObject({ until: 'judged' });
  await store.rows(`update operations set ramped_at = ramped_at - interval '31 seconds' where id = $1`, [
    ramped,
  ]);
  await lookAtOperation(quietContext(store.pool), ramped);
  expect(await loadOperation(store.pool, ramped)).toMatchObject({ ratePerSecond: 2 });
  await store.rows('delete from operation_pulses where operation_id = $1', [ramped]);
  expect(await until()).toMatchObject({ until: 'due' });
});
