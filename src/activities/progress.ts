import type { NextStep } from '../domain/operations/next-step.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import type { Looked } from '../operations/look-at-operation.ts';
import type { Progress } from './operation-activities.ts';

/** Tells the workflow what was seen of its operation. */
export function progressOf(operationId: string, { step, facts }: Looked): Progress {
  if (!facts) return { step, state: 'cancelled', details: 'No such operation.' };
  const parts = Object.entries(facts.counts).filter(([part, n]) => n > 0 || part === 'expected');
  return {
    step,
    state: facts.state,
    details: `${heading(operationId)}\n\n**next:** ${wordsOf(step)}\n\n${parts.map(([part, n]) => `- ${part}: ${n}`).join('\n')}`,
  };
}

/** Tells the workflow that its operation is halted by a step that failed, without looking: that might fail as well. */
export function haltedProgress(
  operationId: string,
  failed: { step: string; code: string },
  waitsMs: number,
): Progress {
  const step = { do: 'wait', ms: waitsMs, until: 'expiry' } as const;
  return {
    step,
    state: 'halted',
    details: `${heading(operationId)}\n\n**halted:** the step \`${failed.step}\` failed with \`${failed.code}\`\n\n**next:** ${wordsOf(step)}`,
  };
}

/** Names the operation: a run that was continued as new has lost its static summary. */
function heading(operationId: string): string {
  return `Operation \`${showId('operation', operationId)}\``;
}

function wordsOf(step: NextStep): string {
  if (step.do === 'wait') return `wait up to ${Math.ceil(step.ms / 1_000)} s (${step.until})`;
  return step.do === 'end' ? 'nothing, it has ended' : step.do;
}
