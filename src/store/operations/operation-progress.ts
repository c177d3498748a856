import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';
import type { SelectionCursor } from '../selection/selection-page.ts';

/** Moves the selection's cursor, in the transaction of the page that was frozen. */
export async function moveSelection(
  tx: Transaction,
  operationId: Id<'operation'>,
  cursor: SelectionCursor,
): Promise<void> {
  await tx.query(
    `update operations set selection_cursor = $2, next_event = 'select', next_event_at = now() + interval '30 seconds'
     where id = $1 and closed_at is null`,
    [operationId, JSON.stringify(cursor)],
  );
}

/** Where a selection stands; undefined at its beginning. */
export async function selectionCursor(
  tx: Transaction,
  operationId: Id<'operation'>,
): Promise<SelectionCursor | undefined> {
  const { rows } = await tx.query<{ selection_cursor: SelectionCursor | null }>(
    'select selection_cursor from operations where id = $1',
    [operationId],
  );
  return rows[0]?.selection_cursor ?? undefined;
}

/**
 * Takes back the exclusion of coalesced deliveries whose joined execution ended cancelled unsent; returns them. Of an
 * operation whose counts are frozen nothing is taken back: it is locked, so that they are not frozen meanwhile.
 */
export async function reopenCoalesced(
  tx: Transaction,
  operationId: Id<'operation'>,
  limit: number,
): Promise<Id<'delivery'>[]> {
  const { rows } = await tx.query<{ delivery_id: Id<'delivery'> }>(
    `with open as materialized (
       select id from operations where id = $1 and report is null for no key update
     )
     delete from exclusions x using (
       -- Lateral with a limit: one look-up each, whatever the planner thinks of the size of the tables.
       select x.delivery_id from exclusions x cross join lateral (
         select from execution_records j where j.id = x.joined_execution_id and j.outcome = 'cancelled' and j.attempts = 0
         limit 1) j
       where exists (select from open) and x.operation_id = $1 and x.reason = 'coalesced' limit $2
     ) stranded
     where x.operation_id = $1 and x.delivery_id = stranded.delivery_id
     returning x.delivery_id`,
    [operationId, limit],
  );
  return rows.map((row) => row.delivery_id);
}
