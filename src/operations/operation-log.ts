import type { ActBy } from '../domain/audit/audit-action.ts';
import type { AuditDetail } from '../domain/audit/audit-entry.ts';
import type { Operation } from '../domain/operations/operation.ts';
import type { Halt } from '../domain/operations/watch.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import type { OperationControl } from '../store/operations/operation-controls.ts';
import { logAct } from '../telemetry/act-log.ts';
import type { Log } from '../telemetry/log.ts';

/** Words of an act in the log. */
const DONE = {
  pause: 'paused',
  resume: 'resumed',
  rate: 'paced',
  cancel: 'cancelled',
  halt: 'halted',
  execute: 'executed',
  hold: 'held',
  explain: 'explained',
  approve: 'approved',
  reject: 'rejected',
  emergency: 'emergency',
} as const;

type Subject = Pick<Operation, 'id' | 'tenantId'>;

const ids = ({ id, tenantId }: Subject) => ({
  operationId: showId('operation', id),
  tenantId: showId('tenant', tenantId),
});

/** Says that an operation was accepted, or is only planned. */
export function logAccepted(
  log: Log,
  operation: Operation,
  by: ActBy,
  { planned }: { planned: boolean },
): void {
  const { kind, state, surface, interactive, counts } = operation;
  logAct(log, planned ? 'operation.planned' : 'operation.accepted', by, {
    ...ids(operation),
    kind,
    surface,
    interactive,
    expected: counts.expected,
    ...(state === 'awaiting_approval' ? { waits: true } : {}),
  });
}

/** Says what was done to an operation. */
export function logControl(
  log: Log,
  operation: Subject,
  { did, ratePerSecond, halt }: Pick<OperationControl, 'did' | 'ratePerSecond' | 'halt'>,
  by: ActBy,
): void {
  const fields = {
    ...ids(operation),
    ...(did === 'rate' ? { ratePerSecond: ratePerSecond ?? null } : {}),
    ...(halt ? haltEvidence(halt) : {}),
  };
  logAct(log, `operation.${DONE[did]}`, by, fields, did === 'halt' ? 'error' : 'info');
}

/** Says how an operation ended. */
export function logClosed(log: Log, { counts, state, ...operation }: Operation): void {
  log.info({ event: 'operation.closed', ...ids(operation), state, counts });
}

/** The evidence of a halt in numbers and codes: of endpoints the sums alone. */
export function haltEvidence(halt: Halt): AuditDetail {
  if (!('endpoints' in halt)) return { ...halt };
  const { endpoints, ...said } = halt;
  const sum = (part: 'attempts' | 'bad') => endpoints.reduce((total, tally) => total + tally[part], 0);
  return { ...said, attempts: sum('attempts'), bad: sum('bad') };
}
