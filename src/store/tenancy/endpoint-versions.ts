import type { EndpointConfig, OnExhausted } from '../../domain/endpoints/endpoint.ts';
import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import type { EventFilter } from '../../domain/endpoints/event-filter.ts';
import type { Partner } from '../../domain/endpoints/preparation.ts';
import { listenerOf } from '../../domain/listeners/listener.ts';
import type { OnRecovered } from '../../domain/outages/outage-state.ts';
import type { OnAmbiguous, RetryPolicy } from '../../domain/sending/retry-policy.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Writes one immutable version of an endpoint, which is, or is about to be, the current one. */
export async function insertEndpointVersion(
  db: Transaction,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
  version: number,
  config: EndpointConfig,
): Promise<void> {
  await db.query(
    `with preparing as (
      update endpoints set prepares = $19::jsonb is not null, ordered = $24
      where id = $1 and (prepares <> ($19::jsonb is not null) or ordered <> $24)
    )
    insert into endpoint_versions (endpoint_id, version, tenant_id, url, event_types, filter, timeout_ms, max_attempts,
      initial_ms, factor, cap_ms, give_up_after_ms, on_ambiguous, reconcile_within_ms, rate_per_second, max_concurrency,
      sealed_headers, preset, partner, probe_url, probe_field, require_ack, protect,
      ordered, on_exhausted, on_recovered, ca_certificate, client_certificate, sealed_client_key, traceparent)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19::jsonb, $20, $21, $22, $23, $24, $25, $26,
       $27, $28, $29, $30)`,
    [
      endpointId,
      version,
      tenantId,
      config.url,
      config.eventTypes ?? null,
      config.filter === undefined ? null : JSON.stringify(config.filter),
      config.timeoutMs,
      config.retry.maxAttempts,
      config.retry.initialMs,
      config.retry.factor,
      config.retry.capMs,
      config.giveUpAfterMs,
      config.onAmbiguous,
      config.reconcileWithinMs,
      config.ratePerSecond ?? null,
      config.maxConcurrency ?? null,
      config.sealedHeaders ?? null,
      config.preset ?? null,
      config.partner === undefined ? null : JSON.stringify(config.partner),
      config.probe?.urlTemplate ?? null,
      config.probe?.processedField ?? null,
      config.requireAck,
      config.protect,
      config.ordered,
      config.onExhausted,
      config.onRecovered,
      config.caCertificate ?? null,
      config.clientCertificate?.certificate ?? null,
      config.clientCertificate?.sealedKey ?? null,
      config.traceparent,
    ],
  );
}

/** One version of an endpoint. */
export interface EndpointVersion {
  version: number;
  createdAt: Date;
  config: EndpointConfig;
}

/** The versions of an endpoint of a tenant, newest first, before a given one. */
export async function listEndpointVersions(
  db: Queryable,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
  page: { before?: number; limit: number },
): Promise<EndpointVersion[]> {
  const { rows } = await db.query<VersionRow & { version: number; created_at: Date }>(
    `select * from endpoint_versions
     where endpoint_id = $2 and tenant_id = $1 and ($3::int is null or version < $3)
     order by version desc limit $4`,
    [tenantId, endpointId, page.before ?? null, page.limit],
  );
  return rows.map((row) => ({ version: row.version, createdAt: row.created_at, config: configFrom(row) }));
}

/** The fields of an endpoint that matching an event needs. */
export interface Matchable {
  endpointId: Id<'endpoint'>;
  enabled: boolean;
  /** Present where a caller who may only edit made it: no event that was accepted until then goes to it. */
  takesFrom?: Date;
  eventTypes?: string[];
  filter?: EventFilter;
  giveUpAfterMs: number;
  ordered: boolean;
  /** It is a listener's: its deliveries are tests. */
  listens?: true;
}

interface MatchableRow {
  id: Id<'endpoint'>;
  url: string;
  state: EndpointState;
  event_types: string[] | null;
  filter: EventFilter | null;
  give_up_after_ms: number;
  ordered: boolean;
  takes_from: Date | null;
}

