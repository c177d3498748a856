import type { Endpoint } from '../../domain/endpoints/endpoint.ts';
import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import type { CircuitState } from '../../domain/sending/endpoint-health.ts';
import { BOOKED_AT_MOST_MS } from '../../domain/sending/pacing.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { ENDPOINT_FACTS, type EndpointFactsRow, waitsOfEndpoint } from '../reading/waits.ts';
import { configFrom, isCurrent, type VersionRow } from './endpoint-versions.ts';

const SELECT = `select n.id, n.handle, n.luid, n.state, n.disabled_reason, n.current_version, n.created_at as made_at,
    n.updated_at, v.*,
    case when p.openings = 0 then 'closed' when p.floor_until > clock_timestamp() then 'open' else 'half_open' end as circuit,
    ${ENDPOINT_FACTS}
  from endpoints n join endpoint_versions v on ${isCurrent('v', 'n')}
  join endpoint_pacing p on p.endpoint_id = n.id`;

/** Makes an endpoint, and its row of pace, without a version yet; undefined where the handle is taken. */
export async function insertEndpoint(
  db: Transaction,
  tenantId: Id<'tenant'>,
  endpoint: { id: Id<'endpoint'>; handle: string },
): Promise<{ id: Id<'endpoint'> } | undefined> {
  const { rows } = await db.query<{ id: Id<'endpoint'> }>(
    `with e as (
      insert into endpoints (id, tenant_id, handle) values ($1, $2, $3)
      on conflict (tenant_id, handle) where state <> 'deleted' do nothing returning id
    ), pace as (insert into endpoint_pacing (endpoint_id) select id from e)
    select id from e`,
    [endpoint.id, tenantId, endpoint.handle],
  );
  return rows[0];
}

/** One endpoint of a tenant, deleted ones too. */
export async function findEndpoint(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'endpoint'>,
): Promise<Endpoint | undefined> {
  const { rows } = await db.query<EndpointRow>(`${SELECT} where n.tenant_id = $1 and n.id = $2`, [
    tenantId,
    id,
  ]);
  return rows[0] && endpointFrom(rows[0]);
}

/** Endpoints of a tenant that are not deleted, in the order they were made, behind a given one. */
export async function listEndpoints(
  db: Queryable,
  tenantId: Id<'tenant'>,
  page: { after?: Id<'endpoint'>; limit: number },
): Promise<Endpoint[]> {
  const { rows } = await db.query<EndpointRow>(
    `${SELECT} where n.tenant_id = $1 and n.state <> 'deleted' and ($2::uuid is null or n.id > $2)
     order by n.id limit $3`,
    [tenantId, page.after ?? null, page.limit],
  );
  return rows.map(endpointFrom);
}

/** The current version's number, holding the endpoint until the end of the transaction; deleted ones are not found. */
export async function lockEndpoint(
  db: Transaction,
  tenantId: Id<'tenant'>,
  id: Id<'endpoint'>,
): Promise<number | undefined> {
  const { rows } = await db.query<{ current_version: number }>(
    `select current_version from endpoints where tenant_id = $1 and id = $2 and state <> 'deleted' for no key update`,
    [tenantId, id],
  );
  return rows[0]?.current_version;
}

/** Makes the next version the current one; false where it is not the next. */
export async function advanceVersion(
  db: Transaction,
  tenantId: Id<'tenant'>,
  id: Id<'endpoint'>,
  version: number,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `with changed as (
      update endpoints set current_version = $3, updated_at = now()
      where tenant_id = $1 and id = $2 and current_version = $3 - 1 and state <> 'deleted' returning id
    ), paced as (
      -- A new rate counts from the end of the sends booked under the old one, whose next free time may be minutes away.
      update endpoint_pacing p set arrival_at = least(p.arrival_at, now() + ${BOOKED_AT_MOST_MS} * interval '1 millisecond')
      from changed c where p.endpoint_id = c.id
    )
    select id from changed`,
    [tenantId, id, version],
  );
  return rowCount === 1;
}

/** Enables, disables or deletes an endpoint that is in one of `from`; the same state again is no failure. */
export async function setEndpointState(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'endpoint'>,
  state: Endpoint['state'],
  from: readonly Endpoint['state'][] = ['enabled', 'disabled'],
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update endpoints set state = $3, updated_at = now(),
      disabled_reason = case when $3 = 'disabled' then coalesce(disabled_reason, 'operator') end,
      disabled_at = case when $3 = 'disabled' then coalesce(disabled_at, clock_timestamp()) end
     where tenant_id = $1 and id = $2 and state = any($4)`,
    [tenantId, id, state, from],
  );
  return rowCount === 1;
}

interface EndpointRow extends VersionRow, EndpointFactsRow {
  id: Id<'endpoint'>;
  handle: string;
  luid: string;
  state: EndpointState;
  disabled_reason: 'operator' | 'gone' | null;
  current_version: number;
  circuit: CircuitState;
  made_at: Date;
  updated_at: Date;
}

function endpointFrom(row: EndpointRow): Endpoint {
  return {
    id: row.id,
    handle: row.handle,
    luid: row.luid,
    state: row.state,
    ...(row.disabled_reason ? { disabledReason: row.disabled_reason } : {}),
    version: row.current_version,
    circuit: row.circuit,
    waitingFor: waitsOfEndpoint(row),
    config: configFrom(row),
    createdAt: row.made_at,
    updatedAt: row.updated_at,
  };
}
