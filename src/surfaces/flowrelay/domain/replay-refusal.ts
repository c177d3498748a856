import { type HandoffFacts, mayHaveStarted, type ReceiptFacts } from './receipt.ts';

/** The codes by which a replay is refused; `missing_scope` is decided with the credential. */
export const REPLAY_REFUSALS = [
  'missing_scope',
  'unsafe_state',
  'expired_retention',
  'usage_limit',
  'product_boundary',
] as const;

/** One of {@link REPLAY_REFUSALS}. */
export type ReplayRefusalCode = (typeof REPLAY_REFUSALS)[number];

/** What exactly is in the way, with the code it belongs to. */
export const REFUSAL_REASONS = {
  not_terminal: 'unsafe_state',
  suppressed_duplicate: 'unsafe_state',
  not_ready: 'unsafe_state',
  not_confirmed: 'unsafe_state',
  duplicate_risk_not_confirmed: 'unsafe_state',
  preview_expired: 'unsafe_state',
  changed_since_preview: 'unsafe_state',
  actor_changed: 'unsafe_state',
  nothing_to_send: 'unsafe_state',
  payload_gone: 'expired_retention',
  replays_per_day: 'usage_limit',
  rejected_request: 'product_boundary',
  other_target: 'product_boundary',
  not_offered: 'product_boundary',
} as const satisfies Record<string, ReplayRefusalCode>;

/** A reason of {@link REFUSAL_REASONS}. */
export type RefusalReason = keyof typeof REFUSAL_REASONS;

/** Why a replay is not done. */
export interface ReplayRefusal {
  reason: RefusalReason;
  /** What was previewed is not what is now: only a new preview, under a new key, goes on. */
  freshPreview?: boolean;
  /** The first event, of which this one is a repeat. */
  firstEventId?: string;
  retryAfterSeconds?: number;
}

/** The code of a refusal. */
export function refusalCode({ reason }: ReplayRefusal): ReplayRefusalCode {
  return REFUSAL_REASONS[reason];
}

/** Whether a handoff can be replayed, as far as it alone decides, and what that needs. */
export type ReplayAvailability =
  | { available: true; needsDuplicateRiskConfirmation: boolean }
  | { available: false; reason: RefusalReason };

/** Whether one handoff of a receipt can be replayed; what is queued, sending or scheduled cannot, whoever confirms it. */
export function handoffAvailability(receipt: ReceiptFacts, handoff: HandoffFacts): ReplayAvailability {
  const refused = receiptRefusal(receipt);
  if (refused) return { available: false, reason: refused };
  if (handoff.open !== undefined && handoff.open !== 'unknown')
    return { available: false, reason: 'not_terminal' };
  return { available: true, needsDuplicateRiskConfirmation: mayHaveStarted(handoff) };
}

/** Whether anything of a receipt can be replayed. */
export function replayAvailability(receipt: ReceiptFacts): ReplayAvailability {
  const refused = receiptRefusal(receipt);
  if (refused) return { available: false, reason: refused };
  const handoffs = receipt.request === 'accepted' ? receipt.handoffs : [];
  const each = handoffs.map((handoff) => handoffAvailability(receipt, handoff));
  const possible = each.flatMap((one) => (one.available ? [one] : []));
  if (each.length > 0 && possible.length === 0) return { available: false, reason: 'not_terminal' };
  return {
    available: true,
    needsDuplicateRiskConfirmation: possible.some((one) => one.needsDuplicateRiskConfirmation),
  };
}

function receiptRefusal(receipt: ReceiptFacts): RefusalReason | undefined {
  if (receipt.request === 'rejected') return 'rejected_request';
  if (receipt.duplicate) return 'suppressed_duplicate';
  return receipt.retention === 'retained' ? undefined : 'payload_gone';
}
