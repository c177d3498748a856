import type { Operation } from '../../domain/operations/operation.ts';
import { isExplicit } from '../../domain/operations/selection.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import { named } from '../db/named.ts';
import { Parameters } from '../db/parameters.ts';
import type { Transaction } from '../db/queryable.ts';
import { LIVE_LANE } from '../db/queryable.ts';
import { keepFromRemoval } from '../retention/removal-gate.ts';
import { kept } from '../settling/ends.ts';
import { refoldDeliveries } from '../settling/folding.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { type DecidedBy, decisionSql, seenSql } from './fate.ts';
import {
  deliveriesPage,
  orderOf,
  type SelectionPlace,
  type Stretch,
  selectionPage,
  stillMatching,
  stillSelected,
} from './selection-page.ts';

/** The result of freezing one stretch of a selection. */
export interface Frozen {
  /** Deliveries that were read. */
  selected: number;
  /** The last of them. */
  last?: SelectionPlace;
  /** Deliveries that changed hands while the statement ran; to be decided again by a statement that sees the change. */
  raced: Id<'delivery'>[];
}

/** The fields of an operation that freezing needs. */
export type FrozenOperation = Pick<
  Operation,
  | 'id'
  | 'tenantId'
  | 'kind'
  | 'target'
  | 'newIdentity'
  | 'interactive'
  | 'selection'
  | 'options'
  | 'watermark'
>;

/** Options of a freeze: other deliveries than a stretch, and how they are decided. */
interface FreezeOptions {
  /** These deliveries, instead of the stretch. */
  only?: Id<'delivery'>[];
  /** They are decided also where they have changed since the operation was accepted. */
  again?: boolean;
  /**
   * Assumes that nobody else gives the same deliveries an execution meanwhile: a tenth faster, and an error (23505)
   * where one does.
   */
  unopposed?: boolean;
  /** They are `only` these because a plan has shown them: what no longer matches is excluded, nothing is left out. */
  planned?: PlannedFreeze;
}

/** Decides what a plan has shown, as the world is now. */
export interface PlannedFreeze {
  /** Deliveries of the plan. */
  ids: Id<'delivery'>[];
  /** Endpoints that have another address than the plan showed. */
  moved: Id<'endpoint'>[];
}

/** Nothing that changed excludes a delivery that was selected in time. */
const NO_MATTER: DecidedBy = { changed: 'false' };

/** The place of the last delivery is null as a whole, where nothing was selected. */
type FrozenRow = {
  selected: number;
  raced: Id<'delivery'>[];
  pending: Id<'delivery'>[];
} & (
  | { last_id: Id<'delivery'>; last_tenant_id: Id<'tenant'>; last_accepted_at: string }
  | { last_id: null; last_tenant_id: null; last_accepted_at: null }
);

/**
 * Decides each delivery of a stretch and makes it an item of the operation or an exclusion with its reason, in one
 * set-based statement. Under a new identity the item is an execution of a new delivery, which is made here and points to
 * the one that was selected. An open execution elsewhere is joined (`coalesced`), or superseded where this request may take
 * it over; one that is being sent is never taken over. A conflict with a concurrent statement is left undecided and
 * returned as raced.
 */
export async function freezePage(
  tx: Transaction,
  operation: FrozenOperation,
  stretch: Stretch,
  options: FreezeOptions = {},
): Promise<Frozen> {
  await keepFromRemoval(tx, operation.tenantId);
  const { rows } = await tx.query<FrozenRow>(freezeStatement(operation, stretch, options));
  const row = rows[0] as FrozenRow;
  // A failed delivery stays failed while its retry waits. Only one that was never attempted, or whose newest run with
  // an attempt was taken over, is pending by the rule once it has an open execution: these few are written, the mass is
  // not.
  await refoldDeliveries(tx, row.pending);
  return {
    selected: row.selected,
    raced: row.raced,
    ...(row.last_id !== null
      ? { last: { tenantId: row.last_tenant_id, acceptedAt: row.last_accepted_at, id: row.last_id } }
      : {}),
  };
}

