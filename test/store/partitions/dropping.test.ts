import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { weekOfName } from '../../../src/domain/partitions/weeks.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { isOutage } from '../../../src/store/db/outage.ts';
import { createPool, withTransaction } from '../../../src/store/db/pool.ts';
import { keepWeeks } from '../../../src/store/partitions/keep-weeks.ts';
import {
  closeWeek,
  detachWeek,
  dropWeek,
  makeWeek,
  openWeek,
  readWeeks,
} from '../../../src/store/partitions/week-partitions.ts';
import { missingWeekOf } from '../../../src/store/partitions/without-partition.ts';
import { expirePayloads } from '../../../src/store/settling/payload-retention.ts';
import { eventually } from '../../support/eventually.ts';
import { idOf } from '../../support/partitions/id-of.ts';
import {
  dropEmpty,
  makeMissing,
  type PlayedWeeks,
  partitionsOf,
  playWeeks,
  WEEK_MS,
} from '../../support/partitions/weeks.ts';
import { readLedger, violationsOf } from '../../support/store/ledger.ts';
import { age, eventsOf, keepFor, removeAll } from '../../support/store/retention.ts';
import { createTestStore, type TestStore, type TestTenant } from '../../support/store/test-store.ts';
import { closedAfterEach } from '../../support/use.ts';

const closing = closedAfterEach();

interface World {
  store: TestStore;
  weeks: PlayedWeeks;
  tenant: TestTenant;
  endpointId: Id<'endpoint'>;
}

async function world(): Promise<World> {
  const store = closing(await createTestStore());
  const weeks = await playWeeks(store, 6);
  const tenant = await store.newTenant();
  return { store, weeks, tenant, endpointId: await store.newEndpoint(tenant) };
}

/** Events of so many weeks ago, which have been delivered unless another ending is said. */
async function ofWeeksAgo(
  { store, weeks, tenant, endpointId }: World,
  ago: number,
  { ending = 200 as number | null, count = 3 } = {},
): Promise<Id<'delivery'>[]> {
  await weeks.idsAgo(ago * WEEK_MS);
  const deliveries = await store.ingest(tenant, count);
  if (ending !== null) await store.attempt(ending, { endpointIds: [endpointId] });
  await weeks.idsAgo(0);
  await age(store, 7 * ago, { deliveries });
  return deliveries;
}

const before = async ({ store }: World, table = 'payloads') =>
  (await partitionsOf(store.pool, table)).slice(0, -6);

/** Who may have closed a partition that is found closed. */
const WAYS: { by: string; close(store: TestStore, name: string): Promise<void> }[] = [
  {
    by: 'this version',
    async close({ pool }, name) {
      expect(await withTransaction(pool, (tx) => closeWeek(tx, name))).toBe(true);
    },
  },
  {
    by: 'a version before',
    async close(store, name) {
      await store.rows(`alter table ${name} add constraint week_closed check (false) not valid`);
      await store.rows(`alter table ${name} rename to ${name}_closed`);
    },
  },
];

/** Expects that the next round drops a partition of payloads, of which nothing is left then. */
async function expectDropped({ pool, rows }: TestStore, partition: string): Promise<void> {
  expect(await dropEmpty(pool)).toContainEqual({ did: 'dropped', table: 'payloads', partition });
  expect(
    await rows('select relname from pg_class where relname = any($1)', [[partition, `${partition}_closed`]]),
  ).toEqual([]);
}

