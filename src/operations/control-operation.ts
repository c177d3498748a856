import type { ActBy, AuditAction } from '../domain/audit/audit-action.ts';
import type { Operation } from '../domain/operations/operation.ts';
import { hasEnded, type OperationState } from '../domain/operations/operation-state.ts';
import type { QuotaExceeded } from '../domain/policy/quotas.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { noteAct, tenantsWithOperation } from '../store/audit/entries.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { holdOthers } from '../store/operations/canaries.ts';
import { ITSELF, noteControl } from '../store/operations/operation-controls.ts';
import { commitControl } from '../store/operations/operation-states.ts';
import { findOperation } from '../store/operations/operations.ts';
import { loadPlan } from '../store/plans/plans.ts';
import { lastHold } from '../store/policy/holds.ts';
import { policyInForce } from '../store/policy/policies.ts';
import { PLATFORM_TENANT } from '../store/tenancy/tenants.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { logControl } from './operation-log.ts';
import { rateBeyondLimits } from './policy/within-limits.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** How long a paused operation waits for a human before it cancels its unsent items and closes. */
const PAUSE_EXPIRES_MS = 7 * 24 * 3_600_000;

/**
 * The commands of an owner to a running operation; `ratePerSecond: null` lifts the limit. An operation with canaries can
 * be resumed at some endpoints alone.
 */
export type ControlCommand =
  | { do: 'pause' }
  | { do: 'resume'; only?: Id<'endpoint'>[] }
  | { do: 'cancel' }
  | { do: 'rate'; ratePerSecond: number | null };

type RateCommand = Extract<ControlCommand, { do: 'rate' }>;

/** The operation after the command, with the number of items in flight, or why the command was not taken. */
export type ControlResult =
  | { ok: true; operation: Operation; inFlight: number }
  | { ok: false; code: 'not_found' }
  /** It was approved as it was, and this would be more than that. */
  | { ok: false; code: 'needs_approval' }
  /** Above a ceiling of the installation, whatever was approved. */
  | { ok: false; code: 'quota_exceeded'; beyond: QuotaExceeded[] }
  | { ok: false; code: 'state_conflict'; state: OperationState };

const TAKEN_IN: Record<ControlCommand['do'], OperationState[]> = {
  pause: ['accepted', 'selecting', 'running', 'paused'],
  resume: ['paused', 'halted'],
  cancel: ['planned', 'awaiting_approval', 'accepted', 'selecting', 'running', 'paused', 'halted'],
  rate: ['accepted', 'selecting', 'running', 'paused', 'halted'],
};

/** How the audit calls each command. */
const ENTERED_AS = {
  pause: 'operation.paused',
  resume: 'operation.resumed',
  cancel: 'operation.cancelled',
  rate: 'operation.paced',
} as const satisfies Record<ControlCommand['do'], AuditAction>;

/**
 * Commits a command to Postgres, where every slice reads it at its next claim, with who gave it, and then offers it to
 * the workflow; it works while Temporal is away.
 */
export async function controlOperation(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  command: ControlCommand,
  by: ActBy = { actor: ITSELF },
): Promise<ControlResult> {
  const act = {
    did: command.do,
    ...(command.do === 'rate' ? { ratePerSecond: command.ratePerSecond } : {}),
  };
  const taken = await withTransaction(
    deps.pool,
    async (tx) =>
      (command.do === 'rate' && (await refusedRate(tx, tenantId, operationId, command))) ||
      controlWithin(tx, tenantId, operationId, command, by),
  );
  const operation = await findOperation(deps.pool, tenantId, operationId);
  if (!operation) return { ok: false, code: 'not_found' };
  if (typeof taken === 'object') return taken;
  if (!taken) return { ok: false, code: 'state_conflict', state: operation.state };
  crashPoint('said');
  logControl(deps.log, operation, act, by);
  await deps.nudgeOperation(operation);
  if (operation.interactive && command.do === 'resume') deps.pokeLiveLane();
  return { ok: true, operation, inFlight: operation.counts.sending };
}

