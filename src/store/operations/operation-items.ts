import type { ItemEvent, OperationItem } from '../../domain/operations/operation-item.ts';
import type { ExclusionReason } from '../../domain/operations/selection.ts';
import { present } from '../../domain/present.ts';
import { positionOf } from '../../domain/proof/ledger-line.ts';
import { type ExecutionState, isOpen } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { waitsOfExecutions } from '../reading/waits.ts';

/** A page of a ledger to read: its states (all where absent; `excluded` stands for exclusions), and where to go on. */
interface ItemsPage {
  state?: (ExecutionState | 'excluded')[];
  after?: string;
  limit: number;
  /** As the items were when the counts were frozen; as they are where absent. */
  frozen?: true;
}

/**
 * A page of an operation's ledger by keyset: executions in the order they were made, then exclusions. `next` is absent
 * on the last page.
 */
export async function pageOperationItems(
  db: Queryable,
  operationId: Id<'operation'>,
  page: ItemsPage,
): Promise<{ items: OperationItem[]; next?: string }> {
  const [phase, after] = page.after?.split(':') ?? ['i'];
  const states = page.state?.filter((state) => state !== 'excluded');
  const wantsItems = phase === 'i' && (states === undefined || states.length > 0);
  const wantsExclusions = page.state === undefined || page.state.includes('excluded');
  const items: OperationItem[] = wantsItems
    ? await executionsOf(
        db,
        operationId,
        { states, after: phase === 'i' ? after : undefined, limit: page.limit + 1 },
        page.frozen ? FROZEN : PRESENT,
      )
    : [];
  if (items.length > page.limit) return cut(items, page.limit);
  if (wantsExclusions)
    items.push(
      ...(await exclusionsOf(
        db,
        operationId,
        phase === 'x' ? after : undefined,
        page.limit + 1 - items.length,
        page.frozen ? 'x.resent_by' : PRESENT_RESENT,
      )),
    );
  return items.length > page.limit ? cut(items, page.limit) : { items };
}

function cut(items: OperationItem[], limit: number): { items: OperationItem[]; next: string } {
  const kept = items.slice(0, limit);
  const last = kept.at(-1) as OperationItem;
  return { items: kept, next: positionOf(last) };
}

interface ItemRow extends EventRow {
  id: Id<'execution'>;
  delivery_id: Id<'delivery'>;
  /** The delivery that was selected, where that is another one. */
  replay_of: Id<'delivery'> | null;
  endpoint_id: Id<'endpoint'>;
  state: ExecutionState;
  reason: string | null;
  attempts: number;
  due_at: Date;
  may_have_arrived: boolean;
  fault_code: string | null;
  http_status: number | null;
  took_over: Id<'execution'> | null;
  superseded_by: Id<'execution'> | null;
  finished_at: Date | null;
}

/** How the changeable columns of items are read: as they are. */
const PRESENT = {
  columns: `e.state, e.reason, e.attempts, e.due_at, e.may_have_arrived, e.finished_at, c.id as superseded_by`,
  join: '',
  attempts: 'e.attempts',
};

/** The same as they were when the counts were frozen. */
const FROZEN: typeof PRESENT = {
  columns: `coalesce(f.state, e.state) as state, case when f.state is null then e.reason else f.reason end as reason,
       coalesce(f.attempts, e.attempts) as attempts, coalesce(f.due_at, e.due_at) as due_at,
       coalesce(f.may_have_arrived, e.may_have_arrived) as may_have_arrived,
       case when f.state is null then e.finished_at else f.finished_at end as finished_at,
       case when f.state is null then c.id else f.superseded_by end as superseded_by`,
  join: `left join lateral (
       select x.* from frozen_items x where x.operation_id = $1 and x.execution_id = e.id limit 1) f on true`,
  attempts: 'coalesce(f.attempts, e.attempts)',
};

