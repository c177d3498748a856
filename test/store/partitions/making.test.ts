import { expect, test } from '@jest/globals';
import { problemOfException } from '../../../src/api/problems/unexpected-failure.ts';
import { endOf, weekOf, weeksAhead } from '../../../src/domain/partitions/weeks.ts';
import { isOutage } from '../../../src/store/db/outage.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { PARTITIONED_TABLES } from '../../../src/store/partitions/partitioned-tables.ts';
import { makeWeek, readWeeks } from '../../../src/store/partitions/week-partitions.ts';
import {
  ASKED_CHANNEL,
  askedWeek,
  type MissingWeek,
  missingWeekOf,
} from '../../../src/store/partitions/without-partition.ts';
import { eventually } from '../../support/eventually.ts';
import {
  makeMissing,
  type PlayedWeeks,
  partitionsOf,
  playWeeks,
  WEEK_MS,
} from '../../support/partitions/weeks.ts';
import { createTestStore, type TestStore } from '../../support/store/test-store.ts';
import { closedAfterEach } from '../../support/use.ts';

const closing = closedAfterEach();

async function played(back?: number): Promise<{ store: TestStore; weeks: PlayedWeeks }> {
  const store = closing(await createTestStore());
  return { store, weeks: await playWeeks(store, back) };
}

async function ahead(store: TestStore): Promise<number[]> {
  const states = await Promise.all(PARTITIONED_TABLES.map(({ name }) => readWeeks(store.pool, name)));
  return states.map((state) => weeksAhead(state?.partitions ?? [], state?.nowMs ?? 0));
}

