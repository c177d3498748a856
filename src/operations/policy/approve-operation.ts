import type { ActBy, AuditAction } from '../../domain/audit/audit-action.ts';
import type { AuditDetail, AuditWords } from '../../domain/audit/audit-entry.ts';
import type { Operation } from '../../domain/operations/operation.ts';
import type { OperationState } from '../../domain/operations/operation-state.ts';
import { type ApproverRefusal, refusedApprover } from '../../domain/policy/approver.ts';
import { type Hold, releasedBy } from '../../domain/policy/hold.ts';
import { missingWords } from '../../domain/policy/judgement.ts';
import type { QuotaExceeded } from '../../domain/policy/quotas.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { announce } from '../../store/announcements/announce.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { noteControl, type OperationControl } from '../../store/operations/operation-controls.ts';
import { cancelRejected, lockAwaiting } from '../../store/operations/operation-states.ts';
import { findOperation, giveWords } from '../../store/operations/operations.ts';
import { loadPlan } from '../../store/plans/plans.ts';
import { endHold, insertVerdict, lastHold, noteGiven } from '../../store/policy/holds.ts';
import { policyInForce } from '../../store/policy/policies.ts';
import { approverOf, requestersOf } from '../../store/policy/requesters.ts';
import { crashPoint } from '../../telemetry/crash-points.ts';
import { logControl } from '../operation-log.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';
import { passHold, releaseHold } from './judge-operation.ts';

/** What somebody says to an operation that waits. */
export type VerdictCommand =
  | { do: 'approve'; planHash: string; comment?: string }
  | { do: 'reject'; comment: string }
  | { do: 'emergency'; reason: string }
  | { do: 'explain'; reason?: string; ticket?: string };

/** The operation afterwards with its hold, or why nothing was done. */
export type VerdictResult =
  | { ok: true; operation: Operation; hold: Hold }
  | { ok: false; code: 'not_found' | 'plan_changed' | 'ticket_form' | 'nothing_missing' }
  | { ok: false; code: 'approver_refused'; why: ApproverRefusal }
  /** Above a ceiling of the installation nobody lets it run. */
  | { ok: false; code: 'quota_exceeded'; beyond: QuotaExceeded[] }
  | { ok: false; code: 'state_conflict'; state: OperationState };

type Refused = Extract<VerdictResult, { ok: false }>;

/** What a command comes to, within the transaction that holds the operation. */
type Done = {
  act: OperationControl['did'];
  action: Extract<AuditAction, `operation.${string}`>;
  detail: AuditDetail;
  words: AuditWords;
  /** Where it settled whether the operation runs. */
  tells?: { type: 'operation.approved' | 'operation.rejected' };
};

/** The same actor has said the same before: that counts once, and is no second act. */
type Said = { again: true };

/**
 * Says something to an operation that waits for approval: one actor after the other, each counted once. It is committed
 * first, and works while Temporal is away.
 */
export async function sayTo(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  command: VerdictCommand,
  by: ActBy,
): Promise<VerdictResult> {
  const said = await withTransaction(deps.pool, (tx) =>
    sayIn(tx, { tenantId, operationId, command, by }),
  ).catch((error: unknown) => {
    if (error instanceof Untold) return error.refused;
    throw error;
  });
  if (said && 'ok' in said) return said;
  const operation = await findOperation(deps.pool, tenantId, operationId);
  const hold = operation && (await lastHold(deps.pool, operationId));
  if (!operation) return { ok: false, code: 'not_found' };
  if (!hold || (!said && !hasApproved(hold, command, by)))
    return { ok: false, code: 'state_conflict', state: operation.state };
  if (said && 'act' in said) {
    crashPoint('said');
    logControl(deps.log, operation, { did: said.act }, by);
    await deps.nudgeOperation(operation);
  }
  return { ok: true, operation, hold };
}

/** Undefined where the operation does not wait; a refusal leaves nothing behind. */
async function sayIn(
  tx: Transaction,
  { tenantId, operationId, command, by }: Omit<Saying, 'hold'> & Asked,
): Promise<Done | Said | undefined> {
  if (!(await lockAwaiting(tx, tenantId, operationId))) return undefined;
  const hold = await lastHold(tx, operationId);
  if (!hold || hold.ended) return undefined;
  const done = await COMMANDS[command.do](tx, { tenantId, hold, by }, command as never);
  if ('ok' in done) throw new Untold(done);
  if ('again' in done) return done;
  await noteControl(tx, operationId, { did: done.act, actor: by.actor });
  const { action, detail, words } = done;
  await noteAct(tx, { tenantId, by, action, target: operationId, detail, words });
  if (done.tells)
    await announce(tx, {
      ...done.tells,
      tenantId,
      operationId,
      once: hold.number,
      data: { planHash: hold.planHash, because: hold.because },
    });
  return done;
}

interface Asked {
  operationId: Id<'operation'>;
  command: VerdictCommand;
}

