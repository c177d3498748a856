import { eventRecord } from '../event-record.ts';
import { anyMayHaveArrived, endedWithFault, endedWithStatus } from '../foreign-ending.ts';
import type { ForeignDelivery, ForeignEnding, FormatReader, ReadingContext } from '../import-record.ts';
import type { KnownMembers } from '../kept-members.ts';
import { MemberReader } from '../member-reader.ts';

const KNOWN_OF_MESSAGE: KnownMembers = { id: true, eventType: true, payload: true, timestamp: true };
const KNOWN_OF_ATTEMPT: KnownMembers = {
  endpointId: true,
  id: true,
  msg: KNOWN_OF_MESSAGE,
  msgId: true,
  response: true,
  responseDurationMs: true,
  responseStatusCode: true,
  status: true,
  statusText: true,
  timestamp: true,
  triggerType: true,
  // The address there may hold a credential; the endpoint here has its own.
  url: true,
};

/** `MessageStatus` of its API. */
const STATUS = { success: 0, pending: 1, fail: 2, sending: 3, cancelled: 4 } as const;

/**
 * Reads messages and attempts of Svix. An attempt brings its message with it (`with_msg=true`), or follows the line of
 * its message; a message alone is an event that no endpoint has failed to get yet.
 */
export const readSvix: FormatReader = (line, context) =>
  'msgId' in line.value ? readAttempt(line, context) : readMessage(line, context);

const readMessage: FormatReader = (line, context) => {
  const members = new MemberReader(line.value, context.nowMs);
  return eventRecord(
    line,
    members,
    KNOWN_OF_MESSAGE,
    { path: ['payload'] },
    context,
    messageOf(members, context),
  );
};

const readAttempt: FormatReader = (line, context) => {
  const members = new MemberReader(line.value, context.nowMs);
  const status = members.count('status', 0, 4);
  if (!members.refusal && (status === STATUS.pending || status === STATUS.sending))
    return { kind: 'refused', reason: 'not_ended' };
  const externalId = members.text('msgId');
  const delivery = deliveryOf(members, status);
  if (!members.has('msg')) {
    const { source } = context;
    return (
      members.refusal ?? {
        kind: 'attempts',
        externalId,
        delivery,
        ...(source === undefined ? {} : { source }),
      }
    );
  }
  const message = members.within('msg');
  const event = messageOf(message, context);
  if (event.externalId !== externalId) message.wrong('id');
  return eventRecord(line, members, KNOWN_OF_ATTEMPT, { path: ['msg', 'payload'] }, context, {
    ...event,
    delivery,
  });
};

function messageOf(members: MemberReader, context: ReadingContext) {
  return {
    externalId: members.text('id'),
    type: members.type('eventType', context.eventType),
    occurredAt: members.optionalTime('timestamp'),
  };
}

function deliveryOf(members: MemberReader, status: number): ForeignDelivery {
  const ending = endingOf(status, members.count('responseStatusCode', 0, 999));
  const excerpt = members.anyText('response');
  const attempts = [
    {
      ...ending,
      key: members.text('id'),
      at: members.time('timestamp'),
      durationMs: members.durationMs('responseDurationMs'),
      ...(excerpt ? { excerpt } : {}),
    },
  ];
  return {
    endpoint: members.text('endpointId'),
    state: ending.outcome === 'delivered' ? 'delivered' : 'failed',
    attempts,
    mayHaveArrived: anyMayHaveArrived(attempts),
  };
}

/** A code of 0 is no answer; why there was none is said in words only. */
function endingOf(status: number, code: number): ForeignEnding {
  if (status === STATUS.success) return { outcome: 'delivered', ...(code === 0 ? {} : { httpStatus: code }) };
  if (status === STATUS.cancelled) return endedWithFault('gave_up');
  if (code < 100) return endedWithFault('no_answer');
  const ending = endedWithStatus(code);
  // It calls a 2xx failed where what came with it was cut off.
  return ending.outcome === 'delivered'
    ? { outcome: 'ambiguous', faultCode: 'invalid_response', httpStatus: code }
    : ending;
}
