import type { Wait } from '../sending/waiting-for.ts';
import type { Operation } from './operation.ts';
import { type OperationCounts, openItems } from './operation-counts.ts';

/** The time until all due items of an operation are sent, and the items that it leaves out. */
export interface Eta {
  seconds: number;
  /** Items that wait for a time of their own, or for somebody to know their outcome. */
  leavesOut: { scheduled: number; unknown: number };
}

/** What keeps due items of an endpoint from being sent at any rate. */
const UNTIMED: ReadonlySet<Wait['what']> = new Set([
  'endpoint_disabled',
  'freeze_window',
  'circuit',
] as const);

/** Items of an operation that have come to an end. */
export function endedItems(counts: OperationCounts): number {
  return counts.expected - counts.excluded - openItems(counts);
}

/**
 * Estimates when everything that is due is sent: at the rate that was seen of it lately, else at its rate since it
 * began to run, and never above its limit. Undefined while it does not run, while none of the three is known, and while
 * something that is due waits for what no rate tells the end of.
 */
export function estimateEta(
  {
    state,
    counts,
    ratePerSecond,
    running,
    waitingFor = [],
  }: Pick<Operation, 'state' | 'counts' | 'ratePerSecond' | 'running' | 'waitingFor'>,
  seenPerSecond: number | undefined,
  now: Date,
): Eta | undefined {
  if (state !== 'running') return undefined;
  const due = counts.queued + counts.sending;
  const leavesOut = { scheduled: counts.scheduled, unknown: counts.unknown };
  if (due === 0) return { seconds: 0, leavesOut };
  if (waitingFor.some(({ what }) => UNTIMED.has(what))) return undefined;
  const perSecond = Math.min(
    ratePerSecond ?? Number.POSITIVE_INFINITY,
    seenPerSecond ?? perSecondSince(running, counts, now) ?? Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(perSecond) ? { seconds: Math.ceil(due / perSecond), leavesOut } : undefined;
}

function perSecondSince(
  running: Operation['running'],
  counts: OperationCounts,
  now: Date,
): number | undefined {
  if (!running) return undefined;
  const ended = endedItems(counts) - running.endedBefore;
  const ms = now.getTime() - running.since.getTime();
  return ended > 0 && ms > 0 ? (ended * 1_000) / ms : undefined;
}
