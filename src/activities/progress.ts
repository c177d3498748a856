import { describeHalt, describeProgress } from '../domain/operations/describe-progress.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Looked } from '../operations/look-at-operation.ts';
import type { Progress } from './operation-activities.ts';

/** Tells the workflow what was seen of its operation. */
export function progressOf({ step, facts, unsentFor }: Looked): Progress {
  if (!facts) return { step, state: 'cancelled', details: 'No such operation.' };
  const { operation } = facts;
  return {
    step,
    state: facts.state,
    details: describeProgress(operation, step, unsentFor),
    ...(facts.state === 'halted' && operation.halt ? { halt: operation.halt.reason } : {}),
  };
}

/** Tells the workflow that its operation is halted by a step that failed, without looking: that might fail as well. */
export function haltedProgress(
  operationId: Id<'operation'>,
  failed: { step: string; code: string },
  waitsMs: number,
): Progress {
  const step = { do: 'wait', ms: waitsMs, until: 'expiry' } as const;
  const halt = { reason: 'failed_step', ...failed } as const;
  return { step, state: 'halted', details: describeHalt(operationId, halt, step), halt: halt.reason };
}
