import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { migrate } from '../../../src/store/db/migrate.ts';
import { onlyRow } from '../../../src/store/db/only-row.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE, type Queryable } from '../../../src/store/db/queryable.ts';
import { insertEndpointVersion } from '../../../src/store/tenancy/endpoint-versions.ts';
import { insertEndpoint } from '../../../src/store/tenancy/endpoints.ts';
import { insertTenant } from '../../../src/store/tenancy/tenants.ts';
import { eventually } from '../eventually.ts';
import { inTemporaryDirectory } from '../temporary-directory.ts';
import type { TestPool } from './test-database.ts';
import { ENDPOINT } from './test-store.ts';

const MIGRATIONS = new URL('../../../migrations/', import.meta.url);

/** The first of the two files by which queue and records take the place of the table `executions`. */
const BESIDE = '0025-queue-beside.sql';
/** The second of them. */
export const TAKES_OVER = '0027-queue-takes-over.sql';

/**
 * Changes of the second file that keep the table, as `executions_before`, and the time for which it was locked; what the
 * view shows at its end is kept as `executions_behind`, since the version before goes on finishing what it holds.
 */
const KEEPS: readonly (readonly [find: string, put: string])[] = [
  [
    'drop table executions;',
    `alter table executions rename to executions_before;
     drop trigger account_inserts on executions_before;
     drop trigger account_updates on executions_before;
     drop trigger note_endpoints on executions_before;
     drop trigger copies_inserts on executions_before;
     drop trigger copies_updates on executions_before;`,
  ],
  [
    'drop function gives_up_at(executions);',
    `create table locked_at as select clock_timestamp() as at;
     drop function gives_up_at(executions);`,
  ],
];

/** Writes the migrations of the version before the queue into a directory, and returns that. */
export async function migrationsBefore(path: string): Promise<URL> {
  for (const [name, sql] of await migrationFiles()) if (name < BESIDE) await writeFile(join(path, name), sql);
  return pathToFileURL(`${path}/`);
}

/**
 * Writes the migrations up to the switch into a directory, and returns that: the switch keeps the table as it is at that
 * moment.
 */
export async function migrationsWithPicture(path: string): Promise<URL> {
  for (const [name, sql] of await migrationFiles()) {
    if (name > TAKES_OVER) continue;
    await writeFile(join(path, name), name === TAKES_OVER ? keeping(sql) : sql);
  }
  return pathToFileURL(`${path}/`);
}

function keeping(sql: string): string {
  const kept = KEEPS.reduce((text, [find, put]) => {
    if (!text.includes(find)) throw new Error(`the switch does not say "${find}" any more`);
    return text.replace(find, put);
  }, sql);
  // The picture is ours: what it takes is no time of the switch.
  return `${kept}\ninsert into locked_at values (clock_timestamp());\ncreate table executions_behind as select * from executions;\n`;
}

/** Columns of what is open alone: where it has ended, nobody asks for them any more. */
const OPEN_ONLY = ['worked_by', 'in_queue', 'put_off_from', 'reconcile_until', 'probe_at', 'probes'];

/** Executions that the view shows otherwise than the table did in the moment of the switch, some of them. */
export async function changedBySwitch(pool: TestPool): Promise<object[]> {
  const columns = await pool.query<{ name: string }>(
    `select column_name as name from information_schema.columns where table_name = 'executions_before'`,
  );
  const same = columns.rows.map(({ name }) => {
    const equal = `b.${name} is not distinct from e.${name}`;
    return OPEN_ONLY.includes(name) ? `(${equal} or not b.open)` : equal;
  });
  const { rows } = await pool.query(
    `select to_jsonb(b) as before, to_jsonb(e) as after
     from executions_before b full join executions_behind e on e.id = b.id where not (${same.join(' and ')}) limit 3`,
  );
  return rows;
}

