import type { Approver, Party } from '../../domain/policy/approver.ts';
import { present } from '../../domain/present.ts';
import { type Id, readId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

interface PartyRow {
  actor: string | null;
  key_id: Id<'key'> | null;
}

/** Everybody who has asked for what an operation does: who started or planned it, and who executed its plan. */
export async function requestersOf(db: Queryable, operationId: Id<'operation'>): Promise<Party[]> {
  const { rows } = await db.query<PartyRow>(
    `select o.actor, o.requested_by as key_id from operations o where o.id = $1
     union all
     select p.executed_by, p.executed_key from plans p where p.operation_id = $1 and p.executed_by is not null`,
    [operationId],
  );
  return rows.map(({ actor, key_id: keyId }) => ({ actor: actor ?? '', ...present({ keyId }) }));
}

/** How far back the making of a credential is followed. */
const GENERATIONS = 50;

/** The actor of a token, with the issuer that it names. */
const OF_TOKEN = /^jwt:(iss_[0-9a-z]+):/;

/**
 * Somebody who approves, with everybody who had a hand in making the credential: of a key its maker, the maker of the key
 * by which that one came, and so on; of a token who registered its issuer.
 */
export async function approverOf(db: Queryable, { actor, keyId }: Party): Promise<Approver> {
  const issuer = OF_TOKEN.exec(actor)?.[1];
  const issuerId = issuer === undefined ? undefined : readId('jwtIssuer', issuer);
  const { rows } = await db.query<PartyRow & { named: boolean; generation: number }>(
    `with recursive made as (
       select k.made_by as actor, k.made_by_key as key_id, k.actor is not null as named, 1 as generation
       from api_keys k where k.id = $1
       union all
       select i.made_by, i.made_by_key, true, 1 from jwt_issuers i where i.id = $2
       union all
       select k.made_by, k.made_by_key, m.named, m.generation + 1
       from made m join api_keys k on k.id = m.key_id where m.generation < ${GENERATIONS}
     )
     select actor, key_id, named, generation from made order by generation`,
    [keyId ?? null, issuerId ?? null],
  );
  return {
    actor,
    ...present({ keyId }),
    // Without a row it is a key that was removed, or an issuer that nobody knows: neither says who it is.
    named: rows[0]?.named ?? false,
    makers: rows.flatMap((row) =>
      row.actor === null ? [] : [{ actor: row.actor, ...present({ keyId: row.key_id }) }],
    ),
  };
}
