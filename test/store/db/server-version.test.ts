import { expect, test } from '@jest/globals';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { allotNumbers } from '../../../src/store/ingest/events.ts';
import { useStore } from '../../support/store/use-store.ts';

/** What servers of every version have to give, by themselves or by what `migrate` made in them. */

const store = useStore();

/** The milliseconds in an id of version 7. */
const msOf = (id: string) => Number.parseInt(id.replace('-', '').slice(0, 12), 16);

test('ids are of version 7, of the present time, and no two are equal', async () => {
  const [{ before, ids, after }] = await store.rows(
    `select extract(epoch from clock_timestamp()) * 1000 as before,
       (select array_agg(uuidv7()) from generate_series(1, 20000)) as ids,
       extract(epoch from clock_timestamp()) * 1000 as after`,
  );
  expect(new Set(ids).size).toBe(20_000);
  for (const id of ids as string[]) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(msOf(id)).toBeGreaterThanOrEqual(Math.floor(Number(before)));
    expect(msOf(id)).toBeLessThanOrEqual(Math.ceil(Number(after)));
  }
});

test('an id that is made after another was read sorts behind it, on whichever connection', async () => {
  const ids: string[] = [];
  for (let n = 0; n < 300; n++) ids.push((await store.rows('select uuidv7() as id'))[0].id);
  expect(ids).toEqual(ids.toSorted());
});

test('the ids of the events of one call are in the order of their numbers', async () => {
  const { id } = await store.newTenant();
  const { eventIds } = await withTransaction(store.pool, (tx) =>
    allotNumbers(tx, id, { events: 5_000, calls: 1 }),
  );
  expect(eventIds).toEqual(eventIds.toSorted());
});
