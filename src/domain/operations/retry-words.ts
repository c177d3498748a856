import type { ExclusionReason } from './selection.ts';

/** Ids as the caller reads them; an id that is not known is written as a placeholder. */
export interface WordsFor {
  deliveryId?: string;
  endpointId?: string;
  /** The operation that holds the delivery. */
  heldBy?: string;
  /** The delivery that stands for it since its sender sent the event again. */
  resentBy?: string;
}

/** Why nothing is sent by a retry, and the next call. */
interface Words {
  /** One sentence; "it" is the delivery. */
  why: string;
  next: string;
}

/** The sentences for everything that a retry can meet instead of sending; the only place where they stand. */
const WORDS: Record<ExclusionReason, (of: Required<WordsFor>) => Words> = {
  coalesced: () => ({
    why: 'Another execution of it is open and will be sent.',
    next: 'Nothing is to be done; `GET` the execution that is named to follow it.',
  }),
  held: ({ heldBy }) => ({
    why: 'An operation that was stopped, or waits for approval, holds it.',
    next: `Resume, approve or cancel that operation (POST /api/v1/retries/${heldBy}/resume, …/approve or …/cancel), or retry it alone.`,
  }),
  outcome_unknown: ({ deliveryId }) => ({
    why: 'Its last attempt may have arrived, and nothing is sent before that is known.',
    next: `Wait for the acknowledgement or the status request, or say what became of it (POST /api/v1/deliveries/${deliveryId}/resolve).`,
  }),
  already_delivered: ({ deliveryId }) => ({
    why: 'It is delivered already.',
    next: `Where it is to be sent again all the same: POST /api/v1/retries with mode replay and ${deliveryId}.`,
  }),
  changed_since: ({ deliveryId }) => ({
    why: 'It changed after the retry was accepted.',
    next: `Look at it (GET /api/v1/deliveries/${deliveryId}) and retry it where that is still wanted.`,
  }),
  suppressed_duplicate: ({ deliveryId }) => ({
    why: 'Its event repeats an earlier one.',
    next: `Retry the first event, which its event names (GET /api/v1/deliveries/${deliveryId}), or, where that is not kept any more, send it again from its source (POST /api/v1/events).`,
  }),
  resent: ({ deliveryId, resentBy }) => ({
    why: 'Its sender sent the event again, and a later delivery stands for it.',
    next: `Follow that delivery (GET /api/v1/deliveries/${resentBy}); where this one is to be sent all the same: POST /api/v1/retries with mode replay, options.includeResent and ${deliveryId}.`,
  }),
  payload_expired: () => ({
    why: 'Its payload is no longer retained.',
    next: 'Send the event again from its source (POST /api/v1/events), under another id where it was delivered, or is a replay of what was: a repeat would be suppressed.',
  }),
  endpoint_disabled: ({ endpointId }) => ({
    why: 'Its endpoint is disabled.',
    next: `Enable it (POST /api/v1/endpoints/${endpointId}/enable) and retry.`,
  }),
  endpoint_deleted: () => ({
    why: 'Its endpoint is deleted.',
    next: 'Create an endpoint that takes its place and send the event again from its source (POST /api/v1/events).',
  }),
  endpoint_changed: () => ({
    why: 'Its endpoint has another address than the plan showed.',
    next: 'Make a plan of what is left (POST /api/v1/retries/plans with remainderOf), which shows the new address.',
  }),
  no_longer_matches: ({ endpointId }) => ({
    why: 'Its endpoint no longer wants such events.',
    next: `Change what it wants (PATCH /api/v1/endpoints/${endpointId}), or retry without matching afresh.`,
  }),
  already_retried: ({ deliveryId }) => ({
    why: 'The execution that was named was retried before.',
    next: `Retry the newest execution (GET /api/v1/deliveries/${deliveryId}).`,
  }),
  not_retryable: ({ deliveryId }) => ({
    why: 'The execution that was named is not as the request asked for.',
    next: `Look at it (GET /api/v1/deliveries/${deliveryId}) and name what applies.`,
  }),
};

/** Says in a sentence each why nothing is sent, and what to do next. */
export function retryWords(
  reason: ExclusionReason,
  {
    deliveryId = '{deliveryId}',
    endpointId = '{endpointId}',
    heldBy = '{operationId}',
    resentBy = '{deliveryId}',
  }: WordsFor = {},
): Words {
  return WORDS[reason]({ deliveryId, endpointId, heldBy, resentBy });
}