test('what is empty and long over goes; what has a row, or is not two weeks over, stays', async () => {
  const it = await world();
  await ofWeeksAgo(it, 5);
  const all = await partitionsOf(it.store.pool, 'payloads');
  const facts = await dropEmpty(it.store.pool);
  // Of the weeks 6 to 3 before this one, all but the one with rows; what ended within two weeks stays.
  const [six, five, four, ...rest] = all;
  expect(facts.map(({ did }) => did)).not.toContain('waits');
  expect(new Set(facts.map(({ partition }) => partition))).toEqual(
    new Set(
      [six, four, rest[0]]
        .flatMap((name) => [name, name?.replace('payloads', 'attempts')])
        .filter((name) => name),
    ),
  );
  for (const table of ['payloads', 'attempts'])
    expect(await partitionsOf(it.store.pool, table)).toEqual(
      [five, ...rest.slice(1)].map((name) => name?.replace('payloads', table)),
    );
  expect(await it.store.rows(`select from pg_class where relname = any($1)`, [[six, four]])).toEqual([]);
  expect(await makeMissing(it.store.pool)).toEqual([]);
});

test('the last rows take their weeks with them, and a tenant with a longer term keeps its own', async () => {
  const it = await world();
  await keepFor(it.store, it.tenant, { eventRetentionDays: 20 });
  const other = { ...it, tenant: await it.store.newTenant() };
  other.endpointId = await it.store.newEndpoint(other.tenant);
  await keepFor(it.store, other.tenant, { eventRetentionDays: 365 });
  await ofWeeksAgo(it, 5);
  await ofWeeksAgo(it, 4);
  await ofWeeksAgo(other, 4);
  await dropEmpty(it.store.pool);
  const [five, four] = await before(it);
  expect(await removeAll(it.store.pool, it.tenant)).toBe(6);
  await removeAll(it.store.pool, other.tenant);
  const facts = await dropEmpty(it.store.pool);
  expect(facts).toEqual([
    { did: 'dropped', table: 'payloads', partition: five },
    { did: 'dropped', table: 'attempts', partition: five?.replace('payloads', 'attempts') },
  ]);
  expect((await partitionsOf(it.store.pool, 'attempts'))[0]).toBe(four?.replace('payloads', 'attempts'));
  expect(violationsOf(await readLedger(it.store.pool))).toEqual([]);
});

test('a payload that goes before its ledger takes its week, and the week of its attempts stays', async () => {
  const it = await world();
  await keepFor(it.store, it.tenant, { payloadRetentionDays: 5, eventRetentionDays: 365 });
  await ofWeeksAgo(it, 5);
  await dropEmpty(it.store.pool);
  const [five] = await before(it);
  const { removed } = await withTransaction(it.store.pool, (tx) => expirePayloads(tx, it.tenant.id, 100));
  expect(removed).toBe(3);
  expect(await dropEmpty(it.store.pool)).toEqual([{ did: 'dropped', table: 'payloads', partition: five }]);
  expect(await it.store.rows('select from attempts')).toHaveLength(3);
});

test('the week of an execution that has not ended stays for its attempt', async () => {
  const it = await world();
  await ofWeeksAgo(it, 5, { ending: null });
  await it.store.timePasses();
  await dropEmpty(it.store.pool);
  // That week, and the two that ended not long ago.
  expect(await before(it, 'attempts')).toHaveLength(3);
  expect(await it.store.attempt(200, { endpointIds: [it.endpointId] })).toHaveLength(3);
  expect(await it.store.rows('select from attempts')).toHaveLength(3);
});

test('a row that came since it was looked at keeps a partition open', async () => {
  const it = await world();
  await ofWeeksAgo(it, 4);
  const name = (await readWeeks(it.store.pool, 'payloads'))?.partitions.find(
    ({ from, to }) => from <= Date.now() - 4 * WEEK_MS && Date.now() - 4 * WEEK_MS < to,
  )?.name;
  expect(await withTransaction(it.store.pool, (tx) => closeWeek(tx, name ?? ''))).toBe(false);
  expect((await readWeeks(it.store.pool, 'payloads'))?.partitions.filter(({ closed }) => closed)).toEqual([]);
});

