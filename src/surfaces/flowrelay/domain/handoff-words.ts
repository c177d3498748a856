import type { DuplicateRisk } from './plan-replay.ts';
import { type HandoffFacts, type HandoffStatus, handoffStatus, mayHaveStarted, wasTried } from './receipt.ts';

const MAY_HAVE_STARTED = 'processing may already have started';

/** Says what is known of a handoff, and no more. */
export function meaningOf(handoff: HandoffFacts): string {
  const told = MEANINGS[handoffStatus(handoff)](handoff);
  return handoff.resentAs === undefined || handoff.state === 'delivered'
    ? told
    : `${told} Its sender sent the event again, and the later one stands for it.`;
}

const MEANINGS: Record<HandoffStatus, (handoff: HandoffFacts) => string> = {
  queued: () => 'Accepted and waiting to be handed off.',
  processing: (handoff) =>
    `Not terminal yet: it is being handed off, or waits to be handed off again${startedWord(handoff)}.`,
  uncertain: () => `Not terminal yet: it was sent, its outcome is not known, and ${MAY_HAVE_STARTED}.`,
  delivered: ({ acceptedBy }) => {
    switch (acceptedBy) {
      case 'acknowledgement':
        return 'The endpoint acknowledged the handoff.';
      case 'resolution':
        return 'The endpoint accepted the handoff, by what a status request or an operator said; its own answer did not say so.';
      default:
        return 'The endpoint accepted the handoff.';
    }
  },
  failed: unacceptedMeaning,
  cancelled: (handoff) =>
    wasTried(handoff) ? unacceptedMeaning(handoff) : 'The handoff was called off before anything was sent.',
  not_ready: (handoff) => {
    const why = NOT_READY[handoff.reason ?? ''] ?? 'The endpoint was not ready for it';
    return wasTried(handoff)
      ? `${why}, and it was not sent again. ${unacceptedMeaning(handoff)}`
      : `${why}: nothing was sent.`;
  },
  suppressed: () => 'It repeats an earlier request, which stands for it here: nothing was sent.',
  retention_expired: (handoff) =>
    wasTried(handoff)
      ? `The payload was gone before it was sent again. ${unacceptedMeaning(handoff)}`
      : 'The payload was gone before it was sent.',
};

const NOT_READY: Record<string, string> = {
  endpoint_disabled: 'The endpoint was disabled',
  endpoint_deleted: 'The endpoint was deleted',
  no_longer_matches: 'The endpoint no longer wanted it',
  endpoint_changed: 'The endpoint was moved to another address',
  resent: 'It was not handed off',
};

/** Says what is known of a handoff that no answer accepted. */
function unacceptedMeaning(handoff: HandoffFacts): string {
  const told = attemptsMeaning(handoff);
  if (handoff.reason !== 'imported') return told === '' ? 'It was given up before anything was sent.' : told;
  return `Another system failed to hand it off, before it was imported. ${told}`.trim();
}

/** Says what its attempts show; nothing where there was none, and none is supposed. */
function attemptsMeaning(handoff: HandoffFacts): string {
  if (!wasTried(handoff)) return '';
  if (handoff.mayHaveArrived)
    return `No answer says that the endpoint accepted the handoff, but a request may have arrived: ${MAY_HAVE_STARTED}.`;
  if (handoff.failedThere)
    return `The endpoint answered with an error of its own (5xx): ${MAY_HAVE_STARTED}.`;
  return handoff.answered
    ? 'The endpoint refused the handoff.'
    : 'The endpoint was not reached: no request left whole.';
}

function startedWord(handoff: HandoffFacts): string {
  return mayHaveStarted(handoff) ? `; ${MAY_HAVE_STARTED}` : '';
}

/** The risk of a duplicate in words, or why none is expected. */
export const RISK_WORDS: Record<DuplicateRisk | 'none', string> = {
  delivered: 'The endpoint accepted an earlier handoff of this event: it may act on it twice.',
  uncertain:
    'An earlier handoff of this event may have arrived, and nobody knows: the endpoint may act on it twice.',
  failed_there:
    'The endpoint answered an earlier handoff of this event with an error of its own (5xx), perhaps after it had begun: it may act on it twice.',
  resent:
    'The sender sent this event again, and that delivery has an id of its own: the endpoint may act on both.',
  none: 'No earlier handoff of this event is known to have started anything: there was none, or the endpoint refused it or was not reached.',
};
