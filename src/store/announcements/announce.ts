import { type Announcement, announcedData, factOf } from '../../domain/announcements/announcement.ts';
import { ANNOUNCED_TYPES, SYSTEM_EVENT_TYPES } from '../../domain/endpoints/event-type.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Transaction } from '../db/queryable.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';

/** The `source` of the events that tell facts. */
export const OWN_SOURCE = 'redrive';

const quoted = (types: readonly string[]) => `array[${types.map((type) => `'${type}'`).join(', ')}]`;

/** Written as the index has it. */
const NAMES_ONE = `v.event_types && ${quoted(ANNOUNCED_TYPES)}`;

/**
 * Notes a fact that is to be told, in the transaction that commits it: a worker makes the event behind it. Nothing is
 * noted where no endpoint names the type, where it was told before, and where it is about nothing but events of
 * Redrive's own: their failures are told to nobody. Returns whether it was noted.
 */
export async function announce(tx: Transaction, announcement: Announcement): Promise<boolean> {
  if (!(await isAskedFor(tx, announcement))) return false;
  if (await isOfOwnEvents(tx, announcement)) return false;
  const { rowCount } = await tx.query(
    `insert into announcements (tenant_id, type, fact, except_endpoint_id, data)
     select $1, $2, $3, $4, $5
     where not exists (select from event_identities i where i.tenant_id = $1 and i.external_id = $3 and i.type = $2
       and i.source = '${OWN_SOURCE}')
     on conflict (tenant_id, type, fact) do nothing`,
    [
      announcement.tenantId,
      announcement.type,
      factOf(announcement),
      exceptOf(announcement) ?? null,
      JSON.stringify(announcedData(announcement)),
    ],
  );
  return rowCount === 1;
}

async function isAskedFor(tx: Transaction, announcement: Announcement): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'who-is-told',
    text: `select from endpoint_versions v join endpoints e on ${isCurrent('v', 'e')}
     where v.tenant_id = $1 and ${NAMES_ONE} and $2 = any(v.event_types) and e.state <> 'deleted'
       and e.id is distinct from $3::uuid
     limit 1`,
    values: [announcement.tenantId, announcement.type, exceptOf(announcement) ?? null],
  });
  return rowCount === 1;
}

function exceptOf(announcement: Announcement): Id<'endpoint'> | undefined {
  return 'outage' in announcement ? announcement.endpointId : undefined;
}

function isOfOwnEvents(tx: Transaction, announcement: Announcement): Promise<boolean> | boolean {
  if ('outage' in announcement)
    return announcement.since ? onlyOwnSince(tx, announcement.endpointId, announcement.since) : false;
  return onlyOwnSelected(tx, announcement.operationId);
}

/** The condition, in SQL, that a delivery is of an event that Redrive made itself. */
const isOwn = (deliveryId: string) =>
  `(select o.type from deliveries w join events o on o.id = w.event_id where w.id = ${deliveryId})
    = any(${quoted(SYSTEM_EVENT_TYPES)})`;

/** Whether an operation has selected something, and nothing but events of Redrive's own. The first other one ends the look. */
async function onlyOwnSelected(tx: Transaction, operationId: Id<'operation'>): Promise<boolean> {
  const items = 'from execution_records e where e.operation_id = $1';
  const exclusions = 'from exclusions x where x.operation_id = $1';
  const planned = 'from plan_pages g cross join lateral unnest(g.ids) as u(id) where g.operation_id = $1';
  const { own } = onlyRow(
    await tx.query<{ own: boolean }>(
      `select case
        when exists (select ${items} and not ${isOwn('e.delivery_id')}) then false
        when exists (select ${exclusions} and not ${isOwn('x.delivery_id')}) then false
        when exists (select ${planned} and not ${isOwn('u.id')}) then false
        else exists (select ${items}) or exists (select ${exclusions}) or exists (select ${planned}) end as own`,
      [operationId],
    ),
  );
  return own;
}

/** Whether nothing but events of Redrive's own is, or since a time was, to go to an endpoint. */
async function onlyOwnSince(tx: Transaction, endpointId: Id<'endpoint'>, since: Date): Promise<boolean> {
  const { own } = onlyRow(
    await tx.query<{ own: boolean }>(
      `select not exists (select from undelivered u where u.endpoint_id = $1 and u.state in ('failed', 'pending')
          and not ${isOwn('u.delivery_id')})
        and not exists (select from deliveries d where d.endpoint_id = $1 and d.accepted_at >= $2
          and not ${isOwn('d.id')}) as own`,
      [endpointId, since],
    ),
  );
  return own;
}
