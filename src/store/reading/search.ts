import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** What can be found by its exact words, and by which of them. */
export type Found = { title: string; state?: string } & (
  | { kind: 'delivery'; id: Id<'delivery'>; matched: 'id' | 'webhookId' }
  | { kind: 'execution'; id: Id<'execution'>; matched: 'id' }
  | { kind: 'event'; id: Id<'event'>; matched: 'id' | 'externalId' | 'key' }
  | { kind: 'operation'; id: Id<'operation'>; matched: 'id' | 'ticket' }
  | { kind: 'plan'; id: Id<'operation'>; matched: 'id' | 'ticket' }
  | { kind: 'endpoint'; id: Id<'endpoint'>; matched: 'id' | 'handle' | 'listener' }
  | { kind: 'outage'; id: Id<'outage'>; matched: 'id' }
  | { kind: 'import'; id: Id<'import'>; matched: 'id' }
  | { kind: 'key'; id: Id<'key'>; matched: 'id' }
  | { kind: 'auditEntry'; id: Id<'auditEntry'>; matched: 'id' }
);

/** A text as it was typed, and the uuid in it for each kind of thing that it can be the id of. */
export interface Sought {
  text: string;
  ids: Partial<Record<Found['kind'] | 'listener', string>>;
}

type FoundRow = Omit<Found, 'state'> & { state: string | null };

/**
 * Finds what a tenant has by an exact id or name: each kind is one look-up in an index, however much there is. Of each
 * kind and name the newest `most` are found; ids come first.
 */
export async function findExactly(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { text, ids }: Sought,
  most: number,
): Promise<Found[]> {
  const { rows } = await db.query<FoundRow>(
    `with operation as (
       (select o.*, 'id' as matched from operations o where o.id = $3 and o.tenant_id = $1)
       union all
       (select o.*, 'ticket' from operations o where o.tenant_id = $1 and o.ticket = $2 order by o.id desc limit $9)
     ), event as (
       (select v.id, v.type, 'id' as matched from events v where v.id = $4 and v.tenant_id = $1)
       union all
       (select v.id, v.type, 'externalId' from event_identities i join events v on v.id = i.event_id
         where i.tenant_id = $1 and i.external_id = $2 order by v.id desc limit $9)
       union all
       (select v.id, v.type, 'key' from events v where v.tenant_id = $1 and v.key = $2
         order by v.accepted_at desc, v.id desc limit $9)
     )
     select 'delivery' as kind, d.id, 'id' as matched, v.type as title, d.state from deliveries d
       join events v on v.id = d.event_id where d.id = $5 and d.tenant_id = $1
     union all
     -- Sent with the id that it had elsewhere, which is that of its event.
     (select 'delivery', d.id, 'webhookId', i.type, d.state from event_identities i
       join deliveries d on d.event_id = i.event_id and d.replay_of is null and d.webhook_id = i.external_id
       where i.tenant_id = $1 and i.external_id = $2 order by d.id desc limit $9)
     union all
     select 'execution', e.id, 'id', v.type, e.state from executions e join deliveries d on d.id = e.delivery_id
       join events v on v.id = d.event_id where e.id = $6 and e.tenant_id = $1
     union all
     select 'event', id, matched, type, null from event
     union all
     select case when o.state = 'planned' then 'plan' else 'operation' end, o.id, o.matched, o.kind, o.state from operation o
     union all
     (select 'endpoint', n.id, case when n.id = $7 then 'id' else 'handle' end, n.handle, n.state from endpoints n
       where n.tenant_id = $1 and n.id = $7)
     union all
     (select 'endpoint', n.id, 'handle', n.handle, n.state from endpoints n
       where n.tenant_id = $1 and n.handle = $2 and n.state <> 'deleted')
     union all
     select 'endpoint', n.id, 'listener', n.handle, n.state from listeners l join endpoints n on n.id = l.endpoint_id
       where l.id = $12 and l.tenant_id = $1
     union all
     select 'import', i.id, 'id', i.format, i.state from imports i where i.id = $13 and i.tenant_id = $1
     union all
     select 'outage', u.id, 'id', u.cause, u.state from outages u where u.id = $11 and u.tenant_id = $1
     union all
     select 'key', k.id, 'id', k.name, case when k.revoked_at is null then 'valid' else 'revoked' end from api_keys k
       where k.id = $8 and k.tenant_id = $1
     union all
     select 'auditEntry', a.id, 'id', a.action, null from audit_entries a where a.id = $10 and a.tenant_id = $1`,
    [
      tenantId,
      text,
      ids.operation ?? null,
      ids.event ?? null,
      ids.delivery ?? null,
      ids.execution ?? null,
      ids.endpoint ?? null,
      ids.key ?? null,
      most,
      ids.auditEntry ?? null,
      ids.outage ?? null,
      ids.listener ?? null,
      ids.import ?? null,
    ],
  );
  return rows
    .map(({ state, ...found }) => ({ ...found, ...(state === null ? {} : { state }) }) as Found)
    .sort((one, other) => Number(other.matched === 'id') - Number(one.matched === 'id'));
}
