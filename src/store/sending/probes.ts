import { present } from '../../domain/present.ts';
import type { ProbeRequest } from '../../domain/sending/probe.ts';
import type { RetryPolicy } from '../../domain/sending/retry-policy.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import { LIVE_LANE, type Queryable, type Transaction } from '../db/queryable.ts';
import { kept } from '../settling/ends.ts';
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
      select q.delivery_id from queue q
      where q.probe_at <= clock_timestamp() and q.state = 'unknown'
      order by q.probe_at limit $1 for update skip locked
    ), taken as (
      update queue q set probes = q.probes + 1,
        probe_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
      from due d where ${lookedUp('q.delivery_id', 'd.delivery_id')}
      returning q.*
    )
    select t.execution_id as id, t.delivery_id, (select d.webhook_id from deliveries d where d.id = t.delivery_id) as webhook_id, t.endpoint_id, t.attempts - t.lost_attempts as attempts, t.probes, n.current_version as version, n.revision, v.probe_url,
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

/** SQL: false where nothing has arrived, by the endpoint's own word. */
const HAS_ARRIVED = `$3 not in ('failed', 'scheduled')`;

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
  const ends = outcome.state === 'delivered' || outcome.state === 'failed';
  const { rowCount } = await tx.query(
    ends
      ? `with gone as (
           delete from queue q where q.delivery_id = $1 and q.execution_id = $2 and q.state = 'unknown' returning q.*
         )
         update execution_records r set outcome = $3, reason = case $3 when 'failed' then 'exhausted' end,
           finished_at = clock_timestamp(), ${kept('g', { may_have_arrived: `g.may_have_arrived and ${HAS_ARRIVED}` })}
         from gone g where r.id = g.execution_id`
      : `update queue q set
           state = $3,
           due_at = case $3 when 'scheduled' then now() else q.due_at end,
           give_up_at = case $3 when 'scheduled' then greatest(q.give_up_at, now() + interval '1 hour') else q.give_up_at end,
           worked_by = case when $3 = 'scheduled' and not exists (
             select from operations o where o.id = q.operation_id and o.report is null)
             then '${LIVE_LANE}' else q.worked_by end,
           may_have_arrived = q.may_have_arrived and ${HAS_ARRIVED},
           reconcile_until = case $3 when 'unknown' then q.reconcile_until end,
           probe_at = case when $3 = 'unknown' and clock_timestamp() + $4::float8 * interval '1 millisecond' < q.reconcile_until
             then clock_timestamp() + $4::float8 * interval '1 millisecond' end
         where q.delivery_id = $1 and q.execution_id = $2 and q.state = 'unknown'`,
    [
      deliveryId,
      executionId,
      outcome.state,
      ...(ends ? [] : [outcome.state === 'unknown' ? outcome.askInMs : 0]),
    ],
  );
  if (outcome.state !== 'unknown' && rowCount === 1) await refoldDeliveries(tx, [deliveryId]);
  return rowCount === 1;
}
