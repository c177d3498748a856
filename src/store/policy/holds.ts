import { randomBytes } from 'node:crypto';
import { wordsDigest } from '../../domain/audit/audit-entry.ts';
import type { Hold, HoldEnd, Verdict } from '../../domain/policy/hold.ts';
import type { ApprovalCause, Judgement, Missing } from '../../domain/policy/judgement.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { sha256Hex } from '../audit/sha256.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Writes down that a policy holds an operation; the operation is stopped in the same transaction. */
export async function insertHold(
  tx: Transaction,
  hold: { operationId: Id<'operation'>; tenantId: Id<'tenant'>; planHash: string; policyDigest: string },
  { missing, because, approvers }: Judgement,
): Promise<void> {
  await tx.query(
    `insert into operation_holds (operation_id, number, tenant_id, plan_hash, policy_digest, needs_reason, needs_ticket,
       because, approvers)
     select $1, coalesce(max(h.number), 0) + 1, $2, $3, $4, $5, $6, $7, $8
     from operation_holds h where h.operation_id = $1`,
    [
      hold.operationId,
      hold.tenantId,
      Buffer.from(hold.planHash, 'hex'),
      Buffer.from(hold.policyDigest, 'hex'),
      missing.includes('reason'),
      missing.includes('ticket'),
      because,
      approvers,
    ],
  );
}

/** The last hold of an operation, with what was said about it; undefined where no policy ever held it. */
export async function lastHold(db: Queryable, operationId: Id<'operation'>): Promise<Hold | undefined> {
  return (await lastHolds(db, [operationId])).get(operationId);
}

/** The last holds of some operations; those that no policy ever held are left out. */
export async function lastHolds(
  db: Queryable,
  operationIds: readonly Id<'operation'>[],
): Promise<Map<Id<'operation'>, Hold>> {
  if (operationIds.length === 0) return new Map();
  const { rows } = await db.query<HoldRow>(
    `select h.*, encode(h.plan_hash, 'hex') as plan_hex, encode(h.policy_digest, 'hex') as policy_hex, (
       select json_agg(json_build_object('verdict', v.verdict, 'actor', v.actor, 'keyId', v.key_id,
         'comment', v.comment, 'commentDigest', encode(v.comment_digest, 'hex'), 'at', v.at) order by v.at)
       from operation_verdicts v where v.operation_id = h.operation_id and v.hold = h.number) as verdicts
     from unnest($1::uuid[]) as u(id)
     cross join lateral (
       select x.* from operation_holds x where x.operation_id = u.id order by x.number desc limit 1
     ) h`,
    [operationIds],
  );
  return new Map(rows.map((row) => [row.operation_id, holdFrom(row)]));
}

/** Says that words which a hold asked for were given. */
export async function noteGiven(
  tx: Transaction,
  { operationId, number }: Hold,
  missing: readonly Missing[],
): Promise<void> {
  await tx.query(
    'update operation_holds set needs_reason = $3, needs_ticket = $4 where operation_id = $1 and number = $2',
    [operationId, number, missing.includes('reason'), missing.includes('ticket')],
  );
}

/** Writes down what somebody says about a hold; false where the same actor has said the same before. */
export async function insertVerdict(
  tx: Transaction,
  { operationId, number }: Hold,
  { verdict, actor, keyId, comment }: Omit<Verdict, 'at' | 'commentDigest'>,
): Promise<boolean> {
  const salt = comment === undefined ? undefined : randomBytes(16);
  const { rowCount } = await tx.query(
    `insert into operation_verdicts (operation_id, hold, verdict, actor, key_id, comment, salt, comment_digest)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
    [
      operationId,
      number,
      verdict,
      actor,
      keyId ?? null,
      comment ?? null,
      salt ?? null,
      salt && comment !== undefined
        ? Buffer.from(wordsDigest(sha256Hex, salt.toString('hex'), { reason: comment }), 'hex')
        : null,
    ],
  );
  return rowCount === 1;
}

/** Ends the open hold of an operation; false where none is open. */
export async function endHold(
  tx: Transaction,
  operationId: Id<'operation'>,
  endedFor: Exclude<HoldEnd, 'void'>,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update operation_holds set ended_at = clock_timestamp(), ended_for = $2
     where operation_id = $1 and ended_at is null`,
    [operationId, endedFor],
  );
  return rowCount === 1;
}

