import { present } from '../../domain/present.ts';
import type { OnAmbiguous } from '../../domain/sending/retry-policy.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import { withRetries } from '../db/pool.ts';
import type { Queryable } from '../db/queryable.ts';
import { LIVE_LANE } from '../db/queryable.ts';
import { hasWindows, heldUntil } from '../policy/held-by-windows.ts';

/** How many items of one endpoint a sender may claim. */
export interface Grant {
  endpointId: Id<'endpoint'>;
  count: number;
  /** Only items that nothing before them keeps waiting. */
  ordered?: boolean;
  /** Only items behind this place in the queue. */
  after?: QueuePlace;
  /** Nothing where the endpoint is not at this revision any more: the grant was made for the endpoint as it was. */
  revision?: number;
}

/** A place in the queue of one endpoint: when an item is due (as Postgres writes it), and its execution. */
export interface QueuePlace {
  dueAt: string;
  executionId: Id<'execution'>;
}

/** Marks a claim that is under way among the statements that Postgres runs: see {@link isClaiming}. */
const CLAIM_MARK = '/* redrive claim */';

/** An id before those of all executions. */
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** One item that this sender, and nobody else, may send until its lease ends. */
export interface ClaimedItem {
  executionId: Id<'execution'>;
  deliveryId: Id<'delivery'>;
  endpointId: Id<'endpoint'>;
  operationId?: Id<'operation'>;
  dueAt: string;
  /** The endpoint version to send with. */
  version: number;
  /** The revision of the endpoint that the claim saw: a copy of an earlier one is stale. */
  revision: number;
  /** Attempts recorded so far of this execution. */
  attempts: number;
  /** Those of them that were none of the receiver's: their sender was lost, or our own way out was shut. */
  lostAttempts: number;
  /** Attempts recorded so far of its delivery, over all executions. */
  deliveryAttempts: number;
  mayHaveArrived: boolean;
  /** The policy that its operation asks for, instead of its endpoint's. */
  onAmbiguous?: OnAmbiguous;
  /** It may be refused by its preparation, which looks at the facts as they are now. */
  prepares: boolean;
  /** It tries its endpoint: its failure is none of the endpoint's health. */
  test: boolean;
  /** What its receiver knows it by from another system, in the place of its own id. */
  webhookId?: string;
  body: string;
}

/**
 * The items that a claim took, the executions that it left because they cannot or must not be sent, and the endpoints
 * that have changed.
 */
export interface Claim {
  items: ClaimedItem[];
  withoutPayload: Id<'execution'>[];
  /** Retries of deliveries that were acknowledged at the moment when they were selected. */
  acknowledged: Id<'execution'>[];
  stale: Id<'endpoint'>[];
}

/**
 * The row of an item; that of an execution that is left has only `id` and `arrived`, that of an endpoint that has
 * changed only `endpoint_id`.
 */
interface ClaimRow {
  id: Id<'execution'> | null;
  delivery_id: Id<'delivery'>;
  endpoint_id: Id<'endpoint'>;
  operation_id: Id<'operation'> | null;
  attempts: number;
  lost_attempts: number;
  delivery_attempts: number;
  may_have_arrived: boolean;
  on_ambiguous: OnAmbiguous | null;
  due_text: string;
  body: string | null;
  version: number;
  revision: number;
  prepares: boolean;
  test: boolean;
  webhook_id: string | null;
  arrived: boolean;
}

/**
 * Claims due items of `workedBy` up to each endpoint's grant and `maxBytes` of payload (at least one item), under a
 * lease of `leaseMs` by the database's clock. Nothing is claimed of an operation whose control does not say run, nor at
 * an endpoint that has changed since its grant, nor, save for a single retry, of an operation at an endpoint that a
 * freeze window holds, and no retry of a delivery that has arrived: a freeze does not lock the
 * deliveries that it reads, so that an acknowledgement can be written while it runs, and neither sees the other. Runs
 * outside a transaction, and again where it met a deadlock: a freeze that looks at something twice can hold counts
 * while it waits for an item.
 */
