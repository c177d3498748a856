import type { OperationCounts } from './operation-counts.ts';
import { unsentItems } from './operation-counts.ts';
import type { Control, OperationState } from './operation-state.ts';
import { hasEnded } from './operation-state.ts';

/** The facts of an operation in Postgres at one moment. Times are milliseconds from that moment. */
export interface OperationFacts {
  state: OperationState;
  control: Control;
  selected: boolean;
  /** It is a plan that has been made and waits; absent for what is no plan. */
  planned?: boolean;
  interactive: boolean;
  counts: OperationCounts;
  /** When an unsent item of it can be claimed next; absent when none of its items is unsent. */
  claimableInMs?: number;
  /** It is the end of a freeze window that has to come for that. */
  windowHolds?: boolean;
  /** When the first lease of its claims ends. */
  leaseInMs?: number;
  /** When the last of its unknown items stops being waited for. */
  reconcileInMs?: number;
  /** When a canary's time is over, or a span of its ramp. */
  judgeInMs?: number;
  /** When an execution that it joined, and that will be sent without a human, can be; absent where there is none. */
  joinedInMs?: number;
  /** When a paused or halted one is cancelled by itself. */
  expiresInMs?: number;
  /** Its counts are frozen: nothing is left but to hash its lines and sign its report. */
  frozen?: boolean;
  /** A step of it failed, and nothing is tried again before its owner, or its expiry, says so. */
  stuck: boolean;
  /** How long ago it was accepted. */
  ageMs?: number;
  aliveWorkers: number;
}

/** The next step of its workflow. */
export type NextStep =
  | { do: 'select' }
  | { do: 'dispatch'; slices: number }
  | {
      do: 'wait';
      ms: number;
      until: 'lease' | 'due' | 'window_ends' | 'reconciled' | 'judged' | 'joined' | 'expiry' | 'sent';
    }
  | { do: 'close' }
  | { do: 'end' };

type Wait = Extract<NextStep, { do: 'wait' }>;

/** Slices of one operation at most, over all workers. */
const MAX_SLICES = 8;

/** Below so many unsent items one more slice costs more than it helps. */
const ITEMS_PER_SLICE = 2_000;

/** A wait that is shorter is spent inside a slice, where it costs no history. */
const WORTH_WAITING_MS = 5_000;

/**
 * An interactive operation is watched closely for this time; then it is looked at now and then, and holds no step's
 * place.
 */
const WATCHED_FOR_MS = 3_000;
const NOW_AND_THEN_MS = 5_000;

const MIN_WAIT_MS = 200;

/** A joined execution belongs to others: it is asked after ever less often; the sweeper notices its end in between. */
const JOINED_POLL_MS = 1_000;
const JOINED_POLL_MAX_MS = 60_000;
const JOINED_AGE_SHARE = 1 / 10;

/** Decides an operation's next step from the facts; every answer but `end` leads to another. */
export function nextStep(facts: OperationFacts): NextStep {
  const { counts, control } = facts;
  if (hasEnded(facts.state)) return { do: 'end' };
  if (facts.stuck) return { do: 'wait', ms: atLeast(facts.expiresInMs), until: 'expiry' };
  if (facts.frozen) return { do: 'close' };
  const unsent = unsentItems(counts);
  if (control === 'cancel') return unsent > 0 ? { do: 'close' } : afterSending(facts);
  if (facts.state === 'planned')
    return facts.planned ? { do: 'wait', ms: atLeast(facts.expiresInMs), until: 'expiry' } : { do: 'select' };
  // A pause, or a policy, holds back unsent items: where there are none, nothing has to wait for a human.
  const stopped = control === 'pause' || facts.state === 'awaiting_approval';
  if (stopped && (!facts.selected || unsent > 0))
    return { do: 'wait', ms: atLeast(facts.expiresInMs), until: 'expiry' };
  if (!facts.selected) return { do: 'select' };
  if (unsent === 0) return afterSending(facts);
  // Unsent a moment ago, and now in nobody's queue: somebody is claiming the items that were counted.
  if (facts.claimableInMs === undefined) return { do: 'wait', ms: MIN_WAIT_MS, until: 'sent' };
  const { claimableInMs } = facts;
  if (claimableInMs > WORTH_WAITING_MS)
    return firstOf({ do: 'wait', ms: claimableInMs, until: facts.windowHolds ? 'window_ends' : 'due' }, [
      [counts.sending > 0 ? facts.leaseInMs : undefined, 'lease'],
      [facts.judgeInMs, 'judged'],
    ]);
  if (facts.interactive && watchedLong(facts)) return { do: 'wait', ms: NOW_AND_THEN_MS, until: 'sent' };
  const helpful = Math.ceil(unsent / ITEMS_PER_SLICE);
  return { do: 'dispatch', slices: Math.max(1, Math.min(MAX_SLICES, helpful, facts.aliveWorkers)) };
}

/** The wait that ends first. */
function firstOf(wait: Wait, others: [number | undefined, Wait['until']][]): Wait {
  return others.reduce(
    (first, [ms, until]) =>
      ms !== undefined && ms < first.ms ? { do: 'wait', ms: atLeast(ms), until } : first,
    wait,
  );
}

/**
 * Nothing is unsent: wait for the items on the wire, then for unknown ones and for deliveries that others send, then
 * close. A cancel waits for the wire alone: an item that is settled later is an addendum.
 */
function afterSending(facts: OperationFacts): NextStep {
  if (facts.counts.sending > 0)
    return facts.interactive && !watchedLong(facts)
      ? { do: 'dispatch', slices: 1 }
      : { do: 'wait', ms: atLeast(facts.leaseInMs), until: 'lease' };
  if (facts.control === 'cancel') return { do: 'close' };
  if (facts.counts.unknown > 0 && (facts.reconcileInMs ?? 0) > 0)
    return { do: 'wait', ms: atLeast(facts.reconcileInMs), until: 'reconciled' };
  if (facts.joinedInMs !== undefined)
    return { do: 'wait', ms: Math.max(facts.joinedInMs, joinedPollMs(facts)), until: 'joined' };
  return { do: 'close' };
}

function joinedPollMs({ ageMs = 0 }: OperationFacts): number {
  return Math.min(JOINED_POLL_MAX_MS, Math.max(JOINED_POLL_MS, ageMs * JOINED_AGE_SHARE));
}

function watchedLong({ ageMs = 0 }: OperationFacts): boolean {
  return ageMs > WATCHED_FOR_MS;
}

function atLeast(ms: number | undefined): number {
  return Math.max(MIN_WAIT_MS, ms ?? MIN_WAIT_MS);
}
