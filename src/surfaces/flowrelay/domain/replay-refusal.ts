import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { ResendFate } from './sender-resend.ts';

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

/** The exact reasons of refusals, each with the code it belongs to. */
export const REFUSAL_REASONS = {
  not_terminal: 'unsafe_state',
  suppressed_duplicate: 'unsafe_state',
  resent: 'unsafe_state',
  endpoint_deleted: 'unsafe_state',
  not_ready: 'unsafe_state',
  not_confirmed: 'unsafe_state',
  duplicate_risk_not_confirmed: 'unsafe_state',
  preview_expired: 'unsafe_state',
  changed_since_preview: 'unsafe_state',
  actor_changed: 'unsafe_state',
  nothing_to_send: 'unsafe_state',
  payload_gone: 'expired_retention',
  replays_per_day: 'usage_limit',
  quota_exceeded: 'usage_limit',
  rejected_request: 'product_boundary',
  other_target: 'product_boundary',
  not_offered: 'product_boundary',
} as const satisfies Record<string, ReplayRefusalCode>;

/** A reason of {@link REFUSAL_REASONS}. */
export type RefusalReason = keyof typeof REFUSAL_REASONS;

/** Why a replay is not done. */
export interface ReplayRefusal {
  reason: RefusalReason;
  /** The preview is no longer true: only a new preview, under a new key, goes on. */
  freshPreview?: boolean;
  /** The first event, of which this one is a repeat. */
  firstEventId?: Id<'event'>;
  /** The later event that stands for this one. */
  resentAs?: Id<'event'>;
  retryAfterSeconds?: number;
  /** The fate of the event if its sender sent it again under the same id; set where a replay cannot help. */
  senderResend?: ResendFate;
}

/** The code of a refusal. */
export function refusalCode({ reason }: ReplayRefusal): ReplayRefusalCode {
  return REFUSAL_REASONS[reason];
}
