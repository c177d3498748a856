import { type AcceptedFacts, handoffStatus, isResent, outcomeOf, type ReceiptFacts } from './receipt.ts';
import { decideReplay, type ReplayUsage } from './replay-decision.ts';
import type { ResendFate } from './sender-resend.ts';

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

/** The next step, and the reason. */
export interface Guidance {
  recommended: RecoveryPath;
  /** The row of the document's table that applies; none where there is nothing to recover. */
  situation?: RecoverySituation;
  why: string;
  /** Replay only by explicit confirmation: processing behind the endpoint may have begun. */
  explicitConfirmation: boolean;
}

/** The facts that the guide looks at in addition to the receipt. */
export interface GuideContext {
  usage: ReplayUsage;
  newBusinessEvent: boolean;
  /** Of a suppressed duplicate: the receipt that stands for it; undefined where that is not there any more. */
  standing?: ReceiptFacts | undefined;
  /** The fate of a further resend. */
  senderResend: ResendFate;
}

/** The safest way on from a receipt; a sender that means a new business event goes its own way in any case. */
export function guidanceFor(facts: ReceiptFacts, context: GuideContext): Guidance {
  const decision = decideReplay(facts, context.usage);
  const explicitConfirmation = decision.possible && decision.needsConfirmation;
  const say = (recommended: RecoveryPath, why: string, situation?: RecoverySituation): Guidance => ({
    recommended,
    ...(situation ? { situation } : {}),
    why,
    explicitConfirmation,
  });
  const byRow = (situation: RecoverySituation, recommended: RecoveryPath): Guidance =>
    say(recommended, RECOVERY_SITUATIONS[situation].why, situation);

  if (context.newBusinessEvent) return byRow('new_business_event', 'sender_resend');
  if (facts.request === 'rejected') return byRow('rejected', 'sender_resend');
  const outcome = outcomeOf(facts);
  switch (outcome) {
    case 'duplicate_suppressed':
      return say(...ofDuplicate(context));
    case 'delivered':
      return say(
        'none',
        !decision.possible && decision.refusal.reason === 'not_terminal'
          ? 'The endpoint accepted the handoff: there is nothing to recover. A replay of it is under way.'
          : 'The endpoint accepted the handoff: there is nothing to recover.',
      );
    case 'accepted':
      return byRow('not_terminal', 'wait');
    case 'processing':
      return facts.handoffs.some((handoff) => handoffStatus(handoff) === 'uncertain')
        ? byRow('not_terminal', 'inspect_diagnostics')
        : byRow('not_terminal', 'wait');
    case 'failed':
    case 'no_workflow':
      break;
  }
  if (isResent(facts) || isOvertaken(facts))
    return say(
      'none',
      'The sender sent this event again: the receipt that `resentReceiptId` names says what becomes of it.',
    );
  if (facts.retention !== 'retained') return byRow('unavailable', 'sender_resend');
  if (!decision.possible)
    switch (decision.refusal.reason) {
      case 'replays_per_day':
        return decision.refusal.retryAfterSeconds === undefined
          ? say('inspect_diagnostics', 'The tenant may have no replays: have its limit raised first.')
          : say(
              'wait',
              'As many replays as the tenant may have in 24 hours were executed: wait for the next.',
            );
      case 'endpoint_deleted':
        return say(
          'sender_resend',
          'The endpoint is deleted, and nothing can be replayed there. A resend goes to the endpoints that want it now.',
          'unavailable',
        );
      default:
        return say('wait', 'Nothing of this receipt can be replayed at present.');
    }
  if (!explicitConfirmation) return byRow('not_ready', 'flowrelay_replay');
  return say(
    'inspect_diagnostics',
    'When processing may already have started, prefer manual review, diagnostics, and explicit replay confirmation over automatic retries.',
    'not_ready',
  );
}

/** The way on from a suppressed duplicate follows from the outcome of the request that stands for it. */
function ofDuplicate({
  standing,
  usage,
  senderResend,
}: GuideContext): [recommended: RecoveryPath, why: string, situation?: RecoverySituation] {
  if (standing === undefined || standing.request === 'rejected')
    return senderResend.samePayload === 'suppressed'
      ? [
          'none',
          'This request repeats an earlier one, whose receipt is not there any more and whose event still stands for it: a further resend would be suppressed, too.',
        ]
      : [
          'sender_resend',
          'This request repeats an earlier one, whose receipt is not there any more: `senderResend` says where a further resend is delivered.',
          'unavailable',
        ];
  switch (outcomeOf(standing)) {
    case 'delivered':
      return [
        'none',
        'This request repeats an earlier one, which was delivered: there is nothing to recover.',
      ];
    case 'accepted':
    case 'processing':
      return ['wait', 'This request repeats an earlier one, which is still on its way: see its receipt.'];
    default: {
      const decision = decideReplay(standing, usage);
      if (decision.possible)
        return [
          'flowrelay_replay',
          'This request repeats an earlier one, which was not delivered and can be replayed: replay that one.',
        ];
      return decision.refusal.reason === 'payload_gone' || decision.refusal.reason === 'endpoint_deleted'
        ? [
            'sender_resend',
            'This request repeats an earlier one, which can no longer be replayed: a further resend is a new delivery.',
          ]
        : [
            'inspect_diagnostics',
            'This request repeats an earlier one: see what keeps that one from being replayed.',
          ];
    }
  }
}

/** Nothing was ready for it, and a later event of the same id stands for it. */
function isOvertaken({ resentAs, handoffs }: AcceptedFacts): boolean {
  return resentAs !== undefined && handoffs.length === 0;
}
