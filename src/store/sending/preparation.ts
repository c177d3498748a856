import type { EventFilter } from '../../domain/endpoints/event-filter.ts';
import type { Partner, Preparable, Refusal } from '../../domain/endpoints/preparation.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { kept } from '../settling/ends.ts';
import { refoldDeliveries } from '../settling/folding.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';

interface PreparationRow {
  id: Id<'execution'>;
  match_filter: boolean;
  type: string;
  event_types: string[] | null;
  filter: EventFilter | null;
  partner: Partner | null;
  moved: boolean;
}

/**
 * Whether the execution `e` is for another URL, or has other headers, than its endpoint has now (`c`), although a plan has
 * shown it with those; an item that goes to where it went first is shown with its first version.
 */
const MOVED = `select was.url <> c.url or was.sealed_headers is distinct from c.sealed_headers
       from plans a join operations o on o.id = a.operation_id
       join endpoint_versions was on was.endpoint_id = e.endpoint_id and was.version = e.target_version
       where a.operation_id = e.operation_id and e.target_version <> n.current_version
         and (o.target = 'current' or d.original_version is null)`;

/** The facts, as they are now, that the preparation of claimed executions looks at, by execution; without bodies. */
export async function loadPreparation(
  db: Queryable,
  executionIds: Id<'execution'>[],
): Promise<Map<Id<'execution'>, Omit<Preparable, 'body'>>> {
  const { rows } = await db.query<PreparationRow>(
    `select e.id, e.match_filter, v.type, c.event_types, c.filter, c.partner,
       coalesce((${MOVED}), false) as moved
     from execution_records e
     join deliveries d on d.id = e.delivery_id
     join events v on v.id = d.event_id
     join endpoints n on n.id = e.endpoint_id
     join endpoint_versions c on ${isCurrent('c', 'n')}
     where e.id = any($1::uuid[])`,
    [executionIds],
  );
  return new Map(
    rows.map((row) => [
      row.id,
      {
        eventType: row.type,
        ...(row.match_filter ? { match: present({ eventTypes: row.event_types, filter: row.filter }) } : {}),
        ...present({ partner: row.partner, moved: row.moved ? (true as const) : undefined }),
      },
    ]),
  );
}

interface RefusedRow {
  delivery_id: Id<'delivery'>;
  state: Refusal['state'];
  reason: Refusal['reason'];
}

/**
 * Ends claimed executions that were released unsent because their preparation refused them: ignored, or failed without
 * an attempt. The same transaction has released them.
 */
export async function refusePrepared(
  tx: Transaction,
  refused: { executionId: Id<'execution'>; refusal: Refusal }[],
): Promise<void> {
  const { rows } = await tx.query<RefusedRow>(
    `with refused as materialized (
       select x.id, x.delivery_id, u.state, u.reason
       from unnest($1::uuid[], $2::text[], $3::text[]) as u(id, state, reason) join execution_records x on x.id = u.id
     ), gone as (
       delete from queue q using refused u
       where ${lookedUp('q.delivery_id', 'u.delivery_id')} and q.execution_id = u.id
         and q.state = 'queued'
       returning q.*, u.state as outcome, u.reason
     )
     update execution_records r set outcome = g.outcome, reason = g.reason, finished_at = clock_timestamp(), ${kept('g')}
     from gone g where r.id = g.execution_id
     returning r.delivery_id, g.outcome as state, g.reason`,
    [
      refused.map(({ executionId }) => executionId),
      refused.map(({ refusal }) => refusal.state),
      refused.map(({ refusal }) => refusal.reason),
    ],
  );
  await refoldDeliveries(
    tx,
    rows.map((row) => row.delivery_id),
  );
  const failed = rows.filter((row) => row.state === 'failed');
  if (failed.length > 0)
    await tx.query(
      `update deliveries d set fault_code = f.reason, http_status = null
       from unnest($1::uuid[], $2::text[]) as f(id, reason) where d.id = f.id and d.state = 'failed'`,
      [failed.map((row) => row.delivery_id), failed.map((row) => row.reason)],
    );
}