export async function claimItems(
  db: Queryable,
  workedBy: Id<'operation'>,
  token: string,
  grants: Grant[],
  leaseMs: number,
  maxBytes: number,
): Promise<Claim> {
  const live = workedBy === LIVE_LANE;
  const statement = {
    name: live ? 'claim-live' : 'claim-bulk',
    text: `${CLAIM_MARK} with granted as materialized (
      select g.*, n.tenant_id, coalesce(g.known = n.revision, true) as fresh, ${hasWindows('n.tenant_id')} as has_windows,
        -- Also where the endpoint was found ready: those that are in force now count.
        ${live ? 'false' : `not (select o.single from operations o where o.id = $1) and ${heldUntil('n.tenant_id', 'g.endpoint_id')} is not null`} as held
      from unnest($2::uuid[], $3::int[], $7::boolean[], $8::timestamptz[], $9::uuid[], $10::int[])
        as g(endpoint_id, count, ordered, after_due, after_id, known)
      cross join lateral (select x.revision, x.tenant_id from endpoints x where x.id = g.endpoint_id limit 1) n
    ), picked as materialized (
      select e.execution_id, e.delivery_id, e.operation_id, row_number() over () as n
      from granted g
      cross join lateral (
        select x.execution_id, x.delivery_id, x.operation_id from queue x
        where x.in_queue and x.worked_by = $1 and x.endpoint_id = g.endpoint_id
          and x.state in ('queued', 'scheduled') and x.due_at <= now()
          and (x.give_up_at > now() or (g.has_windows and x.operation_id is not null and gives_up_at(x) > now()))
          and (x.due_at, x.execution_id) > (g.after_due, g.after_id)
          -- Again here, since a Retry-After may have come since the endpoint was found ready.
          and case when g.ordered then blocked_by(x.delivery_id) is null else true end
          and (select f.floor_until <= now() from endpoint_pacing f where f.endpoint_id = g.endpoint_id)
          ${
            live
              ? `and (x.operation_id is null or exists (select from operations o where o.id = x.operation_id
            and (o.report is not null or (o.control = 'run'
              and (o.single or not g.has_windows or ${heldUntil('g.tenant_id', 'g.endpoint_id')} is null)))))`
              : ''
          }
        order by x.due_at, x.execution_id limit g.count for update of x skip locked
      ) e
      where g.fresh and not g.held ${live ? '' : `and exists (select from operations o where o.id = $1 and o.control = 'run')`}
    ), sized as (
      select p.execution_id, p.delivery_id, p.n, d.event_id, d.attempts, d.test, d.webhook_id, d.payload_bytes, sum(d.payload_bytes) over (order by p.n) as running,
        d.state = 'delivered'
          and exists (select from operations o where o.id = p.operation_id and o.kind = 'retry') as arrived
      -- Lateral with a limit: one look-up an item, whatever the planner thinks of the size of the tables.
      from picked p cross join lateral (
        select x.event_id, x.attempts, x.test, x.webhook_id, x.payload_bytes, x.state from deliveries x where x.id = p.delivery_id limit 1) d
    ), chosen as materialized (
      select s.execution_id, s.delivery_id, s.attempts, s.test, s.webhook_id, s.event_id, s.arrived, b.body from sized s left join lateral (
        select y.body from payloads y where y.event_id = s.event_id limit 1) b on true
      where s.running <= $6 or s.n = 1
    ), taken as (
      update queue e set state = 'sending', lease_token = $4, put_off_from = null
      from chosen c where ${lookedUp('e.delivery_id', 'c.delivery_id', 'c.body is not null and not c.arrived')}
      returning e.execution_id as id, e.delivery_id, e.endpoint_id, e.operation_id, e.target_version, e.attempts, e.lost_attempts,
        e.may_have_arrived, e.match_filter, e.on_ambiguous, e.due_at::text as due_text,
        c.attempts as delivery_attempts, c.test, c.webhook_id, c.body, c.event_id
    ), claim as (
      insert into claims (token, worked_by, lease_until, execution_ids)
      select $4, $1, clock_timestamp() + $5::float8 * interval '1 millisecond', array_agg(id)
      from taken having count(*) > 0
    )
    select t.id, t.delivery_id, t.endpoint_id, t.operation_id, t.attempts, t.lost_attempts, t.delivery_attempts,
      t.may_have_arrived, t.on_ambiguous, t.due_text, t.body,
      case when exists (select from endpoint_fences f where f.endpoint_id = t.endpoint_id)
        then least(fenced_version(t.endpoint_id, t.event_id), coalesce(t.target_version, n.current_version))
        else coalesce(t.target_version, n.current_version) end as version, n.revision,
      -- An item that was shown with an address is looked at once more where its endpoint has another version by now.
      t.match_filter or n.prepares or coalesce(t.target_version <> n.current_version, false) as prepares,
      t.test, t.webhook_id, false as arrived
    from taken t join endpoints n on n.id = t.endpoint_id
    union all
    select c.execution_id, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, c.arrived
    from chosen c where c.body is null or c.arrived
    union all
    select null, null, g.endpoint_id, null, null, null, null, null, null, null, null, null, null, null, null, null, null
    from granted g where not g.fresh`,
    values: [
      workedBy,
      grants.map((g) => g.endpointId),
      grants.map((g) => g.count),
      token,
      leaseMs,
      maxBytes,
      grants.map((g) => g.ordered ?? false),
      grants.map((g) => g.after?.dueAt ?? '-infinity'),
      grants.map((g) => g.after?.executionId ?? FIRST_ID),
      grants.map((g) => g.revision ?? null),
    ],
  };
  const { rows } = await withRetries(() => db.query<ClaimRow>(statement));
  return {
    items: rows.flatMap((row) => claimedItem(row) ?? []),
    withoutPayload: rows.flatMap((row) =>
      row.id !== null && row.body === null && !row.arrived ? [row.id] : [],
    ),
    acknowledged: rows.flatMap((row) => (row.id !== null && row.arrived ? [row.id] : [])),
    stale: rows.flatMap((row) => (row.id === null ? [row.endpoint_id] : [])),
  };
}

