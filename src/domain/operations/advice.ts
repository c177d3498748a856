import type { CircuitState } from '../sending/endpoint-health.ts';
import type { FaultCode } from '../sending/fault-code.ts';
import { FAULT_WORDS } from '../sending/fault-words.ts';
import type { Wait } from '../sending/waiting-for.ts';
import { exclusionOf, type RetryFacts, type RetryFate, type RetryRequest, retryFate } from './retry-fate.ts';
import { retryWords } from './retry-words.ts';
import type { ExclusionReason } from './selection.ts';

/** The steps that can be advised, the one that asks for least first. */
export const ADVICE_STEPS = [
  'none',
  'wait',
  'follow',
  'settle',
  'release',
  'fix_endpoint',
  'retry',
  'confirm',
  'send_again',
] as const;

/** Everything that decides what is to be done about a delivery. */
export interface AdviceFacts extends RetryFacts {
  attempts: number;
  /** It was imported from another system. */
  imported: boolean;
  /** Why its last attempt, or its preparation, did not deliver it. */
  faultCode?: FaultCode;
  /** An attempt of it may have arrived. */
  mayHaveArrived: boolean;
  /** What its open execution waits for. */
  waitingFor: readonly Wait[];
  circuit: CircuitState;
  /** Its event repeats an earlier one that is not kept any more. */
  firstGone?: boolean;
}

/** Ids as the caller reads them. */
export interface AdviceIds {
  deliveryId: string;
  /** What its receiver knows it by, where that is not its id: an import has kept it. */
  webhookId?: string;
  /** The id of its event in the system that it was imported from, where its receiver knows nothing else of it. */
  foreignEventId?: string;
  endpointId: string;
  /** The operation that holds it. */
  heldBy?: string;
  /** The delivery that stands for it. */
  resentBy?: string;
  /** The delivery before it of its key that is in the way. */
  blockedBy?: string;
}

/** The safest next step about a delivery, and why. */
export interface Advice {
  /** What became of it, and why it failed. */
  happened: string;
  step: (typeof ADVICE_STEPS)[number];
  why: string;
  /** The next call, as a sentence. */
  next: string;
  /** What a retry of it alone would do now, and as what it would be left out. */
  retry: { fate: RetryFate['fate']; reason?: ExclusionReason };
}

/** Looks without taking anything away from somebody else. */
const CAREFUL: RetryRequest = {
  kind: 'retry',
  takesOverScheduled: false,
  takesOverStopped: false,
  matchesFilters: false,
};

/** A retry of one delivery, as a human asks for it. */
const SINGLE: RetryRequest = { ...CAREFUL, takesOverStopped: true };

/** Advises the safest next step: by what a retry would meet, and then by why it failed. */
export function advise(facts: AdviceFacts, ids: AdviceIds): Advice {
  const fate = retryFate(facts, SINGLE);
  const reason = exclusionOf(fate, SINGLE);
  return {
    happened: happened(facts),
    ...nextStep(facts, ids),
    retry: { fate: fate.fate, ...(reason === undefined ? {} : { reason }) },
  };
}

type NextStep = Pick<Advice, 'step' | 'why' | 'next'>;

/** The step that somebody has to take where a retry can send nothing. */
const INSTEAD: Partial<Record<ExclusionReason, Advice['step']>> = {
  already_delivered: 'none',
  suppressed_duplicate: 'follow',
  resent: 'follow',
  payload_expired: 'send_again',
  endpoint_deleted: 'send_again',
  endpoint_disabled: 'fix_endpoint',
  outcome_unknown: 'settle',
  held: 'release',
};

function nextStep(facts: AdviceFacts, ids: AdviceIds): NextStep {
  const fate = retryFate(facts, CAREFUL);
  if (fate.fate === 'will_be_sent') return sendable(facts, ids);
  if (fate.fate === 'joins') return onItsWay(facts, ids);
  const reason = exclusionOf(fate, CAREFUL) ?? 'not_retryable';
  if (reason === 'suppressed_duplicate' && facts.firstGone)
    return {
      step: 'send_again',
      why: 'Its event repeats an earlier one, which is not kept any more.',
      next: 'Send the event again from its source (POST /api/v1/events): nothing stands for it now.',
    };
  return { step: INSTEAD[reason] ?? 'retry', ...retryWords(reason, ids) };
}

