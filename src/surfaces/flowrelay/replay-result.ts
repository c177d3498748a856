import type { z } from 'zod';
import { showId } from '../../domain/tenancy/typed-id.ts';
import { meaningOf } from './domain/handoff-words.ts';
import { type HandoffFacts, handoffStatus } from './domain/receipt.ts';
import type { ReplayResultView } from './receipt-schema.ts';
import type { ReplayResult } from './store/replay-results.ts';

/** The result of one handoff that a replay made, and of this one alone: the receipt folds all of them. */
export function resultView(result: ReplayResult): z.input<typeof ReplayResultView> {
  const common = {
    deliveryId: showId('delivery', result.deliveryId),
    requests: result.requests,
    statusCode: result.httpStatus ?? null,
    faultCode: (result.faultCode as z.input<typeof ReplayResultView>['faultCode']) ?? null,
    endedAt: result.endedAt?.toISOString() ?? null,
  };
  if (result.state === 'superseded')
    return {
      ...common,
      status: 'taken_over',
      meaning: 'Another retry took it over before it was sent.',
    };
  const facts = factsOfResult(result);
  return { ...common, status: handoffStatus(facts), meaning: meaningOf(facts) };
}

function factsOfResult({ state, reason, requests, ...seen }: ReplayResult): HandoffFacts {
  const open = state === 'queued' || state === 'scheduled' || state === 'sending' || state === 'unknown';
  return {
    state: open ? 'pending' : state === 'superseded' ? 'cancelled' : state,
    ...(open ? { open: state } : {}),
    attempted: requests > 0,
    ...(reason === undefined ? {} : { reason }),
    mayHaveArrived: seen.mayHaveArrived,
    failedThere: seen.failedThere,
    answered: seen.answered,
    ...(state === 'delivered'
      ? {
          acceptedBy: reason === 'acknowledged' ? 'acknowledgement' : seen.accepted ? 'answer' : 'resolution',
        }
      : {}),
    endpointState: 'enabled',
  };
}
