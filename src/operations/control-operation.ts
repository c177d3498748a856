import type { ActBy, AuditAction } from '../domain/audit/audit-action.ts';
import type { Operation } from '../domain/operations/operation.ts';
import type { OperationState } from '../domain/operations/operation-state.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { noteAct, tenantsWithOperation } from '../store/audit/entries.ts';
import { withTransaction } from '../store/db/pool.ts';
import { holdOthers } from '../store/operations/canaries.ts';
import { ITSELF, noteControl } from '../store/operations/operation-controls.ts';
import { commitControl } from '../store/operations/operation-states.ts';
import { findOperation } from '../store/operations/operations.ts';
import { PLATFORM_TENANT } from '../store/tenancy/tenants.ts';
import { logControl } from './operation-log.ts';
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

/** The operation after the command, with the number of items in flight, or why the command was not taken. */
export type ControlResult =
  | { ok: true; operation: Operation; inFlight: number }
  | { ok: false; code: 'not_found' }
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
    ...(command.do === 'resume' && command.only ? { endpointIds: command.only } : {}),
  };
  const taken = await withTransaction(deps.pool, async (db) => {
    const changed = await commitControl(db, tenantId, operationId, changeOf(command), TAKEN_IN[command.do]);
    if (!changed) return false;
    if (act.endpointIds) await holdOthers(db, operationId, act.endpointIds);
    await noteControl(db, operationId, { ...act, actor: by.actor });
    await noteAct(db, {
      tenantId,
      by,
      action: ENTERED_AS[command.do],
      target: operationId,
      detail: {
        ...(command.do === 'rate' ? { ratePerSecond: command.ratePerSecond } : {}),
        ...(act.endpointIds ? { endpointIds: act.endpointIds.map((id) => showId('endpoint', id)) } : {}),
      },
      ...(tenantId === PLATFORM_TENANT.id
        ? { spans: await tenantsWithOperation(db, { id: operationId, tenantId }) }
        : {}),
    });
    return true;
  });
  const operation = await findOperation(deps.pool, tenantId, operationId);
  if (!operation) return { ok: false, code: 'not_found' };
  if (!taken) return { ok: false, code: 'state_conflict', state: operation.state };
  logControl(deps.log, operation, act, by);
  await deps.nudgeOperation(operation);
  if (operation.interactive && command.do === 'resume') deps.pokeLiveLane();
  return { ok: true, operation, inFlight: operation.counts.sending };
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
