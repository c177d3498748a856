import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import { closedEndpointsOf, holdEndpoints } from '../store/sending/disabled-endpoints.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { ignoreAtClosedEndpoints } from '../store/settling/settlement.ts';

const BATCH = 1_000;

/**
 * Ignores items of an operation that wait at endpoints that take nothing, where its patience has ended or they are
 * gone. For operations that the live lane works: items of others are seen to by their slices. For most it does nothing
 * after one look.
 */
export async function endPatience(pool: Pool, operationId: Id<'operation'>): Promise<void> {
  const closed = await closedEndpointsOf(pool, operationId);
  if (closed.length === 0) return;
  const ignored = await withTransaction(pool, async (db) => {
    await holdEndpoints(db, closed);
    return ignoreAtClosedEndpoints(db, operationId, closed, BATCH);
  });
  await dueNext(pool, ignored);
}