/** The current versions of a tenant's endpoints that are not deleted. */
export async function matchableEndpoints(db: Queryable, tenantId: Id<'tenant'>): Promise<Matchable[]> {
  const { rows } = await db.query<MatchableRow>({
    name: 'matchable-endpoints',
    text: `select e.id, e.state, v.url, v.event_types, v.filter, v.give_up_after_ms, v.ordered,
       (select f.accepted_before from endpoint_fences f where f.endpoint_id = e.id and f.version is null) as takes_from
     from endpoints e join endpoint_versions v on ${isCurrent('v', 'e')}
     where e.tenant_id = $1 and e.state <> 'deleted' order by e.id`,
    values: [tenantId],
  });
  return rows.map((row) => ({
    endpointId: row.id,
    enabled: row.state === 'enabled',
    ...(row.takes_from ? { takesFrom: row.takes_from } : {}),
    ...(row.event_types ? { eventTypes: row.event_types } : {}),
    ...(row.filter ? { filter: row.filter } : {}),
    giveUpAfterMs: row.give_up_after_ms,
    ordered: row.ordered,
    ...(listenerOf(row.url) ? { listens: true } : {}),
  }));
}

/** The columns of a retry policy. */
export interface RetryPolicyRow {
  max_attempts: number;
  initial_ms: number;
  factor: number;
  cap_ms: number;
}

/** The retry policy in a row of `endpoint_versions`. */
export function retryPolicyOf(row: RetryPolicyRow): RetryPolicy {
  return {
    maxAttempts: row.max_attempts,
    initialMs: row.initial_ms,
    factor: row.factor,
    capMs: row.cap_ms,
  };
}

/** The condition, in SQL, of the version that an endpoint has now; by the names that a statement gives to the two. */
export function isCurrent(version: string, endpoint: string): string {
  return `${version}.endpoint_id = ${endpoint}.id and ${version}.version = ${endpoint}.current_version`;
}

/** A row of `endpoint_versions`. */
export interface VersionRow extends RetryPolicyRow {
  url: string;
  event_types: string[] | null;
  filter: EventFilter | null;
  timeout_ms: number;
  give_up_after_ms: number;
  on_ambiguous: OnAmbiguous;
  reconcile_within_ms: number;
  probe_url: string | null;
  probe_field: string | null;
  require_ack: boolean;
  traceparent: boolean;
  protect: boolean;
  ordered: boolean;
  on_exhausted: OnExhausted;
  on_recovered: OnRecovered;
  rate_per_second: number | null;
  max_concurrency: number | null;
  sealed_headers: Buffer | null;
  ca_certificate: string | null;
  client_certificate: string | null;
  sealed_client_key: Buffer | null;
  preset: string | null;
  partner: Partner | null;
}

/** The configuration in a row of `endpoint_versions`. */
export function configFrom(row: VersionRow): EndpointConfig {
  return {
    url: row.url,
    ...(row.event_types ? { eventTypes: row.event_types } : {}),
    ...(row.filter ? { filter: row.filter } : {}),
    timeoutMs: row.timeout_ms,
    retry: retryPolicyOf(row),
    giveUpAfterMs: row.give_up_after_ms,
    onAmbiguous: row.on_ambiguous,
    reconcileWithinMs: row.reconcile_within_ms,
    ...(row.probe_url && row.probe_field
      ? { probe: { urlTemplate: row.probe_url, processedField: row.probe_field } }
      : {}),
    requireAck: row.require_ack,
    traceparent: row.traceparent,
    protect: row.protect,
    ordered: row.ordered,
    onExhausted: row.on_exhausted,
    onRecovered: row.on_recovered,
    ...(row.rate_per_second !== null ? { ratePerSecond: row.rate_per_second } : {}),
    ...(row.max_concurrency !== null ? { maxConcurrency: row.max_concurrency } : {}),
    ...(row.sealed_headers ? { sealedHeaders: row.sealed_headers } : {}),
    ...(row.ca_certificate ? { caCertificate: row.ca_certificate } : {}),
    ...(row.client_certificate && row.sealed_client_key
      ? { clientCertificate: { certificate: row.client_certificate, sealedKey: row.sealed_client_key } }
      : {}),
    ...(row.preset ? { preset: row.preset } : {}),
    ...(row.partner ? { partner: row.partner } : {}),
  };
}
