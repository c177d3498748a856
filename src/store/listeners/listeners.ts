import { LISTENER_LASTS_MS, LISTENERS_OF_TENANT } from '../../domain/listeners/listener.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** A listener, with the endpoint that is its own. */
export interface Listener {
  id: Id<'listener'>;
  tenantId: Id<'tenant'>;
  endpointId: Id<'endpoint'>;
  connected: boolean;
  expiresAt: Date;
}

interface ListenerRow {
  id: Id<'listener'>;
  tenant_id: Id<'tenant'>;
  endpoint_id: Id<'endpoint'>;
  connected: boolean;
  expires_at: Date;
}

/** Of a listener `l` with its endpoint `n`: whether anything is handed to it. */
const OPEN = `l.ended_at is null and l.expires_at > clock_timestamp() and n.state <> 'deleted'`;
const EXPIRY = `clock_timestamp() + ${LISTENER_LASTS_MS} * interval '1 millisecond'`;

/** Opens a listener for an endpoint, in a free place of its tenant; undefined where there is none. */
export async function insertListener(
  tx: Transaction,
  listener: Pick<Listener, 'id' | 'tenantId' | 'endpointId'>,
): Promise<Listener | undefined> {
  // Those who open one at the same time find their places one after the other.
  await tx.query('select from tenant_counters where tenant_id = $1 for no key update', [listener.tenantId]);
  const { rows } = await tx.query<ListenerRow>(
    `insert into listeners (id, tenant_id, endpoint_id, place, expires_at)
     select $1, $2, $3, p.place, ${EXPIRY} from generate_series(1, ${LISTENERS_OF_TENANT}) as p(place)
     where not exists (select from listeners l where l.tenant_id = $2 and l.place = p.place and l.ended_at is null)
     order by p.place limit 1
     returning id, tenant_id, endpoint_id, connected, expires_at`,
    [listener.id, listener.tenantId, listener.endpointId],
  );
  return rows[0] && listenerFrom(rows[0]);
}

/** A listener of a tenant that has not ended. */
export async function findListener(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'listener'>,
): Promise<Listener | undefined> {
  const { rows } = await db.query<ListenerRow>(
    `select l.id, l.tenant_id, l.endpoint_id, l.connected, l.expires_at
     from listeners l join endpoints n on n.id = l.endpoint_id where l.id = $2 and l.tenant_id = $1 and ${OPEN}`,
    [tenantId, id],
  );
  return rows[0] && listenerFrom(rows[0]);
}

/** Gives a listener to a connection; false where another has it, or where it has ended. */
export async function connectListener(db: Queryable, id: Id<'listener'>): Promise<boolean> {
  const { rowCount } = await db.query(
    `update listeners l set connected = true, expires_at = ${EXPIRY}
     from endpoints n where l.id = $1 and n.id = l.endpoint_id and not l.connected and ${OPEN}`,
    [id],
  );
  return rowCount === 1;
}

/** Puts the end of a listener off, for somebody has said that they are there; false where it has ended. */
export async function keepListener(db: Queryable, id: Id<'listener'>): Promise<boolean> {
  const { rowCount } = await db.query(
    `update listeners l set expires_at = ${EXPIRY} from endpoints n where l.id = $1 and n.id = l.endpoint_id and ${OPEN}`,
    [id],
  );
  return rowCount === 1;
}

/** Why a listener has ended while its connection was there: nobody said that they are, or somebody deleted its endpoint. */
export async function whyEnded(db: Queryable, id: Id<'listener'>): Promise<'expired' | 'endpoint_deleted'> {
  const { rows } = await db.query<{ expired: boolean }>(
    'select expires_at <= clock_timestamp() as expired from listeners where id = $1',
    [id],
  );
  return rows[0]?.expired ? 'expired' : 'endpoint_deleted';
}

/** Ends a listener, whose endpoint is gone already, with the requests that nobody will answer. */
export async function endListenerRow(db: Queryable, id: Id<'listener'>): Promise<void> {
  await db.query(
    'update listeners set ended_at = now(), connected = false where id = $1 and ended_at is null',
    [id],
  );
}

/** Listeners that nobody keeps, and those whose endpoint somebody has deleted; of one tenant, or of all. */
export async function expiredListeners(
  db: Queryable,
  limit: number,
  tenantId?: Id<'tenant'>,
): Promise<Listener[]> {
  const { rows } = await db.query<ListenerRow>(
    `select l.id, l.tenant_id, l.endpoint_id, l.connected, l.expires_at
     from listeners l join endpoints n on n.id = l.endpoint_id
     where l.ended_at is null and (l.expires_at <= clock_timestamp() or n.state = 'deleted')
       and ($2::uuid is null or l.tenant_id = $2)
     order by l.expires_at limit $1`,
    [limit, tenantId ?? null],
  );
  return rows.map(listenerFrom);
}

function listenerFrom(row: ListenerRow): Listener {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    endpointId: row.endpoint_id,
    connected: row.connected,
    expiresAt: row.expires_at,
  };
}
