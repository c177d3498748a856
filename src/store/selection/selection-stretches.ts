import { isOfOperation } from '../../domain/operations/selection.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import type { FrozenOperation } from './freeze.ts';
import {
  orderOf,
  partitionsOf,
  type SelectionCursor,
  type SelectionPlace,
  type Stretch,
  selectionPage,
} from './selection-page.ts';

/**
 * The next stretches of a selection, up to `most` of `page` deliveries each. Transactions of their own may freeze them
 * at the same time, because no delivery can be in two of them. Only the last has a limit; another may follow it.
 */
export async function nextStretches(
  db: Queryable,
  operation: FrozenOperation,
  cursor: SelectionCursor,
  page: number,
  most: number,
): Promise<Stretch[]> {
  const { selection } = operation;
  const stretches: Stretch[] = [];
  const partitions = partitionsOf(selection);
  let after = cursor;
  while (stretches.length + 1 < most && ('filter' in selection || isOfOperation(selection))) {
    const upTo = await lastOfPage(db, operation, after, page);
    // A delivery stays with its endpoint; its fault and its state change, and so do the partitions of those.
    const next = partitions[after.partition + 1];
    if (upTo === undefined && next?.endpointId === undefined) break;
    if (upTo === undefined && next?.endpointId === partitions[after.partition]?.endpointId) break;
    stretches.push({ after, ...(upTo ? { upTo } : {}) });
    after = upTo ? { partition: after.partition, ...upTo } : { partition: after.partition + 1 };
  }
  return [...stretches, { after, limit: page }];
}

interface PlaceRow {
  accepted_at: string;
  id: Id<'delivery'>;
  tenant_id: Id<'tenant'>;
}

/** The place of the last delivery of a page that is full. */
async function lastOfPage(
  db: Queryable,
  { tenantId, selection, watermark }: FrozenOperation,
  after: SelectionCursor,
  page: number,
): Promise<SelectionPlace | undefined> {
  const p = new Parameters();
  const { rows } = await db.query<PlaceRow>(
    // The text is made for the one row that is wanted: in the inner list it would be made for the whole page.
    `select l.accepted_at::text as accepted_at, l.id, l.tenant_id
     from (select p.* from (${selectionPage(tenantId, selection, { after, limit: page }, p, watermark)}) p
       order by ${orderOf(selection)
         .map((column) => `p.${column}`)
         .join(', ')} offset ${p.add(page - 1)}) l`,
    p.values,
  );
  return rows[0] && { tenantId: rows[0].tenant_id, acceptedAt: rows[0].accepted_at, id: rows[0].id };
}