test('a transaction that uses a partition has its drop wait, and nobody else', async () => {
  const it = await world();
  const [oldest = ''] = await partitionsOf(it.store.pool, 'payloads');
  const client = await it.store.pool.connect();
  try {
    await client.query(`begin; select from ${oldest}`);
    const facts = await dropEmpty(it.store.pool);
    expect(facts).toContainEqual({
      did: 'waits',
      table: 'payloads',
      partition: oldest,
      step: 'close',
      code: '55P03',
    });
    expect(await it.store.ingest(it.tenant, 2)).toHaveLength(2);
    expect(await partitionsOf(it.store.pool, 'payloads')).toContain(oldest);
    await client.query('commit');
  } finally {
    client.release(true);
  }
  await expectDropped(it.store, oldest);
});

test('a transaction that has used the table has a detached partition wait, while rows come and go', async () => {
  const it = await world();
  const [oldest = ''] = await partitionsOf(it.store.pool, 'payloads');
  const client = await it.store.pool.connect();
  try {
    await withTransaction(it.store.pool, (tx) => closeWeek(tx, oldest));
    // Of one partition alone it has locks: those of the table and of that.
    await client.query(
      `begin; insert into payloads (event_id, tenant_id, body) values (uuidv7(), uuidv7(), '{}')`,
    );
    const facts = await dropEmpty(it.store.pool);
    expect(facts).toContainEqual({
      did: 'waits',
      table: 'payloads',
      partition: oldest,
      step: 'detach',
      code: '55P03',
    });
    expect(await it.store.ingest(it.tenant, 2)).toHaveLength(2);
    const left = (await readWeeks(it.store.pool, 'payloads'))?.partitions.filter(({ leaving }) => leaving);
    expect(left?.map(({ name }) => name)).toEqual([`${oldest}_closed`]);
    // Others of its table wait for it, too.
    expect(await makeMissing(it.store.pool)).toEqual([]);
    await client.query('rollback');
  } finally {
    client.release(true);
  }
  await expectDropped(it.store, oldest);
});

describe.each(WAYS)('closed by $by', ({ close }) => {
  test.each([
    ['closing', []],
    ['detaching', ['alter table payloads detach partition']],
  ])('and broken off behind its %s, a drop goes on', async (_, statements) => {
    const it = await world();
    const [oldest = ''] = await partitionsOf(it.store.pool, 'payloads');
    await close(it.store, oldest);
    for (const statement of statements) await it.store.rows(`${statement} ${oldest}_closed`);
    await expectDropped(it.store, oldest);
  });

  test('and broken off in the middle of its detaching, a drop goes on', async () => {
    const it = await world();
    const [oldest = ''] = await partitionsOf(it.store.pool, 'payloads');
    await close(it.store, oldest);
    const [holder, detaching] = [await it.store.pool.connect(), await it.store.pool.connect()];
    try {
      await holder.query('begin; select from payloads limit 1');
      await detaching.query('set lock_timeout = 200');
      await expect(
        detaching.query(`alter table payloads detach partition ${oldest}_closed concurrently`),
      ).rejects.toMatchObject({ code: '55P03' });
    } finally {
      holder.release(true);
      detaching.release(true);
    }
    const state = await readWeeks(it.store.pool, 'payloads');
    expect(state?.partitions.filter(({ leaving }) => leaving)).toMatchObject([{ name: `${oldest}_closed` }]);
    await expectDropped(it.store, oldest);
  });

  test('it is opened where the clock was put back, and takes rows again', async () => {
    const it = await world();
    const name = (await partitionsOf(it.store.pool, 'payloads')).at(-6) ?? '';
    await close(it.store, name);
    const error = await it.store.ingest(it.tenant, 1).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(isOutage(error)).toBe(true);
    expect(missingWeekOf(error)).toEqual({ table: 'payloads', week: weekOfName(name) });
    // A drop does not take it either.
    expect(await dropEmpty(it.store.pool)).not.toContainEqual(expect.objectContaining({ partition: name }));
    expect(await makeMissing(it.store.pool)).toEqual([{ did: 'opened', table: 'payloads', partition: name }]);
    expect(await it.store.ingest(it.tenant, 1)).toHaveLength(1);
  });
});

