import type { Schema } from '../../api/client.ts';

type Selected = Pick<Schema<'OperationSummary'>, 'state' | 'counts' | 'plannedItems'>;

/** How many deliveries its plan has, where that is all that is known: nothing is selected before it runs. */
export function plannedOnly({ state, counts, plannedItems }: Selected): number | undefined {
  return plannedItems !== null &&
    counts.expected === 0 &&
    (state === 'planned' || state === 'awaiting_approval')
    ? plannedItems
    : undefined;
}

/** How many deliveries would not be sent if it were cancelled now. */
export function unsentOf(operation: Selected): number {
  const { counts } = operation;
  return plannedOnly(operation) ?? counts.queued + counts.scheduled;
}

/** What is on the wire after a command, which has told how much that was then; nothing once it has ended. */
export function onTheWire(inFlight: number, sending: number): 'nothing' | number | undefined {
  if (inFlight === 0) return sending === 0 ? 'nothing' : undefined;
  return sending === 0 ? undefined : Math.min(inFlight, sending);
}