/** A repeat of an approval that was counted, and may have been the last one, is answered alike. */
function hasApproved({ verdicts, planHash }: Hold, command: VerdictCommand, { actor }: ActBy): boolean {
  return (
    command.do === 'approve' &&
    command.planHash === planHash &&
    verdicts.some((each) => each.verdict === 'approve' && each.actor === actor)
  );
}

/** Carries a refusal out of the transaction, which only an exception rolls back. */
class Untold extends Error {
  readonly refused: Refused;

  constructor(refused: Refused) {
    super('nothing was said');
    this.refused = refused;
  }
}

interface Saying {
  tenantId: Id<'tenant'>;
  hold: Hold;
  by: ActBy;
}

type Commands = {
  [Do in VerdictCommand['do']]: (
    tx: Transaction,
    saying: Saying,
    command: Extract<VerdictCommand, { do: Do }>,
  ) => Promise<Done | Said | Refused>;
};

const COMMANDS: Commands = { approve, reject, emergency, explain };

async function approve(
  tx: Transaction,
  { hold, by }: Saying,
  { planHash, comment }: Extract<VerdictCommand, { do: 'approve' }>,
): Promise<Done | Said | Refused> {
  if (planHash !== hold.planHash) return { ok: false, code: 'plan_changed' };
  const refused = refusedApprover(await approverOf(tx, by), await requestersOf(tx, hold.operationId));
  if (refused) return { ok: false, code: 'approver_refused', why: refused };
  const { actor, keyId } = by;
  const counts = await insertVerdict(tx, hold, { verdict: 'approve', actor, ...present({ keyId, comment }) });
  if (!counts) return { again: true };
  return {
    act: 'approve',
    action: 'operation.approved',
    detail: { planHash, policy: hold.policyDigest },
    words: present({ reason: comment }),
    ...(await releaseWhereDone(tx, hold.operationId)),
  };
}

async function reject(
  tx: Transaction,
  { hold, by }: Saying,
  { comment }: Extract<VerdictCommand, { do: 'reject' }>,
): Promise<Done | Refused> {
  const { actor, keyId } = by;
  await insertVerdict(tx, hold, { verdict: 'reject', actor, comment, ...present({ keyId }) });
  await endHold(tx, hold.operationId, 'rejected');
  await cancelRejected(tx, hold.operationId);
  return {
    act: 'reject',
    action: 'operation.rejected',
    detail: { planHash: hold.planHash, policy: hold.policyDigest, code: 'rejected' },
    words: { reason: comment },
    tells: { type: 'operation.rejected' },
  };
}

/** Whoever may do so lets it run without approval; words that were missing are given with that. */
async function emergency(
  tx: Transaction,
  { tenantId, hold, by }: Saying,
  { reason }: Extract<VerdictCommand, { do: 'emergency' }>,
): Promise<Done | Refused> {
  if (hold.missing.includes('reason')) await giveWords(tx, hold.operationId, { reason });
  const beyond = await passHold(tx, tenantId, hold, by, reason);
  if (beyond) return { ok: false, code: 'quota_exceeded', beyond };
  return {
    act: 'emergency',
    action: 'operation.emergency',
    detail: { planHash: hold.planHash, policy: hold.policyDigest, because: hold.because },
    words: { reason },
  };
}

/** Gives the words that were missing. */
async function explain(
  tx: Transaction,
  { tenantId, hold }: Saying,
  given: Extract<VerdictCommand, { do: 'explain' }>,
): Promise<Done | Refused> {
  const { operationId } = hold;
  const words = present({
    reason: hold.missing.includes('reason') ? given.reason : undefined,
    ticket: hold.missing.includes('ticket') ? given.ticket : undefined,
  });
  if (Object.keys(words).length === 0) return { ok: false, code: 'nothing_missing' };
  await giveWords(tx, operationId, words);
  const operation = await findOperation(tx, tenantId, operationId);
  const plan = await loadPlan(tx, operationId);
  const policy = await policyInForce(tx, tenantId);
  // Where the rules were taken away meanwhile, what was asked for by them is still given.
  const missing =
    operation && plan && policy
      ? missingWords(policy.rules, {
          items: plan.items,
          ...present({ reason: operation.reason, ticket: operation.ticket }),
        }).filter((each) => hold.missing.includes(each))
      : hold.missing.filter((each) => words[each] === undefined);
  if (words.ticket !== undefined && missing.includes('ticket')) return { ok: false, code: 'ticket_form' };
  await noteGiven(tx, hold, missing);
  return {
    act: 'explain',
    action: 'operation.explained',
    detail: { planHash: hold.planHash },
    words,
    ...(await releaseWhereDone(tx, operationId)),
  };
}

/** Accepts an operation whose hold has all that it asked for, which is told where it asked for approval. */
async function releaseWhereDone(tx: Transaction, operationId: Id<'operation'>): Promise<Pick<Done, 'tells'>> {
  const hold = await lastHold(tx, operationId);
  const released = hold && releasedBy(hold);
  if (!hold || !released) return {};
  const beyond = await releaseHold(tx, hold, released);
  if (beyond) throw new Untold({ ok: false, code: 'quota_exceeded', beyond });
  return released === 'approved' ? { tells: { type: 'operation.approved' } } : {};
}
