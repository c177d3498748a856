import { answerOf } from '@redrive/client';
import type { Column } from '../../core/table.ts';
import { rate, whole } from '../../core/text.ts';
import { shownTime } from '../../core/times.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import type { Progress } from './progress-view.ts';

/** An operation in a list; of a plan how many deliveries it has, as nothing is selected before it runs. */
export type Listed = Progress & { planned?: number };

/** Columns of operations. */
export const OPERATION_COLUMNS: Column<Listed>[] = [
  { head: 'operation', cell: ({ id }) => id },
  { head: 'kind', cell: ({ kind }) => kind },
  { head: 'state', cell: ({ state }) => state },
  { head: 'expected', cell: ({ counts, planned }) => whole(planned ?? counts.expected), right: true },
  { head: 'delivered', cell: ({ counts }) => whole(counts.delivered), right: true },
  { head: 'failed', cell: ({ counts }) => whole(counts.failed), right: true },
  { head: 'rate', cell: ({ ratePerSecond }) => rate(ratePerSecond), right: true },
  { head: 'began', cell: ({ createdAt }) => shownTime(createdAt) },
  { head: 'by', cell: ({ requestedBy }) => requestedBy },
  { head: 'reason', cell: ({ reason }) => reason },
];

/** Plans are asked for one by one: so many at a time. */
const AT_A_TIME = 8;

/** Operations as they are listed; those that are plans with their number where a table is shown, and as they came elsewhere. */
export async function listed(
  { out }: Pick<Context, 'out'>,
  { calls }: Pick<Api, 'calls'>,
  operations: readonly Progress[],
): Promise<Listed[]> {
  if (out.form !== 'table') return [...operations];
  const rows: Listed[] = [];
  for (let at = 0; at < operations.length; at += AT_A_TIME)
    rows.push(
      ...(await Promise.all(
        operations.slice(at, at + AT_A_TIME).map(async (operation) => {
          if (!isPlanOnly(operation)) return operation;
          const { plan } = await answerOf(
            calls.GET('/api/v1/retries/{id}', { params: { path: { id: operation.id } } }),
          );
          return plan ? { ...operation, planned: plan.items } : operation;
        }),
      )),
    );
  return rows;
}

function isPlanOnly({ state, counts }: Progress): boolean {
  return counts.expected === 0 && ['planned', 'awaiting_approval'].includes(state);
}