async function refusal(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('a database that was migrated takes rows of the next five weeks', async () => {
  const store = closing(await createTestStore());
  for (const weeks of await ahead(store)) expect(weeks).toBeGreaterThanOrEqual(5);
  expect(await makeMissing(store.pool)).toEqual([]);
});

test('a week that is missing in between is made anew, once, by however many at the same time', async () => {
  const { store } = await played();
  const lost = (await partitionsOf(store.pool, 'payloads')).at(-3);
  await store.rows(`drop table ${lost}`);
  expect((await ahead(store))[0]).toBeLessThan(5);
  const made = await Promise.all(Array.from({ length: 6 }, () => makeMissing(store.pool)));
  expect(made.flat()).toEqual([{ did: 'made', table: 'payloads', partition: lost }]);
  expect(await ahead(store)).toEqual([5, 5]);
});

test('a partition is made while others write, and they write while it is made', async () => {
  const { store } = await played();
  const tenant = await store.newTenant();
  await store.newEndpoint(tenant);
  const lost = (await partitionsOf(store.pool, 'payloads')).at(-1);
  await store.rows(`drop table ${lost}`);
  await withTransaction(store.pool, async (tx) => {
    await tx.query(`insert into payloads (event_id, tenant_id, body) values (uuidv7(), $1, '{}')`, [
      tenant.id,
    ]);
    expect(await makeMissing(store.pool)).toHaveLength(1);
  });
  const week = endOf(weekOf(Date.now() + 6 * WEEK_MS));
  await withTransaction(store.pool, async (tx) => {
    await makeWeek(tx, 'payloads', week);
    // It would wait for the transaction that attaches, and end by its timeout.
    expect(await store.ingest(tenant, 3)).toHaveLength(3);
  });
});

test('a partition has the keys, checks and storage of its table, and the parameters of the newest one', async () => {
  const { store } = await played();
  const newest = (await partitionsOf(store.pool, 'payloads')).at(-1);
  await store.rows('alter table payloads alter column body set storage external');
  await store.rows(
    `alter table ${newest} set (fillfactor = 71, toast.autovacuum_vacuum_scale_factor = 0.03)`,
  );
  const week = endOf(weekOf(Date.now() + 5 * WEEK_MS));
  const name = await withTransaction(store.pool, (tx) => makeWeek(tx, 'payloads', week));
  const attempts = await withTransaction(store.pool, (tx) => makeWeek(tx, 'attempts', week));
  expect(
    await store.rows(
      `select c.reloptions, t.reloptions as toast, a.attstorage,
         array(select indexrelid::regclass::text from pg_index i where i.indrelid = c.oid and i.indisprimary) as keys
       from pg_class c join pg_class t on t.oid = c.reltoastrelid
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'body' where c.oid = $1::regclass`,
      [name],
    ),
  ).toEqual([
    {
      reloptions: ['fillfactor=71'],
      toast: ['autovacuum_vacuum_scale_factor=0.03'],
      attstorage: 'e',
      keys: [`${name}_pkey`],
    },
  ]);
  expect(
    (
      await store.rows(
        `select conname from pg_constraint where conrelid = $1::regclass and contype in ('c', 'p')
         order by contype desc, conname`,
        [attempts],
      )
    ).map(({ conname }) => conname),
  ).toEqual([`${attempts}_pkey`, 'attempts_outcome_check', 'attempts_response_excerpt_check']);
});

test('an event that finds no partition is refused as while Postgres is away, whole, and taken when that is made', async () => {
  const { store } = await played();
  const tenant = await store.newTenant();
  await store.newEndpoint(tenant);
  const thisWeek = weekOf(Date.now());
  for (const { name, from } of (await readWeeks(store.pool, 'payloads'))?.partitions ?? [])
    if (from >= thisWeek) await store.rows(`drop table ${name}`);
  const error = await refusal(store.ingest(tenant, 2));
  expect(isOutage(error)).toBe(true);
  expect(problemOfException(error)).toMatchObject({ problem: 'temporarily_unavailable' });
  expect(missingWeekOf(error)).toEqual({ table: 'payloads', week: thisWeek });
  expect(await store.rows('select from events')).toEqual([]);
  await makeMissing(store.pool);
  expect(await store.ingest(tenant, 2)).toHaveLength(2);
});

test('ids of a clock that is months ahead are refused, and make no partition', async () => {
  const { store, weeks } = await played();
  const tenant = await store.newTenant();
  await store.newEndpoint(tenant);
  await weeks.idsAgo(-20 * WEEK_MS);
  const error = await refusal(store.ingest(tenant, 1));
  const missing = missingWeekOf(error) as MissingWeek;
  expect(isOutage(error)).toBe(true);
  expect(await makeMissing(store.pool, [missing])).toEqual([]);
  await weeks.idsAgo(0);
  expect(await store.ingest(tenant, 1)).toHaveLength(1);
});

test('an attempt of an execution whose week is gone is asked for, made room for and recorded', async () => {
  const { store, weeks } = await played();
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant);
  await weeks.idsAgo(6 * WEEK_MS);
  await store.ingest(tenant, 3);
  await weeks.idsAgo(0);
  const week = weekOf(Date.now() - 6 * WEEK_MS);
  for (const { name, from } of (await readWeeks(store.pool, 'attempts'))?.partitions ?? [])
    if (from === week) await store.rows(`drop table ${name}`);
  const client = await store.pool.connect();
  const heard: string[] = [];
  client.on('notification', ({ payload }) => heard.push(payload ?? ''));
  await client.query(`listen ${ASKED_CHANNEL}`);
  try {
    const claim = await store.claim({ endpointIds: [endpointId] });
    expect(claim.items).toHaveLength(3);
    const error = await refusal(
      withTransaction(store.pool, async () => {
        await store.record(claim, 200);
      }),
    );
    expect(isOutage(error)).toBe(true);
    await eventually('the week is asked for', () => heard.length > 0);
    expect(heard.map(askedWeek.read)).toEqual([{ table: 'attempts', week }]);
    expect(await store.rows('select from attempts')).toEqual([]);
    const asked = heard.flatMap((text) => askedWeek.read(text) ?? []);
    expect(await makeMissing(store.pool, asked)).toMatchObject([{ did: 'made', table: 'attempts' }]);
    expect(await store.record(claim, 200)).toHaveLength(3);
    expect(await store.rows(`select from attempts where outcome = 'delivered'`)).toHaveLength(3);
  } finally {
    client.release(true);
  }
});