/** Cancels an operation in the transaction of what leads to it; undefined where it cannot be cancelled any more. */
export async function cancelWithin(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  by: ActBy,
): Promise<Operation | undefined> {
  return (await controlWithin(tx, tenantId, operationId, { do: 'cancel' }, by))
    ? findOperation(tx, tenantId, operationId)
    : undefined;
}

async function controlWithin(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  command: ControlCommand,
  by: ActBy,
): Promise<boolean> {
  const changed = await commitControl(tx, tenantId, operationId, changeOf(command), TAKEN_IN[command.do]);
  if (!changed) return false;
  const rate = command.do === 'rate' ? { ratePerSecond: command.ratePerSecond } : {};
  const only = command.do === 'resume' ? command.only : undefined;
  if (only) await holdOthers(tx, operationId, only);
  await noteControl(tx, operationId, {
    did: command.do,
    ...rate,
    ...(only ? { endpointIds: only } : {}),
    actor: by.actor,
  });
  await noteAct(tx, {
    tenantId,
    by,
    action: ENTERED_AS[command.do],
    target: operationId,
    detail: { ...rate, ...(only ? { endpointIds: only.map((id) => showId('endpoint', id)) } : {}) },
    ...(tenantId === PLATFORM_TENANT.id
      ? { spans: await tenantsWithOperation(tx, { id: operationId, tenantId }) }
      : {}),
  });
  return true;
}

/** Why a rate is not taken; undefined where it is, or the operation cannot be paced anyway. */
async function refusedRate(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  command: RateCommand,
): Promise<Extract<ControlResult, { code: 'needs_approval' | 'quota_exceeded' }> | undefined> {
  const operation = await findOperation(tx, tenantId, operationId);
  if (!operation || hasEnded(operation.state)) return undefined;
  const beyond = await rateBeyondLimits(tx, operation, command.ratePerSecond);
  if (beyond.length > 0) return { ok: false, code: 'quota_exceeded', beyond };
  return (await isBeyondApproval(tx, operation, command)) ? { ok: false, code: 'needs_approval' } : undefined;
}

/**
 * Whether a rate is more than what was approved, or is still to be: of a plan that was halted, too, for it is shown and
 * judged by the rate that was asked for. Where nothing had to be approved it is whether it is more than the policy lets
 * pass without. An emergency was let run as a whole.
 */
async function isBeyondApproval(
  tx: Transaction,
  { id: operationId, tenantId, options }: Operation,
  { ratePerSecond }: RateCommand,
): Promise<boolean> {
  const hold = await lastHold(tx, operationId);
  if (hold?.ended?.for === 'emergency') return false;
  // Slower and then as fast again is no more than was approved.
  const asShown = isFaster(ratePerSecond, options.ratePerSecond);
  if (hold && (!hold.ended || hold.ended.for === 'approved')) return asShown;
  const policy = await policyInForce(tx, tenantId);
  if (!policy) return false;
  const plan = await loadPlan(tx, operationId);
  if (plan && !plan.executed) return asShown;
  const quota = policy.rules.quotas.ratePerSecond;
  return quota !== undefined && isFaster(ratePerSecond, quota);
}

/** Without a limit it is as fast as can be. */
function isFaster(ratePerSecond: number | null, than: number | undefined): boolean {
  return (ratePerSecond ?? Number.POSITIVE_INFINITY) > (than ?? Number.POSITIVE_INFINITY);
}

function changeOf(command: ControlCommand): Parameters<typeof commitControl>[3] {
  switch (command.do) {
    case 'pause':
      return { control: 'pause', pausedForMs: PAUSE_EXPIRES_MS };
    case 'resume':
      return { control: 'run', ...(command.only ? { only: command.only } : {}) };
    case 'cancel':
      return { control: 'cancel' };
    case 'rate':
      return { rate: { perSecond: command.ratePerSecond } };
  }
}
