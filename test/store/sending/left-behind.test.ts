import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { checkIn, isWorkedElsewhere, takeLeftBehind } from '../../../src/store/sending/workers.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Operations whose worker is not seen any more are taken over, each by one other worker. */

const store = useStore({ connections: 8 });
let tenant: TestTenant;

beforeEach(async () => {
  tenant = await store.newTenant();
  await store.rows('delete from workers');
});

async function operations(count: number): Promise<Id<'operation'>[]> {
  const made = Array.from({ length: count }, () => store.retry(tenant, { filter: {} }));
  return (await Promise.all(made)).map(({ operationId }) => operationId);
}

/** A worker that was seen so many seconds ago, at these operations. */
async function worker(secondsAgo: number, at: Id<'operation'>[]): Promise<string> {
  const id = randomUUID();
  await checkIn(store.pool, { id, host: 'here', pid: 1, polling: true, operations: at });
  await store.rows(
    `update workers set seen_at = clock_timestamp() - $2 * interval '1 second' where id = $1`,
    [id, secondsAgo],
  );
  return id;
}

test('nothing is taken of a worker that is seen, and everything, once, of one that is not', async () => {
  const [first = NO_ID, second = NO_ID, third = NO_ID] = await operations(3);
  await worker(3, [first]);
  await worker(6, [second, third]);
  const takers = [await worker(0, []), await worker(0, [])];
  const taken = await Promise.all(takers.map((id) => takeLeftBehind(store.pool, id, 10)));
  expect(taken.flat().sort()).toEqual([second, third].sort());
  expect(await takeLeftBehind(store.pool, takers[0] ?? '', 10)).toEqual([]);
});

test('operations that a worker has no room for are left to the others', async () => {
  const all = await operations(5);
  await worker(60, all);
  const taken: string[] = [];
  for (let n = 0; n < 3; n++) taken.push(...(await takeLeftBehind(store.pool, await worker(0, []), 2)));
  expect(taken.sort()).toEqual([...all].sort());
});

test('an operation that another worker is at, that is paused or that is cancelled is nobody’s to take', async () => {
  const [shared = NO_ID, paused = NO_ID, cancelled = NO_ID, left = NO_ID] = await operations(4);
  await worker(60, [shared, paused, cancelled, left]);
  const living = await worker(1, [shared]);
  await controlOperation(store.deps, tenant.id, paused, { do: 'pause' });
  await controlOperation(store.deps, tenant.id, cancelled, { do: 'cancel' });
  const taker = await worker(0, []);
  expect(await takeLeftBehind(store.pool, taker, 10)).toEqual([left]);
  expect(await isWorkedElsewhere(store.pool, randomUUID(), shared)).toBe(true);
  expect(await isWorkedElsewhere(store.pool, living, shared)).toBe(false);
});

test('a worker that has stood still and goes on takes nothing of its own', async () => {
  const [own = NO_ID] = await operations(1);
  const id = await worker(60, [own]);
  expect(await takeLeftBehind(store.pool, id, 10)).toEqual([]);
});

test('an operation that was taken is the taker’s from the same moment: should that die before it speaks, another takes it', async () => {
  const [left = NO_ID] = await operations(1);
  await worker(60, [left]);
  const taker = await worker(0, []);
  expect(await takeLeftBehind(store.pool, taker, 10)).toEqual([left]);
  const other = await worker(0, []);
  expect(await isWorkedElsewhere(store.pool, other, left)).toBe(true);
  expect(await takeLeftBehind(store.pool, other, 10)).toEqual([]);
  await store.rows(`update workers set seen_at = clock_timestamp() - interval '6 seconds' where id = $1`, [
    taker,
  ]);
  expect(await takeLeftBehind(store.pool, other, 10)).toEqual([left]);
});