function claimedItem(row: ClaimRow): ClaimedItem | undefined {
  if (row.id === null || row.body === null) return undefined;
  return {
    executionId: row.id,
    deliveryId: row.delivery_id,
    endpointId: row.endpoint_id,
    dueAt: row.due_text,
    version: row.version,
    revision: row.revision,
    attempts: row.attempts,
    lostAttempts: row.lost_attempts,
    deliveryAttempts: row.delivery_attempts,
    mayHaveArrived: row.may_have_arrived,
    prepares: row.prepares,
    test: row.test,
    body: row.body,
    ...present({
      operationId: row.operation_id,
      onAmbiguous: row.on_ambiguous,
      webhookId: row.webhook_id,
    }),
  };
}

/** The database's time, as Postgres writes it. */
export async function databaseTime(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ now: string }>('select clock_timestamp()::text as now');
  return rows[0]?.now ?? '';
}

/** Whether a claim is under way that began before a time, and so may not see changes committed by then. */
export async function isClaiming(db: Queryable, before: string): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(
    `select exists (select from pg_stat_activity where datname = current_database() and state = 'active'
       and query_start <= $1::timestamptz and starts_with(query, '${CLAIM_MARK}')) as found`,
    [before],
  );
  return rows[0]?.found ?? false;
}

/** SQL: joins what is in the queue of the endpoint `$1` to the items `u` of a claim `c`. */
const CLAIMED = `join execution_records r on r.id = u.id
     join queue q on ${lookedUp('q.delivery_id', 'r.delivery_id')} and q.execution_id = r.id and q.lease_token = c.token
       and q.endpoint_id = $1`;

/** The tokens of claims under which something of an endpoint is being sent. */
export async function tokensAt(db: Queryable, endpointId: Id<'endpoint'>): Promise<string[]> {
  const { rows } = await db.query<{ token: string }>(
    `select distinct c.token from claims c cross join lateral unnest(c.execution_ids) as u(id)
     ${CLAIMED}`,
    [endpointId],
  );
  return rows.map(({ token }) => token);
}

/** Whether something of an endpoint is still being sent under one of these tokens. */
export async function isClaimedBy(
  db: Queryable,
  endpointId: Id<'endpoint'>,
  tokens: string[],
): Promise<boolean> {
  if (tokens.length === 0) return false;
  const { rows } = await db.query<{ found: boolean }>(
    `select exists (select from claims c cross join lateral unnest(c.execution_ids) as u(id)
       ${CLAIMED}
       where c.token = any($2::uuid[])) as found`,
    [endpointId, tokens],
  );
  return rows[0]?.found ?? false;
}
