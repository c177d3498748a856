import type { OperationCounts } from './operation-counts.ts';
import { unsentItems } from './operation-counts.ts';
import type { Control, OperationState } from './operation-state.ts';
import { hasEnded } from './operation-state.ts';

/** What an operation looks like in Postgres at one moment. Times are milliseconds from that moment. */
export interface OperationFacts {
  state: OperationState;
  control: Control;
  selected: boolean;
  interactive: boolean;
  counts: OperationCounts;
  /** When something unsent of it can be claimed next; absent when nothing of it is unsent. */
  claimableInMs?: number;
  /** When the first lease of its claims ends. */
  leaseInMs?: number;
  /** When the last of its unknown items stops being waited for. */
  reconcileInMs?: number;
  /** When a paused one is cancelled by itself. */
  expiresInMs?: number;
  /** How long ago it was accepted. */
  ageMs?: number;
  aliveWorkers: number;
}

/** What its workflow does next. */
export type NextStep =
  | { do: 'select' }
  | { do: 'dispatch'; slices: number }
  | { do: 'wait'; ms: number; until: 'lease' | 'due' | 'reconciled' | 'expiry' | 'sent' }
  | { do: 'close' }
  | { do: 'end' };

/** Slices of one operation at most, over all workers. */
const MAX_SLICES = 8;

/** Below so many unsent items one more slice costs more than it helps. */
const ITEMS_PER_SLICE = 2_000;

/** A wait that is shorter is spent inside a slice, where it costs no history. */
const WORTH_WAITING_MS = 5_000;

/** For so long an interactive operation is watched closely; then it is looked at now and then, and holds no step's place. */
const WATCHED_FOR_MS = 3_000;
const NOW_AND_THEN_MS = 5_000;

const MIN_WAIT_MS = 200;

/** Decides an operation's next step from the facts; every answer but `end` leads to another. */
export function nextStep(facts: OperationFacts): NextStep {
  const { counts, control } = facts;
  if (hasEnded(facts.state)) return { do: 'end' };
  const unsent = unsentItems(counts);
  if (control === 'cancel') return unsent > 0 ? { do: 'close' } : afterSending(facts);
  // A pause holds back what is unsent: where nothing is, there is nothing to wait for a human for.
  if (control === 'pause' && (!facts.selected || unsent > 0))
    return { do: 'wait', ms: atLeast(facts.expiresInMs), until: 'expiry' };
  if (!facts.selected) return { do: 'select' };
  if (unsent === 0) return afterSending(facts);
  // Unsent a moment ago, and now in nobody's queue: what was counted is being claimed by somebody.
  if (facts.claimableInMs === undefined) return { do: 'wait', ms: MIN_WAIT_MS, until: 'sent' };
  const { claimableInMs } = facts;
  if (claimableInMs > WORTH_WAITING_MS) {
    const leaseInMs = counts.sending > 0 ? (facts.leaseInMs ?? claimableInMs) : claimableInMs;
    return leaseInMs < claimableInMs
      ? { do: 'wait', ms: atLeast(leaseInMs), until: 'lease' }
      : { do: 'wait', ms: claimableInMs, until: 'due' };
  }
  if (facts.interactive && watchedLong(facts)) return { do: 'wait', ms: NOW_AND_THEN_MS, until: 'sent' };
  const helpful = Math.ceil(unsent / ITEMS_PER_SLICE);
  return { do: 'dispatch', slices: Math.max(1, Math.min(MAX_SLICES, helpful, facts.aliveWorkers)) };
}

/** Nothing is unsent: wait for what is on the wire, then for what is unknown, then close. */
function afterSending(facts: OperationFacts): NextStep {
  if (facts.counts.sending > 0)
    return facts.interactive && !watchedLong(facts)
      ? { do: 'dispatch', slices: 1 }
      : { do: 'wait', ms: atLeast(facts.leaseInMs), until: 'lease' };
  if (facts.counts.unknown > 0 && (facts.reconcileInMs ?? 0) > 0)
    return { do: 'wait', ms: atLeast(facts.reconcileInMs), until: 'reconciled' };
  return { do: 'close' };
}

function watchedLong({ ageMs = 0 }: OperationFacts): boolean {
  return ageMs > WATCHED_FOR_MS;
}

function atLeast(ms: number | undefined): number {
  return Math.max(MIN_WAIT_MS, ms ?? MIN_WAIT_MS);
}
