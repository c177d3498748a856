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

/** The actor of a token, with the issuer that it names. */
const OF_TOKEN = /^jwt:(iss_[0-9a-z]+):/;

/** Somebody who approves, with everybody who had a hand in making the credential. */
export async function approverOf(db: Queryable, { actor, keyId }: Party): Promise<Approver> {
  const { rows } = await db.query<{ named: boolean }>(
    `select k.actor is not null as named from api_keys k where k.id = $1
     union all select true from jwt_issuers i where i.id = any($2::uuid[])`,
    [keyId ?? null, issuersOf([actor])],
  );
  return {
    actor,
    ...present({ keyId }),
    // Without a row it is a key that was removed, or an issuer that nobody knows: neither says who it is.
    named: rows.some(({ named }) => named),
    makers: await makersOf(db, { actor, keyId }),
  };
}

/**
 * Everybody who had a hand in making a credential: of a key its maker, the maker of the key by which that one came, and so
 * on; of a token, also of one by which a key or an issuer was made, who registered its issuer. Without a limit: whoever makes
 * credentials could otherwise make more of them than are followed.
 */
async function makersOf(db: Queryable, { actor, keyId }: Party): Promise<Party[]> {
  const makers: Party[] = [];
  const followed = new Set<Id<'jwtIssuer'>>();
  let key = keyId;
  let issuers = issuersOf([actor]);
  while (key !== undefined || issuers.length > 0) {
    for (const issuer of issuers) followed.add(issuer);
    // UNION leaves out what it has found before: a circle ends.
    const { rows } = await db.query<PartyRow>(
      `with recursive made as (
         select k.made_by as actor, k.made_by_key as key_id from api_keys k where k.id = $1
         union
         select i.made_by, i.made_by_key from jwt_issuers i where i.id = any($2::uuid[])
         union
         select k.made_by, k.made_by_key from made m join api_keys k on k.id = m.key_id
       )
       select actor, key_id from made where actor is not null`,
      [key ?? null, issuers],
    );
    makers.push(...rows.map((row) => ({ actor: row.actor ?? '', ...present({ keyId: row.key_id }) })));
    key = undefined;
    issuers = issuersOf(rows.map((row) => row.actor ?? '')).filter((issuer) => !followed.has(issuer));
  }
  return makers;
}

/** The issuers of those who are tokens. */
function issuersOf(actors: readonly string[]): Id<'jwtIssuer'>[] {
  const ids = actors.map((actor) => readId('jwtIssuer', OF_TOKEN.exec(actor)?.[1] ?? ''));
  return [...new Set(ids.filter((id) => id !== undefined))];
}
