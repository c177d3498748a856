/** The parts whose sum is what an operation expects: the one equation of docs/concepts.md. */
export const COUNTED_PARTS = [
  'queued',
  'sending',
  'scheduled',
  'delivered',
  'failed',
  'unknown',
  'ignored',
  'cancelled',
  'superseded',
  'excluded',
] as const;

/** Items of an operation by state; `expected` is always the sum of the others. */
export type OperationCounts = Record<(typeof COUNTED_PARTS)[number] | 'expected', number>;

/** Whether the one equation holds. */
export function addsUp(counts: OperationCounts): boolean {
  return counts.expected === COUNTED_PARTS.reduce((sum, part) => sum + counts[part], 0);
}

/** Items that still own their delivery. */
export function openItems(counts: OperationCounts): number {
  return counts.queued + counts.scheduled + counts.sending + counts.unknown;
}

/** Items that nobody has sent yet and that a cancel can still stop. */
export function unsentItems(counts: OperationCounts): number {
  return counts.queued + counts.scheduled;
}

/** The part of an operation's selection that is not delivered, by reason or state. */
export interface Remainder {
  count: number;
  /** The reason why it was ignored or excluded; else the state it ended in. */
  byReason: Partial<Record<string, number>>;
}

/**
 * The end that an operation closes with: `completed` says that all it selected is delivered; `cancelled` wins where its
 * owner asked for it.
 */
export function closingState(
  remainder: Remainder,
  cancelled: boolean,
): 'completed' | 'completed_with_failures' | 'cancelled' {
  if (cancelled) return 'cancelled';
  return remainder.count > 0 ? 'completed_with_failures' : 'completed';
}
