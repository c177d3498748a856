import { COUNTED_PARTS, type OperationCounts } from '../../../src/domain/operations/operation-counts.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { linesOf } from '../../../src/proof/chunk-lines.ts';
import type { Queryable } from '../../../src/store/db/queryable.ts';

/** The lines of a closed ledger, as they are stored. */
export async function storedLines(db: Queryable, operationId: Id<'operation'>): Promise<string[]> {
  const { rows } = await db.query<{ packed: Buffer }>(
    'select packed from ledger_chunks where operation_id = $1 order by number',
    [operationId],
  );
  return (await Promise.all(rows.map(linesOf))).flat();
}

/**
 * The closed operations whose stored lines are not those that were counted when the counts were frozen; each is looked
 * at once, for its lines never change.
 */
export async function lineViolations(db: Queryable, checked: Set<string>): Promise<string[]> {
  const { rows } = await db.query<{ id: Id<'operation'>; counts: OperationCounts; left: number }>(
    `select o.id, o.report->'counts' as counts, ((select count(*) from frozen_items f where f.operation_id = o.id)
       + (select count(*) from report_drafts d where d.operation_id = o.id))::int as left
     from operations o where o.closed_at is not null`,
  );
  const faults: string[] = [];
  for (const { id, counts, left } of rows.filter((row) => !checked.has(row.id))) {
    checked.add(id);
    const states = (await storedLines(db, id))
      .map((line) => JSON.parse(line))
      .map((line) => (line.kind === 'exclusion' ? 'excluded' : line.state));
    for (const part of COUNTED_PARTS) {
      const lines = states.filter((state) => state === part).length;
      if (lines !== counts[part])
        faults.push(`operation ${id} counts ${counts[part]} ${part}, and has ${lines} such lines`);
    }
    if (left > 0) faults.push(`operation ${id} has closed, and keeps what was for its hashing alone`);
  }
  return faults;
}
