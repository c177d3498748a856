import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Where sealed values are kept: the table, its column, and the column whose value their context names. */
export const SEALED_PLACES = {
  endpointSecret: { table: 'endpoint_secrets', column: 'sealed', of: 'endpoint_id' },
  endpointHeaders: { table: 'endpoint_versions', column: 'sealed_headers', of: 'endpoint_id' },
  endpointClientKey: { table: 'endpoint_versions', column: 'sealed_client_key', of: 'endpoint_id' },
  jwtIssuerSecret: { table: 'jwt_issuers', column: 'sealed_secret', of: 'id' },
  signingKey: { table: 'signing_keys', column: 'sealed_private_key', of: 'id' },
  keptKey: { table: 'kept_keys', column: 'sealed', of: 'purpose' },
} as const;

/** One kind of sealed values. */
export type SealedKind = keyof typeof SEALED_PLACES;

/** Every kind there is. */
export const SEALED_KINDS = Object.keys(SEALED_PLACES) as SealedKind[];

/** A sealed value, and whose it is: an id, or a purpose. */
export interface SealedValue {
  of: string;
  sealed: Buffer;
}

/** Those of some owners behind `after`, in their order, that do not begin with this prefix. Equal bytes are one value. */
export async function sealedOtherwise(
  db: Queryable,
  kind: SealedKind,
  { prefix, after, owners }: { prefix: Buffer; after?: string | undefined; owners: number },
): Promise<SealedValue[]> {
  const { table, column, of } = SEALED_PLACES[kind];
  const { rows } = await db.query<SealedValue>(
    `select distinct ${of}::text as of, ${column} as sealed from ${table}
     where ${otherwise(column)} and ${of} in (
       select ${of} from ${table} where ${otherwise(column)} and ($2::text is null or ${of}::text > $2)
       group by ${of} order by ${of}::text limit $3)
     order by 1`,
    [prefix, after ?? null, owners],
  );
  return rows;
}

/**
 * Replaces one value, in every row of its owner that has it: versions of an endpoint whose headers are the same are told
 * by their bytes, and stay the same. The endpoint is held, so that no change of it copies the old bytes meanwhile. Says
 * whether the value was still there.
 */
export async function replaceSealed(
  tx: Transaction,
  kind: SealedKind,
  { of: owner, sealed }: SealedValue,
  anew: Buffer,
): Promise<boolean> {
  const { table, column, of } = SEALED_PLACES[kind];
  if (table === 'endpoint_versions')
    await tx.query('select from endpoints where id = $1 for update', [owner]);
  const { rowCount } = await tx.query(
    `update ${table} set ${column} = $3 where ${of} = $1 and ${column} = $2`,
    [owner, sealed, anew],
  );
  return (rowCount ?? 0) > 0;
}

/** How many values do not begin with this prefix. */
export async function countSealedOtherwise(db: Queryable, prefix: Buffer): Promise<number> {
  const counts = SEALED_KINDS.map((kind) => {
    const { table, column, of } = SEALED_PLACES[kind];
    return `(select count(distinct (${of}, ${column})) from ${table} where ${otherwise(column)})`;
  });
  return onlyRow(await db.query<{ left: number }>(`select (${counts.join(' + ')})::int as left`, [prefix]))
    .left;
}

function otherwise(column: string): string {
  return `${column} is not null and substring(${column} from 1 for length($1::bytea)) <> $1::bytea`;
}
