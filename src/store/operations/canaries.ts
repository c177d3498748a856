import type { CanaryFacts, Tally } from '../../domain/operations/watch.ts';
import { LOST_FAULT, WAY_OUT_FAULT } from '../../domain/sending/fault-code.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { clockRanMs } from '../policy/held-by-windows.ts';
import { hopsOf } from '../sending/queue-endpoints.ts';

/** How many items of an endpoint a slice wants, or gets. */
type Wanted = { endpointId: Id<'endpoint'>; count: number };

interface CanaryRow {
  endpoint_id: Id<'endpoint'>;
  state: 'testing' | 'passed' | 'held';
  room: number;
}

/**
 * Reserves items at endpoints whose canary is out: no more than their canaries are allowed, nothing where they are
 * held, as many as wanted where they have passed. Rows are locked in the order of their endpoints.
 */
export async function reserveCanaries(
  tx: Transaction,
  operationId: Id<'operation'>,
  wanted: Wanted[],
  count: number,
): Promise<Wanted[]> {
  const ids = wanted.map(({ endpointId }) => endpointId);
  await tx.query(
    `insert into canaries (operation_id, endpoint_id, allowed)
     select $1, u.id, $3 from unnest($2::uuid[]) as u(id) order by u.id on conflict do nothing`,
    [operationId, ids, count],
  );
  const { rows } = await tx.query<CanaryRow>(
    `select endpoint_id, state, greatest(0, allowed - claimed) as room from canaries
     where operation_id = $1 and endpoint_id = any($2::uuid[]) order by endpoint_id for no key update`,
    [operationId, ids],
  );
  const canaries = new Map(rows.map((row) => [row.endpoint_id, row]));
  const granted = wanted
    .map(({ endpointId, count: asked }) => {
      const canary = canaries.get(endpointId);
      const room = canary?.state === 'passed' ? asked : canary?.state === 'testing' ? canary.room : 0;
      return { endpointId, count: Math.min(asked, room), testing: canary?.state === 'testing' };
    })
    .filter((grant) => grant.count > 0);
  await moveClaimed(
    tx,
    operationId,
    granted.filter((grant) => grant.testing),
  );
  return granted.map(({ endpointId, count: given }) => ({ endpointId, count: given }));
}

/** Gives back items that were reserved of canaries and not claimed, or that our own way out kept back. */
export async function giveBackCanaries(
  db: Queryable,
  operationId: Id<'operation'>,
  unused: Wanted[],
): Promise<void> {
  await moveClaimed(
    db,
    operationId,
    unused.map(({ endpointId, count }) => ({ endpointId, count: -count })),
  );
}

async function moveClaimed(db: Queryable, operationId: Id<'operation'>, by: Wanted[]): Promise<void> {
  if (by.length === 0) return;
  await db.query(
    // Its time begins with its first item, and not while its endpoint takes nothing.
    `update canaries c set claimed = greatest(0, c.claimed + t.count),
       began_at = case when c.claimed = 0 then clock_timestamp() else c.began_at end
     from unnest($2::uuid[], $3::int[]) as t(id, count)
     where c.operation_id = $1 and c.endpoint_id = t.id and c.state = 'testing'`,
    [operationId, by.map(({ endpointId }) => endpointId), by.map(({ count }) => count)],
  );
}

/**
 * Gives back the places of these items at canaries that are out, as their sender was lost: their endpoint has not answered
 * them, and they are sent again.
 */
export async function giveBackLost(tx: Transaction, executionIds: Id<'execution'>[]): Promise<void> {
  if (executionIds.length === 0) return;
  await tx.query(
    `with lost as (
      select e.operation_id, e.endpoint_id, count(*)::int as count from execution_records e
      where e.id = any($1::uuid[]) and e.operation_id is not null group by 1, 2
    ), locked as (
      select c.operation_id, c.endpoint_id, l.count from canaries c
      join lost l on l.operation_id = c.operation_id and l.endpoint_id = c.endpoint_id
      where c.state = 'testing' order by c.operation_id, c.endpoint_id for no key update of c
    )
    update canaries c set claimed = greatest(0, c.claimed - k.count) from locked k
    where c.operation_id = k.operation_id and c.endpoint_id = k.endpoint_id`,
    [executionIds],
  );
}

/** Whether an attempt says something of its endpoint: neither our own way out nor a sender that was lost does. */
export function isJudged(attempt: string): string {
  return `coalesce(${attempt}.fault_code not in ('${WAY_OUT_FAULT}', '${LOST_FAULT}'), true)`;
}

/**
 * An item's first attempt since the canary `c` of its endpoint began: attempts before that are not judged again. Whoever
 * ends by having been lost has lost its senders every time, and its endpoint is not to be given more of that kind.
 */
