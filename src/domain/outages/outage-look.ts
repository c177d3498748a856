import type { EndpointState } from '../endpoints/endpoint-state.ts';
import type { GoodSpell } from './attempts-told.ts';
import type { OutageRules } from './outage-rules.ts';
import type { OnRecovered, OutageEnd } from './outage-state.ts';

/** The facts of an outage that is open. */
export interface OpenOutageFacts {
  endpoint: EndpointState;
  spell?: GoodSpell;
  /** Since an operator enabled its endpoint, where nothing has failed since. */
  enabledForMs?: number;
  /** Something is to be sent to it within the time in which it would show that it is back. */
  dueSoon: boolean;
  /** It asked not to be called, or its circuit is open, or it is being tried. */
  restsNow: boolean;
  /** Since the last attempt, or since it was opened or enabled. */
  quietForMs: number;
  /** Deliveries that were sent as trials since it was opened. */
  trials: number;
}

/** The next step for an outage that is open. */
export type OpenStep = { do: 'wait' } | { do: 'recover' } | { do: 'try' } | { do: 'end'; for: OutageEnd };

/**
 * What is to be done about an outage that is open. Its endpoint is back when its attempts were delivered for long enough;
 * where nothing is due that could show it, one that was delivered is enough, or that an operator has enabled it. Where
 * not even that is there, one delivery of its window is sent as a trial, at growing distances.
 */
export function nextOfOpen(facts: OpenOutageFacts, rules: OutageRules): OpenStep {
  if (facts.endpoint === 'deleted') return { do: 'end', for: 'endpoint_deleted' };
  if (facts.endpoint === 'disabled') return { do: 'wait' };
  if (facts.spell && facts.spell.forMs >= rules.backForMs) return { do: 'recover' };
  if (facts.dueSoon) return { do: 'wait' };
  if (facts.spell) return { do: 'recover' };
  if (facts.enabledForMs !== undefined && facts.enabledForMs >= rules.settlesForMs) return { do: 'recover' };
  return !facts.restsNow && facts.quietForMs >= triesAfterMs(facts.trials, rules)
    ? { do: 'try' }
    : { do: 'wait' };
}

/** How long it must have been quiet before the next trial. */
export function triesAfterMs(
  trials: number,
  rules: Pick<OutageRules, 'triesAfterMs' | 'triesAtMostAfterMs'>,
): number {
  return Math.min(rules.triesAtMostAfterMs, rules.triesAfterMs * 2 ** Math.min(trials, 20));
}

/** So long after it was back only a human does something about an outage, as a rule. */
const SETTLED_AFTER_MS = 3_600_000;

/** Whether an outage about which there is nothing to be done is looked at rarely: enabling its endpoint has it looked at. */
export function isRarelyLookedAt(facts: OpenOutageFacts | Omit<RecoveredFacts, 'plan'>): boolean {
  return 'quietForMs' in facts
    ? facts.endpoint === 'disabled'
    : facts.forMs >= SETTLED_AFTER_MS && !facts.open;
}

/** The newest plan that a recovery has led to. */
export type RecoveryPlan =
  /** Being made, or waiting for its execution, which is due at once where it `runs`. */
  | { is: 'waiting'; runs: boolean; planned: boolean }
  | { is: 'running' }
  /** Executed and closed. */
  | { is: 'ended' }
  /** It ended without an execution, or somebody cancelled it. */
  | { is: 'cancelled' };

/** The facts of an outage whose endpoint is back. */
export interface RecoveredFacts {
  endpoint: EndpointState;
  onRecovered: OnRecovered;
  /** Since it was back. */
  forMs: number;
  /** How long its tenant keeps payloads; for ever where absent. */
  retentionMs?: number;
  /** Something of its window is queued, scheduled or on the wire. */
  open: boolean;
  /** Something of its window is failed, unknown or ignored. */
  left: boolean;
  /** Something of its window has failed since it was back. */
  failedSince: boolean;
  /** Something of its window was to be sent by itself when it was back. */
  hadOpen: boolean;
  plannedAgain: boolean;
  plan?: RecoveryPlan;
}

/** The next step for an outage whose endpoint is back. */
export type RecoveredStep =
  | { do: 'wait' }
  | { do: 'execute' }
  /** What is left is planned once more; without a plan it is only noted that there was no need. */
  | { do: 'plan_again'; plan: boolean }
  | { do: 'end'; for: OutageEnd };

/**
 * What is to be done about an outage whose endpoint is back. When the last that was to be sent by itself has ended, and so
 * has its plan where that was executed, what has failed meanwhile is planned once more.
 */
export function nextOfRecovered(facts: RecoveredFacts): RecoveredStep {
  if (facts.endpoint === 'deleted') return { do: 'end', for: 'endpoint_deleted' };
  if (!facts.open && !facts.left) return { do: 'end', for: 'nothing_left' };
  if (facts.retentionMs !== undefined && facts.forMs >= facts.retentionMs)
    return { do: 'end', for: 'retention' };
  if (facts.plan?.is === 'waiting' && facts.plan.runs) return { do: facts.plan.planned ? 'execute' : 'wait' };
  if (facts.onRecovered === 'none' || facts.plannedAgain || !mayPlanAgain(facts)) return { do: 'wait' };
  return { do: 'plan_again', plan: facts.failedSince };
}

function mayPlanAgain({ open, hadOpen, plan }: RecoveredFacts): boolean {
  if (open || plan?.is === 'running') return false;
  return plan?.is === 'ended' || hadOpen;
}

/** Whether the plan of a window is executed as soon as it is planned. */
export function runsAtOnce(
  onRecovered: OnRecovered,
  windowMs: number,
  { runsUpToMs }: Pick<OutageRules, 'runsUpToMs'>,
): boolean {
  return onRecovered === 'run' && windowMs <= runsUpToMs;
}
