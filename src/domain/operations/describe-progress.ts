import { type Id, showId } from '../tenancy/typed-id.ts';
import type { NextStep } from './next-step.ts';
import type { Operation } from './operation.ts';
import type { Halt } from './watch.ts';

/** Endpoints that are named in a description at most. */
export const DESCRIBED_ENDPOINTS = 5;

type Described = Pick<Operation, 'id' | 'kind' | 'state' | 'counts' | 'ratePerSecond' | 'halt'>;

/**
 * Describes how far an operation is, as Markdown for its reader in the Temporal UI: ids, numbers and words of ours
 * only. `endpointIds` are those that it has something unsent for, or more than fit. It names the operation, too: a run
 * that was continued as new has lost its static summary.
 */
export function describeProgress(
  { id, kind, state, counts, ratePerSecond, halt }: Described,
  step: NextStep,
  endpointIds: readonly Id<'endpoint'>[],
): string {
  const parts = Object.entries(counts).filter(([part, n]) => n > 0 || part === 'expected');
  const named = endpointIds.slice(0, DESCRIBED_ENDPOINTS).map((each) => `\`${showId('endpoint', each)}\``);
  const more = endpointIds.length > DESCRIBED_ENDPOINTS ? ' and others' : '';
  return [
    `Operation \`${showId('operation', id)}\`, ${kind}, ${state}`,
    ...(halt && state === 'halted' ? [haltLine(id, halt)] : []),
    `**next:** ${nextWords(step)}`,
    `**rate:** ${ratePerSecond === undefined ? 'no limit of its own' : `${ratePerSecond} a second at most`}`,
    ...(named.length > 0 ? [`**unsent for:** ${named.join(', ')}${more}`] : []),
    parts.map(([part, n]) => `- ${part}: ${n}`).join('\n'),
  ].join('\n\n');
}

/** Describes an operation of which nothing is known but that it was halted, and why. */
export function describeHalt(id: Id<'operation'>, halt: Halt, step: NextStep): string {
  return [
    `Operation \`${showId('operation', id)}\`, halted`,
    haltLine(id, halt),
    `**next:** ${nextWords(step)}`,
  ].join('\n\n');
}

function haltLine(id: Id<'operation'>, halt: Halt): string {
  const onward =
    halt.reason === 'failed_step' ? 'tries it again' : 'lets it go on, judged by what it does from then on';
  return `**halted:** ${haltWords(halt)}. \`POST /api/v1/retries/${showId('operation', id)}/resume\` ${onward}, \`…/cancel\` ends it`;
}

/** Says why an operation was halted, with the evidence. */
function haltWords(halt: Halt): string {
  switch (halt.reason) {
    case 'canary': {
      const [first] = halt.endpoints;
      const others = halt.endpoints.length - 1;
      const where = first ? ` at \`${showId('endpoint', first.endpointId)}\`` : '';
      const numbers = first ? `: ${first.bad} of ${first.attempts} first attempts did not deliver` : '';
      return `${halt.reason}${where}${others > 0 ? ` and ${others} others` : ''}${numbers}, ${halt.limitPercent} % are allowed`;
    }
    case 'failure_rate':
      return `${halt.reason}: ${halt.bad} of ${halt.attempts} attempts of the last minute did not deliver, ${halt.limitPercent} % are allowed`;
    case 'failed_step':
      return `${halt.reason}: the step \`${halt.step}\` failed with \`${halt.code}\``;
  }
}

function nextWords(step: NextStep): string {
  if (step.do === 'end') return 'nothing, it has ended';
  if (step.do !== 'wait') return step.do;
  const seconds = Math.ceil(step.ms / 1_000);
  return step.until === 'expiry'
    ? `wait for a human; after ${seconds} s it is cancelled by itself (expiry)`
    : `wait up to ${seconds} s (${step.until})`;
}
