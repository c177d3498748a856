import type { Selection } from '../../domain/operations/selection.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { eventPage, selectionPage, WHOLE } from './selection-page.ts';

/** Which of the ids that a selection names are not the tenant's; a filter names none. */
export async function unknownIds(db: Queryable, tenantId: string, selection: Selection): Promise<string[]> {
  const named =
    'deliveryIds' in selection
      ? { table: 'deliveries', ids: selection.deliveryIds }
      : 'eventIds' in selection
        ? { table: 'events', ids: selection.eventIds }
        : 'executionIds' in selection
          ? { table: 'executions', ids: selection.executionIds }
          : 'failuresOf' in selection
            ? { table: 'operations', ids: [selection.failuresOf] }
            : undefined;
  if (!named) return [];
  const { rows } = await db.query(
    `select u.id from unnest($1::uuid[]) as u(id)
     where not exists (select from ${named.table} t where t.id = u.id and t.tenant_id = $2)`,
    [named.ids, tenantId],
  );
  return rows.map((row) => row.id);
}

/** How many deliveries an explicit selection stands for, or may make, counted up to `most`. */
export async function countExplicit(
  db: Queryable,
  tenantId: string,
  selection: Selection,
  most: number,
): Promise<number> {
  if ('deliveryIds' in selection) return selection.deliveryIds.length;
  const p = new Parameters();
  const named = 'afresh' in selection ? selection.endpoints : undefined;
  const counted =
    'afresh' in selection
      ? `select from (${eventPage(tenantId, selection, { partition: 0 }, most, p)}) v
          join endpoints n on n.tenant_id = v.tenant_id and n.state <> 'deleted'
            ${named ? `and n.id = any(${p.add(named.ids)}::uuid[])` : ''}`
      : selectionPage(tenantId, selection, { ...WHOLE, limit: most }, p);
  const { rows } = await db.query(
    `select count(*)::int as deliveries from (select from (${counted}) c limit ${p.add(most)}) d`,
    p.values,
  );
  return rows[0].deliveries;
}
