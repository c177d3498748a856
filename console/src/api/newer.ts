import type { Schema } from './client.ts';

type State = Pick<Schema<'OperationSummary'>, 'state' | 'counts'>;

const ENDS: readonly string[] = ['completed', 'completed_with_failures', 'cancelled'];

/** A plan may be made anew, and is counted by what it would take: what it shows does not only grow. */
const PLANNED: readonly string[] = ['planned', 'awaiting_approval', 'accepted'];

/** Whether nothing follows a state of an operation. */
export function hasEnded(state: string): boolean {
  return ENDS.includes(state);
}

/** The newer of two states of an operation: what has ended stays so, and settled items are never fewer. */
export function newer<Kept extends State, Come extends State>(kept: Kept, come: Come): Kept | Come {
  if (hasEnded(kept.state) !== hasEnded(come.state)) return hasEnded(kept.state) ? kept : come;
  const comparable =
    kept.state === come.state || !(PLANNED.includes(kept.state) || PLANNED.includes(come.state));
  return comparable && settled(come) < settled(kept) ? kept : come;
}

function settled({ counts }: State): number {
  return (
    counts.delivered + counts.failed + counts.ignored + counts.cancelled + counts.superseded + counts.excluded
  );
}
