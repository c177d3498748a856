import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import { closedEndpointsOf, holdEndpoints } from '../store/sending/disabled-endpoints.ts';
import { ignoreAtClosedEndpoints } from '../store/settling/settlement.ts';

const BATCH = 1_000;

/**
 * Ignores what an operation has waiting at endpoints that take nothing, where its patience has ended or they are gone. For
 * operations that the live lane works: what others have is seen to by their slices. Does nothing, in one look, for most.
 */
export async function endPatience(pool: Pool, operationId: Id<'operation'>): Promise<void> {
  const closed = await closedEndpointsOf(pool, operationId);
  if (closed.length === 0) return;
  await withTransaction(pool, async (db) => {
    await holdEndpoints(db, closed);
    await ignoreAtClosedEndpoints(db, operationId, closed, BATCH);
  });
}