/** Ends the connection of a migration in the middle of a batch. */
export async function killWhileCopying(pool: TestPool): Promise<void> {
  await eventually('a batch is copied, and its connection is ended', async () => {
    const { rows } = await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
         and application_name = 'redrive migrate' and state = 'active' and query like '%copy_executions%'`,
    );
    return rows.length > 0;
  });
}

/** Lets the switch that kept a picture count as the one of this version. */
export async function forgetPicture(db: Queryable): Promise<void> {
  const sql = (await migrationFiles()).get(TAKES_OVER) ?? '';
  await db.query('update schema_migrations set checksum = $2 where name = $1', [
    TAKES_OVER,
    createHash('sha256').update(sql).digest('hex'),
  ]);
}

async function migrationFiles(): Promise<Map<string, string>> {
  const names = (await readdir(MIGRATIONS)).filter((name) => /^\d{4}-.+\.sql$/.test(name)).sort();
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, await readFile(new URL(name, MIGRATIONS), 'utf8')] as const),
    ),
  );
}

/** The tenant, its endpoint and the two running operations of a filled database. */
export interface Filled {
  tenantId: Id<'tenant'>;
  endpointId: Id<'endpoint'>;
  first: Id<'operation'>;
  second: Id<'operation'>;
}

/** The runs of a delivery, oldest first, by what became of each: each kind of delivery is one line. */
const KINDS = [
  ['failed'],
  ['delivered'],
  ['failed', 'queued of first'],
  ['superseded', 'cancelled of second', 'queued behind 1'],
  ['failed', 'sending of first'],
  ['unknown probed'],
  ['scheduled'],
  ['failed', 'delivered of first'],
  ['ignored'],
  ['failed', 'failed of first', 'queued of second'],
  ['failed', 'unknown of first'],
  ['sending'],
  ['superseded attempted', 'scheduled unsent of first'],
] as const;

/** How a word of {@link KINDS} reads as columns. */
function columnsOf(words: string) {
  const state = words.split(' ', 1)[0] ?? '';
  const attempted = /^(failed|delivered|unknown)|attempted|^scheduled$/.test(words);
  return {
    state,
    attempts: attempted ? 1 : 0,
    probed: words.includes('probed'),
    item_of: /of (first|second)/.exec(words)?.[1] ?? null,
    parent: /behind (\d)/.exec(words)?.[1] ?? null,
  };
}

/** Brings an empty database to the version before the queue, and fills it. */
export async function prepareBefore(url: string, pool: TestPool, deliveries: number): Promise<Filled> {
  const migrated = await inTemporaryDirectory(async (path) =>
    migrate(url, { directory: await migrationsBefore(path) }),
  );
  if (!migrated.ok) throw new Error(migrated.problem);
  const tenant = await insertTenant(pool, { handle: 'acme' });
  if (tenant === undefined) throw new Error('the database is not empty');
  const endpointId = randomUUID() as Id<'endpoint'>;
  await withTransaction(pool, async (tx) => {
    await insertEndpoint(tx, tenant.id, { id: endpointId, handle: 'in' });
    await insertEndpointVersion(tx, tenant.id, endpointId, 1, ENDPOINT);
  });
  return fillBefore(pool, { tenantId: tenant.id, endpointId, deliveries });
}

/**
 * Fills the tables of the version before the queue, set-based: deliveries of each kind in turn, with the chains of their
 * executions (all first runs before all second ones), their attempts, live claims, and counts that are true.
 */
async function fillBefore(
  pool: TestPool,
  { tenantId, endpointId, deliveries }: { tenantId: string; endpointId: string; deliveries: number },
): Promise<Filled> {
  const runs = KINDS.flatMap((kind, number) =>
    kind.map((words, at) => ({ kind: number, run: at + 1, ...columnsOf(words) })),
  );
  return withTransaction(pool, async (tx) => {
    // Nothing is counted by triggers, but once, behind everything.
    await tx.query(`select set_config('session_replication_role', 'replica', true)`);
    const operation = async () =>
      onlyRow(
        await tx.query<{ id: Id<'operation'> }>(
          `insert into operations (tenant_id, kind, workflow_id, interactive, target, selection, options, state, watermark,
             selected_at, next_event, next_event_at)
           values ($1, 'retry', $2, false, 'current', '{"filter":{}}', '{}', 'running', now(), now(), 'due', now())
           returning id`,
          [tenantId, randomUUID()],
        ),
      ).id;
    const [first, second] = [await operation(), await operation()];
    await tx.query(
      `create temporary table seeds on commit drop as
       select n, n % $1 as kind, uuidv7() as event_id, uuidv7() as delivery_id from generate_series(1, $2) n`,
      [KINDS.length, deliveries],
    );
    await tx.query(
      `create temporary table runs on commit drop as
       select *, null::uuid as operation_id from jsonb_to_recordset($1) as r(kind int, run int, state text, attempts int,
         probed boolean, item_of text, parent int)`,
      [JSON.stringify(runs)],
    );
    await tx.query(
      `update runs set operation_id = case item_of when 'first' then $1::uuid else $2::uuid end where item_of is not null`,
      [first, second],
    );
    await tx.query(
      'create temporary table ids (n int, run int, id uuid, primary key (n, run)) on commit drop',
    );
    // A statement each, so that the ids of later runs are later ones on every version of Postgres.
    for (const run of [1, 2, 3])
      await tx.query(
        `insert into ids select s.n, r.run, uuidv7() from seeds s join runs r on r.kind = s.kind and r.run = $1`,
        [run],
      );
    await tx.query(
      `insert into events (id, tenant_id, number, type, accepted_at, ingest_call_id, payload_bytes)
       select event_id, $1, n, 'test.seeded', now(), $1, 7 from seeds`,
      [tenantId],
    );
    await tx.query(
      `insert into payloads (event_id, tenant_id, body) select event_id, $1, '{"n":1}' from seeds`,
      [tenantId],
    );
    await tx.query('analyze ids, seeds, runs');
    await tx.query(
      `insert into executions (id, tenant_id, delivery_id, endpoint_id, operation_id, parent_id, worked_by, state, reason,
         due_at, give_up_at, attempts, may_have_arrived, probe_at, probes, reconcile_until, put_off_ms, lease_token,
         created_at, finished_at)
       select i.id, $1, s.delivery_id, $2, r.operation_id,
         (select p.id from ids p where p.n = i.n and p.run = coalesce(r.parent, i.run - 1)),
         coalesce(r.operation_id, '${LIVE_LANE}'), r.state,
         case r.state when 'failed' then 'exhausted' when 'cancelled' then 'operation_cancelled'
           when 'ignored' then 'endpoint_disabled' end,
         now() - s.n * interval '1 millisecond', now() + interval '1 day', r.attempts, r.state = 'unknown',
         case when r.probed then now() + interval '1 hour' end, case when r.probed then 2 else 0 end,
         case when r.state = 'unknown' then now() + interval '1 hour' end, case when s.n % 5 = 0 then 1500.5 end,
         case when r.state = 'sending' then md5(r.kind || '/' || s.n / 200)::uuid end, now(),
         case when r.state in ('failed', 'delivered', 'superseded', 'cancelled', 'ignored') then clock_timestamp() end
       from ids i join seeds s on s.n = i.n join runs r on r.kind = s.kind and r.run = i.run`,
      [tenantId, endpointId],
    );
    await tx.query(
      `insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome)
       select e.id, 1, e.tenant_id, 1, now(), 5,
         case e.state when 'delivered' then 'delivered' when 'unknown' then 'ambiguous' else 'retryable' end
       from executions e where e.attempts > 0`,
    );
    // Of many deliveries the next statements would compare all with all.
    await tx.query('analyze executions, attempts');
    await tx.query(
      `insert into claims (token, worked_by, lease_until, execution_ids)
       select lease_token, worked_by, now() + interval '1 hour', array_agg(id) from executions
       where lease_token is not null group by 1, 2`,
    );
    await tx.query(
      `insert into deliveries (id, tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes, original_version,
         attempts, last_attempt_at)
       select s.delivery_id, $1, s.event_id, $2, folded_state(s.delivery_id), now(), 7, 1, a.attempts,
         case when a.attempts > 0 then now() end
       from seeds s cross join lateral (
         select count(*) as attempts from executions e join attempts a on a.execution_id = e.id
         where e.delivery_id = s.delivery_id) a`,
      [tenantId, endpointId],
    );
    await tx.query(
      `insert into operation_counts (operation_id, expected, queued, scheduled, sending, unknown, delivered, failed, cancelled)
       select operation_id, count(*), ${[
         'queued',
         'scheduled',
         'sending',
         'unknown',
         'delivered',
         'failed',
         'cancelled',
       ]
         .map((state) => `count(*) filter (where state = '${state}')`)
         .join(', ')}
       from executions where operation_id is not null group by 1`,
    );
    return {
      tenantId: tenantId as Id<'tenant'>,
      endpointId: endpointId as Id<'endpoint'>,
      first,
      second,
    };
  });
}
