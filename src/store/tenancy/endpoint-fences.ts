import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';

/**
 * Keeps events that were accepted until now away from the origin that an endpoint gets now: they still go to `version`,
 * which is still the current one, or nowhere where the endpoint is being made. The caller holds the endpoint.
 */
export async function fenceEarlierEvents(
  db: Transaction,
  endpointId: Id<'endpoint'>,
  version: number | undefined,
): Promise<void> {
  await db.query(
    `insert into endpoint_fences (endpoint_id, accepted_before, version) values ($1, clock_timestamp(), $2)`,
    [endpointId, version ?? null],
  );
}

/** Lets earlier events go where an endpoint is now. */
export async function liftFences(db: Transaction, endpointId: Id<'endpoint'>): Promise<void> {
  await db.query('delete from endpoint_fences where endpoint_id = $1', [endpointId]);
}