test('an opening that fails leaves no half of it', async () => {
  const { store } = await world();
  const [oldest = ''] = await partitionsOf(store.pool, 'payloads');
  await withTransaction(store.pool, (tx) => closeWeek(tx, oldest));
  await store.rows(`create table ${oldest} (stray int)`);
  // Without a transaction around it, as the messages of a process are that is killed in between.
  await expect(openWeek(store.pool, `${oldest}_closed`)).rejects.toMatchObject({ code: '42P07' });
  const state = await readWeeks(store.pool, 'payloads');
  expect(state?.partitions.filter(({ closed }) => closed)).toMatchObject([{ name: `${oldest}_closed` }]);
});

test('an opening that is stopped before its commit is ended by the server soon, as a closing is', async () => {
  const { store } = await world();
  const name = (await partitionsOf(store.pool, 'payloads')).at(-6) ?? '';
  await withTransaction(store.pool, (tx) => closeWeek(tx, name));
  const stopped: string[] = [];
  await keepWeeks(store.pool, (work) =>
    withTransaction(store.pool, async (tx) => {
      const did = await work(tx);
      const { rows } = await tx.query<{ after: string }>(
        `select current_setting('idle_in_transaction_session_timeout') as after`,
      );
      stopped.push(...rows.map(({ after }) => after));
      return did;
    }),
  );
  expect(stopped).toEqual(['1s']);
});

test('one that was opened again is not detached by whoever saw it closed', async () => {
  const it = await world();
  const [oldest = ''] = await partitionsOf(it.store.pool, 'attempts');
  await withTransaction(it.store.pool, (tx) => closeWeek(tx, oldest));
  const week = weekOfName(oldest) ?? 0;
  expect(await makeMissing(it.store.pool, [{ table: 'attempts', week }])).toEqual([
    { did: 'opened', table: 'attempts', partition: oldest },
  ]);
  await expect(detachWeek(it.store.pool, 'attempts', `${oldest}_closed`)).rejects.toMatchObject({
    code: '42P01',
  });
  expect(await partitionsOf(it.store.pool, 'attempts')).toContain(oldest);
});

test('a row that is committed while a close waits for its lock stays, whatever isolation the database has by default', async () => {
  const store = closing(await createTestStore());
  await store.rows(
    `alter database ${new URL(store.url).pathname.slice(1)} set default_transaction_isolation = 'repeatable read'`,
  );
  await playWeeks(store, 6);
  const [oldest = ''] = await partitionsOf(store.pool, 'payloads');
  const fresh = createPool(store.url, { max: 4 });
  const holder = await fresh.connect();
  try {
    const week = weekOfName(oldest) ?? 0;
    await holder.query('begin');
    await holder.query(`insert into payloads (event_id, tenant_id, body) values ($1, $1, 'kept')`, [
      idOf(week + 1_000),
    ]);
    const dropping = dropEmpty(fresh);
    await eventually('the close waits, or has given up', async () => {
      const { rows } = await store.pool.query(
        `select from pg_locks where relation = $1::regclass and mode = 'AccessExclusiveLock' and not granted`,
        [oldest],
      );
      return rows.length > 0 || (await Promise.race([dropping.then(() => true), delay(1, false)]));
    });
    await holder.query('commit');
    await dropping;
  } finally {
    holder.release(true);
    await fresh.end();
  }
  expect(await partitionsOf(store.pool, 'payloads')).toContain(oldest);
  expect(await store.rows(`select from payloads where body = 'kept'`)).toHaveLength(1);
});

