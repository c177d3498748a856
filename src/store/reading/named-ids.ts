import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** Things that have a name besides their id: endpoints have handles, events the ids that their senders gave them. */
export type NamedKind = 'endpoint' | 'event';

/** A name as it was sent, and the uuid in it where it can be read as an id. */
export interface Named<Kind extends NamedKind> {
  text: string;
  id?: Id<Kind>;
}

/** The ids that names stand for, by their texts; a name that stands for nothing of the tenant's is left out. */
export type NamedIds<Kind extends NamedKind> = Map<string, Id<Kind>[]>;

type FoundRow<Kind extends NamedKind> = { text: string; ids: Id<Kind>[] };

/**
 * The endpoints of a tenant that are named by id or handle. A handle stands for the endpoint that has it, or where that
 * is deleted for the newest that had it.
 */
export async function endpointsNamed(
  db: Queryable,
  tenantId: Id<'tenant'>,
  names: readonly Named<'endpoint'>[],
): Promise<NamedIds<'endpoint'>> {
  const { rows } = await db.query<FoundRow<'endpoint'>>(
    `select u.text, array[f.id] as ids from unnest($2::text[], $3::uuid[]) as u(text, id)
     cross join lateral (
       select n.id from endpoints n
       where n.tenant_id = $1 and (n.id = u.id or (u.id is null and n.handle = u.text))
       order by n.state = 'deleted', n.id desc limit 1
     ) f`,
    parametersOf(tenantId, names),
  );
  return byText(rows);
}

/**
 * The events of a tenant that are named by id or by their sender's own id. An id of ours wins; one that is not the
 * tenant's may still be the name that a sender gave. Such a name stands for the first event that has it, for each type
 * and source in the order of their acceptance, and behind it for those that were sent again and stand for it.
 */
export async function eventsNamed(
  db: Queryable,
  tenantId: Id<'tenant'>,
  names: readonly Named<'event'>[],
): Promise<NamedIds<'event'>> {
  const { rows } = await db.query<FoundRow<'event'>>(
    `select u.text, f.ids from unnest($2::text[], $3::uuid[]) as u(text, id)
     left join events own on own.id = u.id and own.tenant_id = $1
     cross join lateral (
       select array[own.id] as ids where own.id is not null
       union all
       select array_agg(n.id order by n.first_id, n.id) from (
         select i.event_id as first_id, unnest(i.event_id || array(
           select r.event_id from event_resends r where r.first_event_id = i.event_id)) as id
         from event_identities i
         where own.id is null and i.tenant_id = $1 and i.external_id = u.text
       ) n having count(*) > 0
     ) f`,
    parametersOf(tenantId, names),
  );
  return byText(rows);
}

function parametersOf(tenantId: Id<'tenant'>, names: readonly Named<NamedKind>[]): unknown[] {
  return [tenantId, names.map(({ text }) => text), names.map(({ id }) => id ?? null)];
}

function byText<Kind extends NamedKind>(rows: FoundRow<Kind>[]): NamedIds<Kind> {
  return new Map(rows.map(({ text, ids }) => [text, ids]));
}
