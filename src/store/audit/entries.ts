import { randomBytes } from 'node:crypto';
import {
  type ActBy,
  AUDIT_ACTIONS,
  type AuditAction,
  type TargetKind,
} from '../../domain/audit/audit-action.ts';
import { type AuditDetail, type AuditWords, wordsDigest } from '../../domain/audit/audit-entry.ts';
import type { SelectedTenants } from '../../domain/operations/selection.ts';
import { present } from '../../domain/present.ts';
import type { Id, IdKind } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';
import { sha256Hex } from './sha256.ts';

/** One act, as whoever does it tells it. */
export interface Act<Action extends AuditAction> {
  tenantId: Id<'tenant'>;
  by: ActBy;
  action: Action;
  target: Id<NoInfer<TargetKind<Action>>>;
  /** Ids, counts, codes and digests. */
  detail?: AuditDetail;
  words?: AuditWords;
  /** Further tenants that it is done to: their audits have it, too, without the words. */
  spans?: SelectedTenants;
}

const SALT_BYTES = 16;

/** Enters an act in the audit of its tenant, in the transaction of the act; the sealer gives it its place in the chain. */
export async function noteAct<Action extends AuditAction>(tx: Transaction, act: Act<Action>): Promise<void> {
  const { actor, keyId, requestId } = act.by;
  const kind: IdKind = AUDIT_ACTIONS[act.action];
  const words = present(act.words ?? {});
  const salt = Object.keys(words).length > 0 ? randomBytes(SALT_BYTES) : undefined;
  const said = [
    actor,
    keyId ?? null,
    act.action,
    kind,
    act.target,
    JSON.stringify({ ...act.detail, ...present({ requestId }) }),
  ];
  await tx.query({
    name: 'note-act',
    text: `insert into audit_entries (tenant_id, actor, key_id, action, target_kind, target_id, detail, words, salt, words_digest)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    values: [
      act.tenantId,
      ...said,
      salt ? JSON.stringify(words) : null,
      salt ?? null,
      salt ? Buffer.from(wordsDigest(sha256Hex, salt.toString('hex'), words), 'hex') : null,
    ],
  });
  if (act.spans === undefined) return;
  await tx.query(
    `insert into audit_entries (tenant_id, actor, key_id, action, target_kind, target_id, detail)
     select t.id, $2, $3, $4, $5, $6, $7 from tenants t where t.id <> $1 and ($8::uuid[] is null or t.id = any($8))`,
    [act.tenantId, ...said, act.spans === 'all' ? null : act.spans],
  );
}

/** The tenants besides its own whose audits have the acceptance of an operation: what is done to it later is theirs, too. */
export async function tenantsWithOperation(
  tx: Transaction,
  { id, tenantId }: { id: Id<'operation'>; tenantId: Id<'tenant'> },
): Promise<Id<'tenant'>[]> {
  const { rows } = await tx.query<{ tenant_id: Id<'tenant'> }>(
    `select distinct tenant_id from audit_entries
     where target_id = $1 and action = 'operation.accepted' and tenant_id <> $2`,
    [id, tenantId],
  );
  return rows.map((row) => row.tenant_id);
}
