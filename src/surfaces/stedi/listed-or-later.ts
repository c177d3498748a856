import { type Problem, problem } from '../../api/problems/problem.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Pool } from '../../store/db/pool.ts';
import { listExecutions } from './store/listed-executions.ts';

/**
 * Has a tenant's executions listed by their ends before they are read in that order. Returns what to answer where that takes
 * longer than a call may: each call that comes again goes on with it.
 */
export async function listedOrLater(pool: Pool, tenantId: Id<'tenant'>): Promise<Problem | undefined> {
  if ((await listExecutions(pool, tenantId)) !== 'unfinished') return undefined;
  return problem('temporarily_unavailable', {
    detail:
      'The executions of the account are being put in the order in which they ended, once: send the request again after `Retry-After`.',
    headers: { 'retry-after': '1' },
  });
}