async function executionsOf(
  db: Queryable,
  operationId: Id<'operation'>,
  {
    states,
    after,
    limit,
  }: { states: ExecutionState[] | undefined; after: string | undefined; limit: number },
  as: typeof PRESENT,
): Promise<OperationItem[]> {
  const { rows } = await db.query<ItemRow>(
    // The page first, then a look-up a line, in the queue only for those that are open: as plain joins, the view among
    // them, the planner may read the whole of the other tables.
    `with page as materialized (
       select r.id, r.delivery_id, r.endpoint_id, r.parent_id, r.reason, r.finished_at, coalesce(r.outcome, q.state) as state,
         coalesce(r.attempts, q.attempts) as attempts, coalesce(r.due_at, q.due_at) as due_at,
         coalesce(r.may_have_arrived, q.may_have_arrived) as may_have_arrived
       from execution_records r left join lateral (
         select * from queue x
         where $5 and r.outcome is null and x.delivery_id = r.delivery_id and x.execution_id = r.id limit 1) q on true
       where r.operation_id = $1
         and ($2::text[] is null or r.outcome = any($2) or ($5 and r.outcome is null and q.state = any($2)))
         and ($3::uuid is null or r.id > $3)
       order by r.id limit $4
     )
     select e.id, e.delivery_id, e.endpoint_id, ${as.columns}, d.event_id, v.external_id, v.type, v.key,
       d.replay_of, p.id as took_over, a.fault_code, a.http_status
     from page e ${as.join}
     cross join lateral (select x.event_id, case when x.operation_id = $1 then x.replay_of end as replay_of
       from deliveries x where x.id = e.delivery_id limit 1) d
     cross join lateral (select x.external_id, x.type, x.key from events x where x.id = d.event_id limit 1) v
     left join lateral (select x.id from executions x
       where e.state = 'superseded' and x.delivery_id = e.delivery_id and x.parent_id = e.id and x.keeps_slot limit 1) c on true
     left join lateral (select x.id from execution_records x
       where x.id = e.parent_id and x.outcome = 'superseded' limit 1) p on true
     left join lateral (select x.fault_code, x.http_status from attempts x
       where x.execution_id = e.id and x.number = ${as.attempts} limit 1) a on true
     order by e.id`,
    // Where no open state is asked for, millions that are open are passed by without a look at each.
    [operationId, states ?? null, after ?? null, limit, states?.some(isOpen) ?? true],
  );
  const waits = await waitsOfExecutions(
    db,
    rows.filter(({ state }) => state === 'queued' || state === 'scheduled').map(({ id }) => id),
  );
  return rows.map((row) => ({
    kind: 'item',
    executionId: row.id,
    deliveryId: row.replay_of ?? row.delivery_id,
    ...(row.replay_of === null ? {} : { newDeliveryId: row.delivery_id }),
    endpointId: row.endpoint_id,
    ...eventFrom(row),
    state: row.state,
    attempts: row.attempts,
    dueAt: row.due_at,
    mayHaveArrived: row.may_have_arrived,
    ...present({
      reason: row.reason,
      faultCode: row.fault_code,
      httpStatus: row.http_status,
      tookOver: row.took_over,
      supersededBy: row.superseded_by,
      finishedAt: row.finished_at,
    }),
    waitingFor: waits.get(row.id) ?? [],
  }));
}

interface ExclusionRow extends EventRow {
  delivery_id: Id<'delivery'>;
  endpoint_id: Id<'endpoint'>;
  reason: ExclusionReason;
  joined_execution_id: Id<'execution'> | null;
  resent_by: Id<'delivery'> | null;
  held_by: Id<'operation'> | null;
  created_at: Date;
}

const PRESENT_RESENT = `case when x.reason = 'resent' then d.resent_by end`;

async function exclusionsOf(
  db: Queryable,
  operationId: Id<'operation'>,
  after: string | undefined,
  limit: number,
  resentBy: string,
): Promise<OperationItem[]> {
  const { rows } = await db.query<ExclusionRow>(
    `select x.delivery_id, x.reason, x.joined_execution_id, x.held_by, x.created_at, d.endpoint_id, d.event_id,
       v.external_id, v.type, v.key, ${resentBy} as resent_by
     from exclusions x join deliveries d on d.id = x.delivery_id
     cross join lateral (select e.external_id, e.type, e.key from events e where e.id = d.event_id limit 1) v
     where x.operation_id = $1 and ($2::uuid is null or x.delivery_id > $2)
     order by x.delivery_id limit $3`,
    [operationId, after ?? null, limit],
  );
  return rows.map((row) => ({
    kind: 'exclusion',
    deliveryId: row.delivery_id,
    endpointId: row.endpoint_id,
    ...eventFrom(row),
    reason: row.reason,
    ...present({
      joinedExecutionId: row.joined_execution_id,
      resentBy: row.resent_by,
      heldBy: row.held_by,
    }),
    createdAt: row.created_at,
  }));
}

type EventRow = { event_id: Id<'event'>; external_id: string | null; type: string; key: string | null };

function eventFrom(row: EventRow): ItemEvent {
  return {
    eventId: row.event_id,
    eventType: row.type,
    ...present({ externalId: row.external_id, key: row.key }),
  };
}
