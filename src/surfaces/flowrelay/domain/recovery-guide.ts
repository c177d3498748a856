import { handoffStatus, mayHaveStarted, outcomeOf, type ReceiptFacts } from './receipt.ts';

/** The ways on from a receipt, the one of lowest risk first where several are possible. */
export const RECOVERY_PATHS = [
  'none',
  'wait',
  'inspect_diagnostics',
  'flowrelay_replay',
  'sender_resend',
] as const;

/** One of {@link RECOVERY_PATHS}. */
export type RecoveryPath = (typeof RECOVERY_PATHS)[number];

/** The situations that the document tells apart, in its words. */
export const RECOVERY_SITUATIONS = {
  rejected: {
    situation: 'FlowRelay rejected the request',
    use: 'Sender resend',
    why: 'FlowRelay does not have a trusted accepted event to replay.',
  },
  not_ready: {
    situation: 'FlowRelay accepted the event but setup was not ready',
    use: 'FlowRelay replay after a fix',
    why: 'The retained event can be handed to Shopify Flow after endpoint or workflow readiness is corrected.',
  },
  not_terminal: {
    situation: 'Processing is not terminal yet',
    use: 'Wait for FlowRelay reconciliation or inspect diagnostics',
    why: 'Automatic duplicate side effects are avoided when processing may already have started.',
  },
  unavailable: {
    situation: 'Retention expired or replay is unavailable',
    use: 'Sender resend',
    why: 'FlowRelay no longer has replayable event material.',
  },
  new_business_event: {
    situation: 'The source system intentionally emits a new business event',
    use: 'Sender resend or new send',
    why: 'That is a new source-owned event, not FlowRelay recovery.',
  },
} as const;

/** Name of one of {@link RECOVERY_SITUATIONS}. */
export type RecoverySituation = keyof typeof RECOVERY_SITUATIONS;

/** What to do next, and why. */
export interface Guidance {
  recommended: RecoveryPath;
  /** The row of the document's table that applies; none where there is nothing to recover. */
  situation?: RecoverySituation;
  why: string;
  /** Replay only by explicit confirmation: what is behind the endpoint may have begun. */
  explicitConfirmation: boolean;
}

/** The safest way on from a receipt; a sender that means a new business event goes its own way whatever happened. */
export function guidanceFor(facts: ReceiptFacts, intent: { newBusinessEvent: boolean }): Guidance {
  if (intent.newBusinessEvent) return byRow('new_business_event', 'sender_resend');
  if (facts.request === 'rejected') return byRow('rejected', 'sender_resend');
  switch (outcomeOf(facts)) {
    case 'duplicate_suppressed':
      return {
        recommended: 'none',
        why: 'This request repeats an earlier one: the first receipt says what became of it.',
        explicitConfirmation: false,
      };
    case 'delivered':
      return {
        recommended: 'none',
        why: 'The endpoint accepted the handoff: there is nothing to recover.',
        explicitConfirmation: facts.retention === 'retained',
      };
    case 'accepted':
      return byRow('not_terminal', 'wait');
    case 'processing':
      return facts.handoffs.some((handoff) => handoffStatus(handoff) === 'uncertain')
        ? byRow('not_terminal', 'inspect_diagnostics', true)
        : byRow('not_terminal', 'wait');
    default:
      return afterFailure(facts);
  }
}

function afterFailure({ retention, handoffs }: Extract<ReceiptFacts, { request: 'accepted' }>): Guidance {
  if (retention !== 'retained') return byRow('unavailable', 'sender_resend');
  const started = handoffs.some(
    (handoff) => handoffStatus(handoff) !== 'delivered' && mayHaveStarted(handoff),
  );
  if (!started) return byRow('not_ready', 'flowrelay_replay');
  return {
    recommended: 'inspect_diagnostics',
    situation: 'not_ready',
    why: 'When processing may already have started, prefer manual review, diagnostics, and explicit replay confirmation over automatic retries.',
    explicitConfirmation: true,
  };
}

function byRow(
  situation: RecoverySituation,
  recommended: RecoveryPath,
  explicitConfirmation = false,
): Guidance {
  return { recommended, situation, why: RECOVERY_SITUATIONS[situation].why, explicitConfirmation };
}