function freezeStatement(operation: FrozenOperation, stretch: Stretch, options: FreezeOptions) {
  const p = new Parameters();
  const { selection, newIdentity } = operation;
  const { again = false, unopposed = false, planned } = options;
  const page = pageSql(operation, stretch, options, p);
  const op = p.add(operation.id);
  const { giveUpAfterMs, matchFilter, onAmbiguous } = operation.options;
  const decision = decisionSql(
    operation,
    op,
    planned ? plannedBy(operation, planned, p) : again ? NO_MATTER : {},
  );
  const original = operation.target === 'original' ? 'd.original_version' : 'null';
  // Also where a joined execution was cancelled since: its operation may have been a plan.
  const shown =
    planned || again
      ? `(select w.version from plan_endpoints w where w.operation_id = ${op} and w.endpoint_id = d.endpoint_id)`
      : 'null';
  const matches = `${p.add(matchFilter ?? false)}::boolean`;
  const ambiguous = `${p.add(onAmbiguous ?? null)}::text`;
  const undisputed = unopposed ? '' : 'on conflict do nothing';
  const text = `with op as materialized (
      select watermark, not_before > now() as waits, greatest(not_before, now()) as due_at from operations
      where id = ${op}
    ),
    page as materialized (${page}),
    seen as (${seenSql()}),
    decided as materialized (select s.*, ${decision} as decision from seen s),
    taken as (
      delete from queue q using decided d
      where ${lookedUp('q.delivery_id', 'd.id', "d.decision = 'take'")} and q.execution_id = d.tip_id
        and q.state in ('queued', 'scheduled')
      returning q.*
    ),
    superseded as (
      update execution_records r set outcome = 'superseded', finished_at = clock_timestamp(), ${kept('t')}
      from taken t where r.id = t.execution_id
    ),
    ${newIdentity ? `${newDeliveries(op, undisputed)},` : ''}
    run as materialized (
      select uuidv7() as id, d.tenant_id, ${newIdentity ? 'm.id' : 'd.id'} as delivery_id, d.endpoint_id,
        ${newIdentity ? 'null::uuid' : 'd.tip_id'} as parent_id,
        ${newIdentity ? '1' : 'd.next_generation'} as generation,
        d.decision = 'repeat' as repeats, case d.decision when 'repeat' then 0 end as none,
        coalesce(${original}, ${shown})::int as target_version,
        op.due_at + coalesce(${p.add(giveUpAfterMs ?? null)}::float8, v.give_up_after_ms) * interval '1 millisecond'
          as give_up_at
      from decided d
      cross join op
      join endpoints n on n.id = d.endpoint_id
      join endpoint_versions v on ${isCurrent('v', 'n')}
      ${
        newIdentity
          ? 'join made m on m.replay_of = d.id'
          : `left join taken t on t.delivery_id = d.id
      where d.decision in ('new', 'repeat') or t.execution_id is not null`
      }
    ),
    inserted as (
      insert into execution_records (id, tenant_id, delivery_id, endpoint_id, operation_id, parent_id, generation,
        target_version, match_filter, on_ambiguous, outcome, reason, finished_at, attempts, lost_attempts,
        may_have_arrived, due_at, give_up_at)
      select r.id, r.tenant_id, r.delivery_id, r.endpoint_id, ${op}, r.parent_id, r.generation, r.target_version,
        ${matches}, ${ambiguous}, case when r.repeats then 'ignored' end,
        case when r.repeats then 'suppressed_duplicate' end, case when r.repeats then now() end, r.none, r.none,
        case when r.repeats then false end, case when r.repeats then op.due_at end,
        case when r.repeats then r.give_up_at end
      from run r cross join op
      ${undisputed}
      returning id, delivery_id
    ),
    queued as (
      -- Whoever has the next generation of a delivery is alone: what was open is taken, and goes before this comes.
      insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, operation_id, worked_by, state,
        target_version, match_filter, on_ambiguous, due_at, give_up_at)
      select r.delivery_id, r.id, r.tenant_id, r.endpoint_id, ${op},
        ${operation.interactive ? `'${LIVE_LANE}'::uuid` : `${op}::uuid`},
        case when op.waits then 'scheduled' else 'queued' end, r.target_version, ${matches}, ${ambiguous}, op.due_at,
        r.give_up_at
      from run r cross join op
      where not r.repeats${unopposed ? '' : ' and (r.id not in (select i.id from inserted i)) is false'}
    ),
    -- The deliveries that were selected, of those that have an item now.
    done as (${newIdentity ? 'select replay_of as delivery_id from made' : 'select delivery_id from inserted'}),
    excluded as (
      insert into exclusions (operation_id, delivery_id, reason, joined_execution_id, held_by)
      select ${op}, d.id, d.decision,
        case when d.decision in ('coalesced', 'held', 'outcome_unknown') then d.tip_id end,
        case when d.decision = 'held' then d.holder_id end
      from decided d where d.decision not in ('new', 'take', 'repeat', 'mine')
    ),
    last as (select * from page
      order by ${orderOf(selection)
        .map((column) => `page.${column} desc`)
        .join(', ')} limit 1)
    select (select count(*)::int from page) as selected, (select accepted_at::text from last) as last_accepted_at,
      (select id from last) as last_id, (select tenant_id from last) as last_tenant_id,
      -- By a hashed list: the number of inserted rows is not known when this is planned, and a join would compare all
      -- with all.
      array(select d.id from decided d where d.decision in ('new', 'take', 'repeat')
        and d.id not in (select i.delivery_id from done i)) as raced,
      array(select d.id from decided d
        where ${newIdentity ? 'false' : '(d.id not in (select i.delivery_id from inserted i)) is false'}
          and d.state not in ('delivered', 'pending') and d.decision <> 'repeat'
          and (coalesce(d.tip_attempts, 0) = 0 or d.tip_state = 'superseded')) as pending`;
  return 'deliveryIds' in selection ? named('freeze', text, p.values) : { text, values: p.values };
}

