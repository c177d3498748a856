import type { Column } from '../../core/table.ts';
import { rate, whole } from '../../core/text.ts';
import { shownTime } from '../../core/times.ts';
import type { Progress } from './progress-view.ts';

/** Columns of operations. */
export const OPERATION_COLUMNS: Column<Progress>[] = [
  { head: 'operation', cell: ({ id }) => id },
  { head: 'kind', cell: ({ kind }) => kind },
  { head: 'state', cell: ({ state }) => state },
  { head: 'expected', cell: (operation) => whole(expectedOf(operation)), right: true },
  { head: 'delivered', cell: ({ counts }) => whole(counts.delivered), right: true },
  { head: 'failed', cell: ({ counts }) => whole(counts.failed), right: true },
  { head: 'rate', cell: ({ ratePerSecond }) => rate(ratePerSecond), right: true },
  { head: 'began', cell: ({ createdAt }) => shownTime(createdAt) },
  { head: 'by', cell: ({ requestedBy }) => requestedBy },
  { head: 'reason', cell: ({ reason }) => reason },
];

/** Nothing of a plan is selected before it runs: until then it is what the plan has. */
function expectedOf({ state, counts, plannedItems }: Progress): number {
  const planned = counts.expected === 0 && ['planned', 'awaiting_approval'].includes(state);
  return planned ? (plannedItems ?? 0) : counts.expected;
}