test('what is not as it was closed is not dropped, but left to a human', async () => {
  const it = await world();
  const [oldest = '', next = ''] = await partitionsOf(it.store.pool, 'payloads');
  await withTransaction(it.store.pool, (tx) => closeWeek(tx, oldest));
  // Somebody who saw the one before it detached.
  expect(await withTransaction(it.store.pool, (tx) => dropWeek(tx, `${oldest}_closed`))).toBe(false);
  await detachWeek(it.store.pool, 'payloads', `${oldest}_closed`);
  await it.store.rows(`alter table ${oldest}_closed drop constraint week_closed`);
  await it.store.rows(`insert into ${oldest}_closed (event_id, tenant_id, body) values ($1, $1, 'kept')`, [
    idOf(weekOfName(oldest) ?? 0),
  ]);
  await it.store.rows(`alter table ${oldest}_closed add constraint week_closed check (false) not valid`);
  const facts = await dropEmpty(it.store.pool);
  expect(facts).toContainEqual({ did: 'left', table: 'payloads', partition: oldest });
  expect(facts).toContainEqual({ did: 'dropped', table: 'payloads', partition: next });
  expect(await it.store.rows(`select from ${oldest}_closed`)).toHaveLength(1);

  // Made anew, it cannot be closed under a name that is taken; that keeps nothing else from its turn.
  await withTransaction(it.store.pool, (tx) => makeWeek(tx, 'payloads', weekOfName(oldest) ?? 0));
  await withTransaction(it.store.pool, (tx) => makeWeek(tx, 'attempts', weekOfName(oldest) ?? 0));
  const again = await dropEmpty(it.store.pool);
  expect(again).toContainEqual({
    did: 'waits',
    table: 'payloads',
    partition: oldest,
    step: 'close',
    code: '42P07',
  });
  expect(again).toContainEqual(expect.objectContaining({ did: 'dropped', table: 'attempts' }));
});

test('several processes drop the same partitions, each once', async () => {
  const it = await world();
  const rounds = async () => {
    const facts = await dropEmpty(it.store.pool);
    return facts.filter(({ did }) => did === 'dropped');
  };
  const dropped = (await Promise.all(Array.from({ length: 4 }, rounds))).flat();
  dropped.push(...(await rounds()));
  expect(await partitionsOf(it.store.pool, 'payloads')).toHaveLength(8);
  expect(new Set(dropped.map(({ partition }) => partition)).size).toBe(8);
});

test('an ingest, retries and removals beside drops lose nothing', async () => {
  const it = await world();
  await keepFor(it.store, it.tenant, { eventRetentionDays: 20 });
  for (const ago of [6, 5, 4, 3]) await ofWeeksAgo(it, ago, { ending: 500, count: 20 });
  const kept = (await ofWeeksAgo(it, 1, { ending: 500, count: 20 })).slice();
  let working = true;
  const housekeeping = (async () => {
    while (working) {
      await makeMissing(it.store.pool);
      await dropEmpty(it.store.pool);
      await removeAll(it.store.pool, it.tenant, { waitMs: 50 }).catch((error: { code?: string }) => {
        if (error.code !== '55P03') throw error;
      });
    }
  })();
  for (let round = 0; round < 10; round += 1) {
    kept.push(...(await it.store.ingest(it.tenant, 10)));
    const { operationId } = await it.store.retry(it.tenant, { filter: {} });
    await it.store.select(operationId, 7);
    await it.store.attempt(500, { workedBy: operationId, endpointIds: [it.endpointId] });
    await it.store.attempt(200, { endpointIds: [it.endpointId] });
    await it.store.timePasses();
  }
  working = false;
  await housekeeping;
  expect(violationsOf(await readLedger(it.store.pool))).toEqual([]);
  expect(await eventsOf(it.store, kept)).toHaveLength(120);
  const [counted] = await it.store.rows(
    `select count(*)::int as missing from deliveries d where d.attempts <> (
       select count(*) from execution_records e join attempts a on a.execution_id = e.id where e.delivery_id = d.id)`,
  );
  expect(counted).toEqual({ missing: 0 });
  expect(
    await it.store.rows(
      'select from events v where not exists (select from payloads p where p.event_id = v.id)',
    ),
  ).toEqual([]);
});
