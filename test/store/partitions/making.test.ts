import { expect, test } from '@jest/globals';
import { problemOfException } from '../../../src/api/problems/unexpected-failure.ts';
import { OUTAGE_RULES } from '../../../src/domain/outages/outage-rules.ts';
import { endOf, weekOf, weeksAhead } from '../../../src/domain/partitions/weeks.ts';
import { settleExpiredClaims } from '../../../src/operations/settle-expired.ts';
import { EndpointMemory } from '../../../src/sending/endpoint-memory.ts';
import { Recorder } from '../../../src/sending/recording/recorder.ts';
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
import { quietContext } from '../../support/engine/quiet-context.ts';
import { eventually } from '../../support/eventually.ts';
import {
  makeMissing,
  type PlayedWeeks,
  partitionsOf,
  playWeeks,
  WEEK_MS,
} from '../../support/partitions/weeks.ts';
import { createTestStore, outcomeOf, type TestStore } from '../../support/store/test-store.ts';
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

test('a partition is made while another of its table is being vacuumed', async () => {
  const { store } = await played();
  const [oldest, lost] = [0, -1].map((at) => partitionsOf(store.pool, 'payloads').then((all) => all.at(at)));
  await store.rows(`drop table ${await lost}`);
  await withTransaction(store.pool, async (tx) => {
    // The lock of a vacuum.
    await tx.query(`lock table ${await oldest} in share update exclusive mode`);
    expect(await makeMissing(store.pool)).toHaveLength(1);
  });
});

test('one week that cannot be made keeps no other away', async () => {
  const { store } = await played();
  const [lost, other] = (await partitionsOf(store.pool, 'payloads')).slice(-2);
  await store.rows(`drop table ${lost}, ${other}`);
  await store.rows(`create table ${lost} (stray int)`);
  await expect(makeMissing(store.pool)).rejects.toMatchObject({ code: '42P07' });
  expect(await partitionsOf(store.pool, 'payloads')).toContain(other);
});

test('nothing but a week can be asked for', () => {
  for (const text of ['payloads 1', 'payloads -604800000', 'payloads x', 'events 345600000', ''])
    expect(askedWeek.read(text)).toBeUndefined();
  expect(askedWeek.read('attempts 345600000')).toEqual({ table: 'attempts', week: 345_600_000 });
});

test('the week of an attempt that is ahead of all others is made for the execution that waits for it', async () => {
  const { store, weeks } = await played();
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant);
  const week = weekOf(Date.now() + 20 * WEEK_MS);
  await withTransaction(store.pool, (tx) => makeWeek(tx, 'payloads', week));
  await weeks.idsAgo(-20 * WEEK_MS);
  await store.ingest(tenant, 2);
  await weeks.idsAgo(0);
  const claim = await store.claim({ endpointIds: [endpointId] });
  const missing = missingWeekOf(await refusal(store.record(claim, 200))) as MissingWeek;
  expect(missing).toEqual({ table: 'attempts', week });
  expect(await makeMissing(store.pool, [missing])).toMatchObject([{ did: 'made', table: 'attempts' }]);
  expect(await store.record(claim, 200)).toHaveLength(2);
});

test('a claim whose week is gone keeps no other tenant from being settled', async () => {
  const { store, weeks } = await played();
  const [late, other] = [await store.newTenant(), await store.newTenant()];
  const endpoints = [await store.newEndpoint(late), await store.newEndpoint(other)];
  await weeks.idsAgo(6 * WEEK_MS);
  await store.ingest(late, 1);
  await weeks.idsAgo(0);
  await store.ingest(other, 3);
  for (const { name, from } of (await readWeeks(store.pool, 'attempts'))?.partitions ?? [])
    if (from === weekOf(Date.now() - 6 * WEEK_MS)) await store.rows(`drop table ${name}`);
  for (const endpointId of endpoints) await store.claim({ endpointIds: [endpointId] });
  await store.leasesEnd();
  expect(await settleExpiredClaims(store.pool)).toBe(3);
  expect(await store.rows('select from claims')).toHaveLength(1);
  await makeMissing(store.pool, [{ table: 'attempts', week: weekOf(Date.now() - 6 * WEEK_MS) }]);
  expect(await settleExpiredClaims(store.pool)).toBe(1);
});

test('an outcome without a place keeps no other from being recorded, and is recorded when it has one', async () => {
  const { store, weeks } = await played();
  const [late, other] = [await store.newTenant(), await store.newTenant()];
  const endpoints = [await store.newEndpoint(late), await store.newEndpoint(other)];
  const week = weekOf(Date.now() - 6 * WEEK_MS);
  await weeks.idsAgo(6 * WEEK_MS);
  const [deliveryId] = await store.ingest(late, 1);
  await weeks.idsAgo(0);
  await store.ingest(other, 5);
  for (const { name, from } of (await readWeeks(store.pool, 'attempts'))?.partitions ?? [])
    if (from === week) await store.rows(`drop table ${name}`);
  const claim = await store.claim({ endpointIds: endpoints });
  const { pool, log, metrics } = quietContext(store.pool);
  const recorder = new Recorder({ pool, log, metrics, memory: new EndpointMemory(), outages: OUTAGE_RULES });
  const recorded: string[] = [];
  recorder.open({ token: claim.token, left: claim.items.length, slotted: false });
  for (const item of claim.items)
    recorder.add({
      ...outcomeOf(claim.token, item, 200),
      endpointId: item.endpointId,
      slotted: false,
      inFlight: 1,
      beganMs: performance.now(),
      ordered: false,
      test: item.test,
      onRecorded: () => recorded.push(item.deliveryId),
    });
  const drained = recorder.drained();
  await eventually('the others are recorded', () => recorded.length === 5);
  expect(recorded).not.toContain(deliveryId);
  await makeMissing(store.pool, [{ table: 'attempts', week }]);
  await drained;
  expect(recorded.filter((id) => id === deliveryId)).toHaveLength(1);
  expect(await store.rows(`select from deliveries where state = 'delivered'`)).toHaveLength(6);
  expect(await store.rows('select from claims')).toEqual([]);
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