const FIRST_ATTEMPTS = `select count(*)::int as attempts, count(*) filter (where a.outcome <> 'delivered')::int as bad
       from executions e cross join lateral (select t.outcome from attempts t
         where t.execution_id = e.id and t.started_at >= c.began_at
           and (${isJudged('t')} or (t.fault_code = '${LOST_FAULT}' and e.state = 'failed')) order by t.number limit 1) a
       where e.operation_id = c.operation_id and e.endpoint_id = c.endpoint_id and e.attempts > 0`;

interface TallyRow {
  endpoint_id: Id<'endpoint'>;
  attempts: number;
  bad: number;
}

interface CanaryFactsRow extends TallyRow {
  allowed: number;
  claimed: number;
  age_ms: number;
  unclaimed: number;
}

/** The results so far of the canaries that are still out, by endpoint. */
export async function canaryFacts(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<({ endpointId: Id<'endpoint'> } & CanaryFacts)[]> {
  const { rows } = await db.query<CanaryFactsRow>(
    `select c.endpoint_id, c.allowed, c.claimed,
       -- Its minute stands still while freeze windows hold its endpoint.
       ${clockRanMs({ tenant: 'n.tenant_id', endpoint: 'c.endpoint_id', operation: 'o', since: 'c.began_at' })} as age_ms,
       f.attempts, f.bad,
       (select count(*)::int from (select from queue q where q.in_queue and q.worked_by = c.operation_id
         and q.endpoint_id = c.endpoint_id and q.state in ('queued', 'scheduled') and (q.attempts = 0
           or (select a.number from attempts a where a.execution_id = q.execution_id and a.started_at >= c.began_at
             and ${isJudged('a')} limit 1) is null)
         limit 1) u) as unclaimed
     from canaries c join operations o on o.id = c.operation_id join endpoints n on n.id = c.endpoint_id
     cross join lateral (${FIRST_ATTEMPTS}) f
     where c.operation_id = $1 and c.state = 'testing'`,
    [operationId],
  );
  return rows.map((row) => ({
    endpointId: row.endpoint_id,
    allowed: row.allowed,
    claimed: row.claimed,
    unclaimed: row.unclaimed,
    ageMs: row.age_ms,
    attempts: row.attempts,
    bad: row.bad,
  }));
}

/** Writes down how canaries ended, and by what. */
export async function endCanaries(
  tx: Transaction,
  operationId: Id<'operation'>,
  ended: ({ endpointId: Id<'endpoint'>; state: 'passed' | 'held' } & Tally)[],
): Promise<void> {
  await tx.query(
    `update canaries c set state = t.state, judged_attempts = t.attempts, judged_bad = t.bad
     from unnest($2::uuid[], $3::text[], $4::int[], $5::int[]) as t(id, state, attempts, bad)
     where c.operation_id = $1 and c.endpoint_id = t.id and c.state = 'testing'`,
    [
      operationId,
      ended.map(({ endpointId }) => endpointId),
      ended.map(({ state }) => state),
      ended.map(({ attempts }) => attempts),
      ended.map(({ bad }) => bad),
    ],
  );
}

/**
 * Lets an operation with canaries go on at some endpoints alone: what it has unsent for others is held, with the results
 * that their canaries had. The operation is held by the transaction.
 */
export async function holdOthers(
  tx: Transaction,
  operationId: Id<'operation'>,
  only: readonly Id<'endpoint'>[],
): Promise<void> {
  await tx.query(
    `with recursive hop as (
      ${hopsOf('$1')}
    )
    insert into canaries as c (operation_id, endpoint_id, state, allowed)
    select $1, h.endpoint_id, 'held', 1 from hop h
    where h.endpoint_id is not null and h.endpoint_id <> all($2::uuid[]) order by h.endpoint_id
    on conflict (operation_id, endpoint_id) do update set state = 'held'`,
    [operationId, only],
  );
}

/**
 * The endpoints whose items are held, with the results of their canaries, where no other endpoint has items left to
 * send.
 */
export async function heldAlone(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<({ endpointId: Id<'endpoint'> } & Tally)[]> {
  const { rows } = await db.query<TallyRow>(
    `with recursive hop as (
      ${hopsOf('$1')}
    ), busy as (select h.endpoint_id, c.operation_id, c.state, c.began_at from hop h left join canaries c
      on c.operation_id = $1 and c.endpoint_id = h.endpoint_id where h.endpoint_id is not null)
    select c.endpoint_id, f.attempts, f.bad from busy c cross join lateral (${FIRST_ATTEMPTS}) f
    where c.state = 'held' and not exists (select from busy o where o.state is distinct from 'held')`,
    [operationId],
  );
  return rows.map((row) => ({ endpointId: row.endpoint_id, attempts: row.attempts, bad: row.bad }));
}

/** Begins the canaries of an endpoint again, in every open operation: its owner says that it is a different one now. */
export async function beginCanariesAgain(db: Queryable, endpointId: Id<'endpoint'>): Promise<void> {
  await db.query(
    `delete from canaries c using operations o
     where c.endpoint_id = $1 and o.id = c.operation_id and o.closed_at is null`,
    [endpointId],
  );
}