/** The deliveries to decide: those that are named, or a stretch of the selection. */
function pageSql(
  { tenantId, selection, watermark }: FrozenOperation,
  stretch: Stretch,
  { only, again, planned }: FreezeOptions,
  p: Parameters,
): string {
  if (!only) return selectionPage(tenantId, selection, stretch, p, watermark);
  // Who asked for newest executions did not ask for the ones that others have made of them meanwhile.
  if (!again && !planned && 'filter' in selection && selection.filter.newest)
    return stillSelected(tenantId, selection, only, p, watermark);
  return deliveriesPage(tenantId, selection, only, p);
}

/** Makes a delivery under a new identity for each that is decided to be sent; it has no place in the order of a key. */
function newDeliveries(op: string, undisputed: string): string {
  return `made as (
      insert into deliveries (tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes, replay_of, operation_id)
      select d.tenant_id, d.event_id, d.endpoint_id, 'pending', clock_timestamp(),
        (select x.payload_bytes from deliveries x where x.id = d.id), d.id, ${op}
      from decided d where d.decision = 'new'
      ${undisputed}
      returning id, replay_of
    )`;
}

/**
 * How deliveries of a plan are decided: by whether the selection would still find them, not by whether they changed. One
 * that failed once more is what was shown; one whose endpoint has moved is not, unless it goes to its first address.
 */
export function plannedBy(
  {
    tenantId,
    kind,
    target,
    selection,
    watermark,
  }: Omit<FrozenOperation, 'id' | 'interactive' | 'newIdentity'>,
  { ids, moved }: PlannedFreeze,
  p: Parameters,
): DecidedBy {
  const still = isExplicit(selection)
    ? undefined
    : stillMatching(tenantId, kind, selection, ids, p, watermark);
  return {
    changed: still === undefined ? 'false' : `s.id not in (${still})`,
    ...(moved.length === 0
      ? {}
      : {
          moved: `s.endpoint_id = any(${p.add(moved)}::uuid[])${
            target === 'original' ? ' and s.original_version is null' : ''
          }`,
        }),
  };
}