/** It is open, and somebody sends it without being asked, or would, were it not for something that does not pass. */
function onItsWay({ open, waitingFor }: AdviceFacts, ids: AdviceIds): NextStep {
  const look = `GET /api/v1/deliveries/${ids.deliveryId}`;
  if (open?.state === 'sending')
    return { step: 'wait', why: 'It is being sent at this moment.', next: `Look again (${look}).` };
  const waits = new Set(waitingFor.map(({ what }) => what));
  if (waits.has('endpoint_disabled'))
    return { step: 'fix_endpoint', ...retryWords('endpoint_disabled', ids) };
  if (waits.has('order') && ids.blockedBy !== undefined)
    return {
      step: 'follow',
      why: 'A delivery of its key before it is in the way.',
      next: `See to that one first (GET /api/v1/deliveries/${ids.blockedBy}/advice).`,
    };
  return {
    step: 'wait',
    why: 'It will be sent without further action.',
    next: `Nothing is to be done (${look} shows what it waits for). Where it cannot wait: POST /api/v1/retries with ${ids.deliveryId} and options.takeOverScheduled.`,
  };
}

/** Nothing is open, and a retry would send it: what speaks for doing something else first. */
function sendable({ faultCode, mayHaveArrived, circuit }: AdviceFacts, ids: AdviceIds): NextStep {
  const retry = `POST /api/v1/retries with ${ids.deliveryId}`;
  if (circuit === 'open')
    return {
      step: 'wait',
      why: 'Its endpoint could not be reached many times in a row, and is left alone for now.',
      next: `Wait until it answers (GET /api/v1/endpoints/${ids.endpointId}), or have it tried at once (POST …/enable). Then: ${retry}.`,
    };
  const words = faultCode === undefined ? undefined : FAULT_WORDS[faultCode];
  if (words?.fix !== undefined)
    return {
      step: 'fix_endpoint',
      why: 'The same request would end in the same way.',
      next: `${withIds(words.fix, ids)}. Then: ${retry}.`,
    };
  if (mayHaveArrived && ids.foreignEventId !== undefined)
    return {
      step: 'confirm',
      why: 'It may have arrived: sent from here, its receiver may get it twice, and under another `webhook-id`.',
      next: `Ask the receiver whether it has the event ${ids.foreignEventId}. Then: ${retry}.`,
    };
  if (mayHaveArrived)
    return {
      step: 'confirm',
      why: 'It may have arrived: sent again, its receiver may get it twice, with the same `webhook-id`.',
      next: `Ask the receiver whether it has ${ids.webhookId ?? ids.deliveryId}, or make sure that it knows repeats by their \`webhook-id\`. Then: ${retry}.`,
    };
  return { step: 'retry', why: 'Nothing speaks against sending it again.', next: `${retry}.` };
}

function happened({ delivery, attempts, imported, faultCode, mayHaveArrived }: AdviceFacts): string {
  if (delivery === 'delivered') return 'Its receiver has it.';
  const fault = faultCode === undefined ? undefined : FAULT_WORDS[faultCode].what;
  const arrived = mayHaveArrived ? ' It may have arrived all the same.' : '';
  if (fault !== undefined) return `${fault}${arrived}`;
  if (attempts === 0 && imported && delivery === 'failed')
    return `It failed in the system that it was imported from, which did not say why.${arrived}`;
  if (attempts === 0)
    return delivery === 'pending' ? 'No request was made for it yet.' : 'No request was ever made for it.';
  return `Its last attempt did not deliver it.${arrived}`;
}

function withIds(text: string, { deliveryId, endpointId }: AdviceIds): string {
  return text.replaceAll('{deliveryId}', deliveryId).replaceAll('{endpointId}', endpointId);
}
