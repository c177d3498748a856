import { v7 as uuidv7 } from 'uuid';
import { generateSecret } from '../../../src/outbound/signature.ts';
import { createSealer } from '../../../src/sealing/sealing.ts';
import { endpointSecretContext } from '../../../src/sealing/sealing-contexts.ts';
import type { Pool } from '../../../src/store/db/pool.ts';

/** Endpoints of one tenant that want events of one type, to be made in great numbers. */
export interface ManyEndpoints {
  masterKey: Buffer;
  /** A uuid. */
  tenantId: string;
  eventType: string;
  count: number;
  /** Address of the n-th at a host of its own on the loopback network, so that each is an origin of its own. */
  urlAt(host: string, n: number): string;
}

/** Makes endpoints with a timeout of one second and three attempts as one statement: by the API it would take minutes. */
export async function addEndpoints(
  pool: Pool,
  { masterKey, tenantId, eventType, count, urlAt }: ManyEndpoints,
): Promise<void> {
  const sealer = createSealer(masterKey);
  const ids = Array.from({ length: count }, () => uuidv7());
  await pool.query(
    `with given as (
      select * from unnest($2::uuid[], $3::text[], $4::bytea[]) with ordinality as u(id, url, sealed, n)
    ), made as (
      insert into endpoints (id, tenant_id, handle) select id, $1, $5 || '-' || n from given
    ), pace as (insert into endpoint_pacing (endpoint_id) select id from given),
    secret as (insert into endpoint_secrets (endpoint_id, sealed) select id, sealed from given)
    insert into endpoint_versions (endpoint_id, version, tenant_id, url, event_types, timeout_ms, max_attempts, initial_ms,
      factor, cap_ms, give_up_after_ms, on_ambiguous, reconcile_within_ms)
    select id, 1, $1, url, array[$5::text], 1000, 3, 10, 1, 10, 86400000, 'resend', 3600000 from given`,
    [
      tenantId,
      ids,
      ids.map((_, n) => urlAt(`127.1.${Math.floor(n / 200)}.${1 + (n % 200)}`, n)),
      ids.map((id) => sealer.seal(generateSecret(), endpointSecretContext(id))),
      eventType,
    ],
  );
}
