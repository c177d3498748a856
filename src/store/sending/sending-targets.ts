import type { ClientCertificate } from '../../domain/endpoints/endpoint.ts';
import { originOf } from '../../domain/endpoints/url.ts';
import { present } from '../../domain/present.ts';
import type { OnAmbiguous, RetryPolicy } from '../../domain/sending/retry-policy.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { isCurrent, type RetryPolicyRow, retryPolicyOf } from '../tenancy/endpoint-versions.ts';

/** Where and how deliveries to one endpoint version are sent; secrets and headers are still sealed. */
export interface SealedTarget {
  endpointId: Id<'endpoint'>;
  version: number;
  /** Revision of the endpoint that this is of. */
  revision: number;
  /** When the first of its secrets runs out, in milliseconds from now; absent where none does. */
  secretEndsInMs?: number;
  url: string;
  sealedHeaders?: Buffer;
  caCertificate?: string;
  clientCertificate?: ClientCertificate;
  /** Newest first; the ones before it are valid while they rotate out. */
  sealedSecrets: Buffer[];
  timeoutMs: number;
  policy: RetryPolicy;
  onAmbiguous: OnAmbiguous;
  reconcileWithinMs: number;
  requireAck: boolean;
  traceparent: boolean;
  ordered: boolean;
  preset?: string;
}

interface TargetRow extends RetryPolicyRow {
  id: Id<'endpoint'>;
  version: number;
  revision: number;
  url: string;
  url_now: string;
  ca: string | null;
  ca_now: string | null;
  certificate: string | null;
  certificate_now: string | null;
  sealed_key: Buffer | null;
  sealed_key_now: Buffer | null;
  sealed_headers: Buffer | null;
  timeout_ms: number;
  on_ambiguous: OnAmbiguous;
  reconcile_within_ms: number;
  require_ack: boolean;
  traceparent: boolean;
  ordered: boolean;
  preset: string | null;
  secrets: Buffer[];
  secret_ends_in_ms: number | null;
}

/**
 * Reads targets by endpoint and version: address and headers are of the version asked for; secrets, time limit and
 * policies are the current ones. So are certificates while the origin is the same: they run out, and an old one must not
 * come back; those of another origin were given for that one.
 */
export async function loadTargets(
  db: Queryable,
  wanted: { endpointId: Id<'endpoint'>; version: number }[],
): Promise<SealedTarget[]> {
  const { rows } = await db.query<TargetRow>(
    `select n.id, v.version, n.revision, v.url, v.sealed_headers, c.timeout_ms, c.max_attempts, c.initial_ms, c.factor, c.cap_ms,
      c.url as url_now, v.ca_certificate as ca, c.ca_certificate as ca_now, v.client_certificate as certificate,
      c.client_certificate as certificate_now, v.sealed_client_key as sealed_key, c.sealed_client_key as sealed_key_now,
      c.on_ambiguous, c.reconcile_within_ms, c.require_ack, c.traceparent, c.ordered, c.preset,
      array(select s.sealed from endpoint_secrets s where s.endpoint_id = n.id
        and (s.expires_at is null or s.expires_at > now()) order by s.id desc) as secrets,
      (select extract(epoch from min(s.expires_at) - now())::float8 * 1000 from endpoint_secrets s
        where s.endpoint_id = n.id and s.expires_at > now()) as secret_ends_in_ms
     from unnest($1::uuid[], $2::int[]) as w(endpoint_id, version)
     join endpoints n on n.id = w.endpoint_id
     join endpoint_versions v on v.endpoint_id = n.id and v.version = w.version
     join endpoint_versions c on ${isCurrent('c', 'n')}`,
    [wanted.map((w) => w.endpointId), wanted.map((w) => w.version)],
  );
  return rows.map((row) => ({
    endpointId: row.id,
    version: row.version,
    revision: row.revision,
    url: row.url,
    sealedSecrets: row.secrets,
    timeoutMs: row.timeout_ms,
    policy: retryPolicyOf(row),
    onAmbiguous: row.on_ambiguous,
    reconcileWithinMs: row.reconcile_within_ms,
    requireAck: row.require_ack,
    traceparent: row.traceparent,
    ordered: row.ordered,
    ...present({
      secretEndsInMs: row.secret_ends_in_ms,
      sealedHeaders: row.sealed_headers,
      ...certificatesOf(row),
      preset: row.preset || null,
    }),
  }));
}

function certificatesOf(row: TargetRow): {
  caCertificate: string | null;
  clientCertificate: ClientCertificate | null;
} {
  const current = originOf(row.url) === originOf(row.url_now);
  const certificate = current ? row.certificate_now : row.certificate;
  const sealedKey = current ? row.sealed_key_now : row.sealed_key;
  return {
    caCertificate: current ? row.ca_now : row.ca,
    clientCertificate: certificate && sealedKey ? { certificate, sealedKey } : null,
  };
}
