import type { QuotaExceeded, Quotas } from '../../domain/policy/quotas.ts';
import { type Problem, problem } from './problem.ts';

const WHAT: Record<keyof Quotas, string> = {
  itemsPerOperation: 'deliveries of one operation',
  itemsPerDay: 'deliveries of the operations of a day',
  openOperations: 'open operations at a time',
  ratePerSecond: 'requests per second of one operation',
};

/** Names the ceilings of the installation that an operation is above. */
export function quotaExceededWords(beyond: readonly QuotaExceeded[]): string {
  return beyond
    .map(({ quota, limit, would }) => {
      const with_ = would === undefined ? 'this one names no rate' : `with this one there would be ${would}`;
      return `\`${quota}\`: at most ${limit} ${WHAT[quota]}, and ${with_}.`;
    })
    .join(' ');
}

/** The refusal of an operation that is above ceilings of the installation. */
export function quotaExceeded(beyond: readonly QuotaExceeded[]): Problem {
  return problem('quota_exceeded', {
    detail: `This installation does not allow it, and nobody can approve it. ${quotaExceededWords(beyond)} Ask for less, or later.`,
  });
}
