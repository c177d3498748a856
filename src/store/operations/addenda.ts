import { COUNTED_PARTS, type OperationCounts } from '../../domain/operations/operation-counts.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { itemsOf } from './items-of.ts';

type Changes = Partial<Record<string, number>>;
type StateRow = { state: string; items: number };

/**
 * The change of each part of an operation's counts since it closed: by acknowledgements, status requests, resolutions, and
 * the requests that a resolution asked for.
 */
export async function addendumTo(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  { counts, signed }: { counts: OperationCounts; signed: boolean },
): Promise<Changes> {
  return signed ? toldAndUntold(db, tenantId, operationId) : countedAgain(db, tenantId, operationId, counts);
}

/** The sum of what the addenda tell and of what no addendum has told yet: it needs none of the items, which may be gone. */
async function toldAndUntold(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
): Promise<Changes> {
  const { rows } = await db.query<StateRow>(
    // One statement: what an addendum takes meanwhile is counted once.
    `with payload as (
       select translate(a.jws::jsonb ->> 'payload', '-_', '+/') as base64
       from closure_reports r join report_addenda a on a.operation_id = r.operation_id
       where r.operation_id = $1 and r.tenant_id = $2
     ), change as (
       select c.key as state, c.value::int as items from payload p
       -- Base64url has no padding, and the decoder wants it.
       cross join lateral jsonb_each_text(convert_from(
         decode(rpad(p.base64, (length(p.base64) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb -> 'counts') c
       union all
       select s.state, s.items from closure_reports r join late_changes l on l.operation_id = r.operation_id
       cross join lateral (values (l.from_state, -1), (l.to_state, 1)) as s(state, items)
       where r.operation_id = $1 and r.tenant_id = $2
     )
     select state, sum(items)::int as items from change group by state`,
    [operationId, tenantId],
  );
  return inOrder(rows, () => 0);
}

/** The same of an operation that closed before reports were signed: nothing notes its changes, so that it takes all items. */
async function countedAgain(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  closed: OperationCounts,
): Promise<Changes> {
  const { rows } = await db.query<StateRow>(
    `select state, count(*)::int as items from ${itemsOf('$1')} e
     where exists (select from operations o where o.id = $1 and o.tenant_id = $2) group by state`,
    [operationId, tenantId],
  );
  const kept = rows.reduce((sum, { items }) => sum + items, 0);
  return kept < closed.expected - closed.excluded ? {} : inOrder(rows, (part) => closed[part]);
}

function inOrder(rows: StateRow[], before: (part: keyof OperationCounts) => number): Changes {
  const items = new Map(rows.map((row) => [row.state, row.items]));
  return Object.fromEntries(
    COUNTED_PARTS.filter((part) => part !== 'excluded')
      .map((part) => [part, (items.get(part) ?? 0) - before(part)] as const)
      .filter(([, change]) => change !== 0),
  );
}
