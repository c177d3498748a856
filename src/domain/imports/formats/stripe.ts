import { eventRecord } from '../event-record.ts';
import { ANY_ENDPOINT, type FormatReader } from '../import-record.ts';
import { MemberReader } from '../member-reader.ts';

/** The whole of the event is its payload: nothing of it is left to be kept besides. */
const PAYLOAD: readonly string[] = [];

/**
 * Reads events of Stripe, which are sent as they are. Which endpoint has failed to get one is not told, nor why: whether
 * it has arrived nobody can tell.
 */
export const readStripe: FormatReader = (line, context) => {
  const members = new MemberReader(line.value, context.nowMs);
  if (members.has('object') && line.value.object !== 'event') members.wrong('object');
  const created = members.epochTime('created', 1_000);
  if (created === undefined) members.miss('created');
  if (!members.has('data')) members.miss('data');
  const delivery = { endpoint: ANY_ENDPOINT, state: 'failed', attempts: [], mayHaveArrived: true } as const;
  const event = {
    externalId: members.text('id'),
    type: members.type('type'),
    occurredAt: created,
    delivery: { ...delivery, attempts: [] },
  };
  if (members.optionalCount('pending_webhooks', 0, 1_000_000) === 0 && !members.refusal)
    return { kind: 'refused', reason: 'was_delivered' };
  return eventRecord(line, members, undefined, { path: PAYLOAD }, context, event);
};