/** Takes the approvals of an operation back, whose plan waits again. */
export async function voidHold(tx: Transaction, operationId: Id<'operation'>): Promise<void> {
  await tx.query(
    `update operation_holds set ended_for = 'void' where operation_id = $1 and ended_for = 'approved'`,
    [operationId],
  );
}

/**
 * Makes the items of an operation that is held bulk work, which the live lane never looks at; lets none of them be given up
 * while it waits; and keeps them to the addresses that its plan shows.
 */
export async function holdItems(
  tx: Transaction,
  operationId: Id<'operation'>,
  waitsMs: number,
): Promise<void> {
  await tx.query(
    `with held as (
       update queue q set worked_by = q.operation_id,
         give_up_at = q.give_up_at + $2::float8 * interval '1 millisecond',
         target_version = coalesce(q.target_version, (
           select w.version from plan_endpoints w where w.operation_id = $1 and w.endpoint_id = q.endpoint_id))
       from execution_records r
       where r.operation_id = $1 and ${lookedUp('q.delivery_id', 'r.delivery_id', 'r.outcome is null')}
         and q.execution_id = r.id and q.state in ('queued', 'scheduled')
       returning q.execution_id, q.target_version
     )
     update execution_records r set target_version = h.target_version from held h
     where r.id = h.execution_id and r.target_version is distinct from h.target_version`,
    [operationId, waitsMs],
  );
}

/** Lets the items of an operation be given up again, as long from now on as they could be tried when they were made. */
export async function freeItems(
  tx: Transaction,
  { operationId, number }: Hold,
  waitsMs: number,
): Promise<void> {
  await tx.query(
    `update queue q set give_up_at = q.give_up_at + (clock_timestamp() - h.opened_at) - $3::float8 * interval '1 millisecond'
     from operation_holds h, execution_records r
     where h.operation_id = $1 and h.number = $2 and r.operation_id = $1 and ${lookedUp('q.delivery_id', 'r.delivery_id', 'r.outcome is null')}
       and q.execution_id = r.id and q.state in ('queued', 'scheduled')
       -- What it has selected again meanwhile was never made to wait for longer.
       and r.created_at <= h.opened_at`,
    [operationId, number, waitsMs],
  );
}

interface HoldRow {
  operation_id: Id<'operation'>;
  number: number;
  plan_hex: string;
  policy_hex: string;
  needs_reason: boolean;
  needs_ticket: boolean;
  because: ApprovalCause[];
  approvers: number;
  opened_at: Date;
  ended_at: Date | null;
  ended_for: HoldEnd | null;
  /** As JSON: times are texts. */
  verdicts:
    | {
        verdict: Verdict['verdict'];
        actor: string;
        keyId: Id<'key'> | null;
        comment: string | null;
        commentDigest: string | null;
        at: string;
      }[]
    | null;
}

function holdFrom(row: HoldRow): Hold {
  return {
    operationId: row.operation_id,
    number: row.number,
    planHash: row.plan_hex,
    policyDigest: row.policy_hex,
    missing: [
      ...(row.needs_reason ? (['reason'] as const) : []),
      ...(row.needs_ticket ? (['ticket'] as const) : []),
    ],
    because: row.because,
    approvers: row.approvers,
    verdicts: (row.verdicts ?? []).map(({ at, verdict, actor, ...said }) => ({
      verdict,
      actor,
      at: new Date(at),
      ...present(said),
    })),
    openedAt: row.opened_at,
    ...(row.ended_at && row.ended_for ? { ended: { at: row.ended_at, for: row.ended_for } } : {}),
  };
}
