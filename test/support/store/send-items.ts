import { randomUUID } from 'node:crypto';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { Pool } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { type ClaimedItem, claimItems } from '../../../src/store/sending/claims.ts';
import { endClaims, recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { ENDPOINT, type Ending, outcomeOf } from './test-store.ts';

/** Sends what is due of an operation, or of the live lane, as a sender would where requests end like this. */
export async function sendItems(
  pool: Pool,
  endpointIds: Id<'endpoint'>[],
  ending: (item: ClaimedItem, n: number) => Ending,
  { workedBy = LIVE_LANE, count = 1_000 }: { workedBy?: Id<'operation'>; count?: number } = {},
): Promise<void> {
  const token = randomUUID();
  const grants = endpointIds.map((endpointId) => ({ endpointId, count }));
  const { items } = await claimItems(pool, workedBy, token, grants, 60_000, 1e9);
  const config = { ...ENDPOINT, onAmbiguous: 'hold' as const, retry: { ...ENDPOINT.retry, maxAttempts: 1 } };
  await recordOutcomes(
    pool,
    items.map((item, n) => outcomeOf(token, item, ending(item, n), config)),
  );
  await endClaims(pool, [token]);
}
