import type { Queryable } from '../db/queryable.ts';

/** A name as it was sent, and the uuid in it where it can be read as an id. */
export interface Named {
  text: string;
  id?: string;
}

/** What names stand for, by their texts; what names nothing of the tenant's is not there. */
export type NamedIds = Map<string, string[]>;

type FoundRow = { text: string; ids: string[] };

/**
 * The endpoints of a tenant that are named by id or handle. A handle stands for the endpoint that has it, or where that is
 * deleted for the newest that had it.
 */
export async function endpointsNamed(
  db: Queryable,
  tenantId: string,
  names: readonly Named[],
): Promise<NamedIds> {
  const { rows } = await db.query<FoundRow>(
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
 * The events of a tenant that are named by id or by their sender's own id. An id of ours wins; what is none of the
 * tenant's may still be the name that its sender gave. Such a name stands for the first event that has it, and behind it
 * for those that were sent again under it and came to more than a suppressed repeat.
 */
export async function eventsNamed(
  db: Queryable,
  tenantId: string,
  names: readonly Named[],
): Promise<NamedIds> {
  const { rows } = await db.query<FoundRow>(
    `select u.text, f.ids from unnest($2::text[], $3::uuid[]) as u(text, id)
     left join events own on own.id = u.id and own.tenant_id = $1
     cross join lateral (
       select array[own.id] as ids where own.id is not null
       union all
       select i.event_id || array(
         select v.id from events v
         where v.duplicate_of = i.event_id and v.tenant_id = $1
           and exists (select from deliveries d where d.event_id = v.id and d.state <> 'ignored')
         order by v.id limit 100)
       from event_identities i
       where own.id is null and i.tenant_id = $1 and i.external_id = u.text
     ) f`,
    parametersOf(tenantId, names),
  );
  return byText(rows);
}

function parametersOf(tenantId: string, names: readonly Named[]): unknown[] {
  return [tenantId, names.map(({ text }) => text), names.map(({ id }) => id ?? null)];
}

function byText(rows: FoundRow[]): NamedIds {
  return new Map(rows.map(({ text, ids }) => [text, ids]));
}
