import { present } from '../../domain/present.ts';
import type { ProbeRequest } from '../../domain/sending/probe.ts';
import type { RetryPolicy } from '../../domain/sending/retry-policy.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { LIVE_LANE, type Queryable, type Transaction } from '../db/queryable.ts';
import { refoldDeliveries } from '../settling/folding.ts';
import { isCurrent, type RetryPolicyRow, retryPolicyOf } from '../tenancy/endpoint-versions.ts';

/** A delivery whose endpoint is to be asked what became of it. */
export interface DueProbe {
  executionId: Id<'execution'>;
  deliveryId: Id<'delivery'>;
  /** What its receiver knows it by, where that is not its own id. */
  webhookId?: string;
  endpointId: Id<'endpoint'>;
  /** The current version of the endpoint, whose headers and secrets are used. */
  version: number;
  /** The revision of the endpoint that this is of. */
  revision: number;
  /** Without those whose sender was lost. */
  attempts: number;
  /** Status requests made for it before. */
  probes: number;
  request: ProbeRequest;
  timeoutMs: number;
  policy: RetryPolicy;
}

interface ProbeRow extends RetryPolicyRow {
  id: Id<'execution'>;
  delivery_id: Id<'delivery'>;
  webhook_id: string | null;
  endpoint_id: Id<'endpoint'>;
  attempts: number;
  probes: number;
  version: number;
  revision: number;
  probe_url: string;
  /** Never null where there is an address. */
  probe_field: string;
  timeout_ms: number;
}

/**
 * Takes up to `limit` due status requests, of any owner, for `holdMs`: a request that is lost is made
 * again after that. Endpoints that cannot be asked any more are left to their window.
 */
export async function takeDueProbes(db: Queryable, limit: number, holdMs: number): Promise<DueProbe[]> {
  const { rows } = await db.query<ProbeRow>(
    `with due as (
      select e.id from executions e
      where e.probe_at <= clock_timestamp() and e.state = 'unknown'
      order by e.probe_at limit $1 for update skip locked
    ), taken as (
      update executions e set probes = e.probes + 1,
        probe_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
      from due d where e.id = d.id
      returning e.*
    )
    select t.id, t.delivery_id, (select d.webhook_id from deliveries d where d.id = t.delivery_id) as webhook_id, t.endpoint_id, t.attempts - t.lost_attempts as attempts, t.probes, n.current_version as version, n.revision, v.probe_url,
      v.probe_field, v.timeout_ms, v.max_attempts, v.initial_ms, v.factor, v.cap_ms
    from taken t join endpoints n on n.id = t.endpoint_id
    join endpoint_versions v on ${isCurrent('v', 'n')}
    where v.probe_url is not null`,
    [limit, holdMs],
  );
  return rows.map((row) => ({
    executionId: row.id,
    deliveryId: row.delivery_id,
    ...present({ webhookId: row.webhook_id }),
    endpointId: row.endpoint_id,
    version: row.version,
    revision: row.revision,
    attempts: row.attempts,
    probes: row.probes - 1,
    request: { urlTemplate: row.probe_url, processedField: row.probe_field },
    timeoutMs: row.timeout_ms,
    policy: retryPolicyOf(row),
  }));
}

/** The decision on an unknown execution: it arrived, it did not and is tried again or given up, or ask again later. */
export type ProbeOutcome =
  | { state: 'delivered' }
  | { state: 'failed' }
  | { state: 'scheduled' }
  | { state: 'unknown'; askInMs: number };

/**
 * Writes the decision of a status request, unless somebody else has settled the execution meanwhile. Within its window
 * an inconclusive one is asked again; after it only an acknowledgement or an operator settles it.
 */
export async function recordProbe(
  tx: Transaction,
  { executionId, deliveryId }: Pick<DueProbe, 'executionId' | 'deliveryId'>,
  outcome: ProbeOutcome,
): Promise<boolean> {
  await tx.query('select from deliveries where id = $1 for no key update', [deliveryId]);
  const { rowCount } = await tx.query(
    `update executions e set
      state = $2,
      reason = case $2 when 'failed' then 'exhausted' else e.reason end,
      finished_at = case when $2 in ('delivered', 'failed') then clock_timestamp() end,
      due_at = case $2 when 'scheduled' then now() else e.due_at end,
      give_up_at = case $2 when 'scheduled' then greatest(e.give_up_at, now() + interval '1 hour') else e.give_up_at end,
      worked_by = case when $2 = 'scheduled' and not exists (
        select from operations o where o.id = e.operation_id and o.report is null)
        then '${LIVE_LANE}' else e.worked_by end,
      -- Nothing has arrived, by the endpoint's own word.
      may_have_arrived = e.may_have_arrived and $2 not in ('failed', 'scheduled'),
      reconcile_until = case $2 when 'unknown' then e.reconcile_until end,
      probe_at = case when $2 = 'unknown' and clock_timestamp() + $3::float8 * interval '1 millisecond' < e.reconcile_until
        then clock_timestamp() + $3::float8 * interval '1 millisecond' end
     where e.id = $1 and e.state = 'unknown'`,
    [executionId, outcome.state, outcome.state === 'unknown' ? outcome.askInMs : 0],
  );
  if (outcome.state !== 'unknown' && rowCount === 1) await refoldDeliveries(tx, [deliveryId]);
  return rowCount === 1;
}
