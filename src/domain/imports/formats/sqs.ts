import { eventRecord } from '../event-record.ts';
import { ANY_ENDPOINT, type FormatReader } from '../import-record.ts';
import type { KnownMembers } from '../kept-members.ts';
import { MemberReader } from '../member-reader.ts';

const KNOWN: KnownMembers = {
  MessageId: true,
  // It deletes the message there.
  ReceiptHandle: true,
  MD5OfBody: true,
  MD5OfMessageAttributes: true,
  Body: true,
  Attributes: true,
  // The headers of a queue.
  MessageAttributes: true,
};

/** Attributes of a message in which senders write the type of their event. */
const TYPE_ATTRIBUTES = ['eventType', 'EventType', 'event_type', 'type', 'Type'];

/**
 * Reads messages of a dead-letter queue, as `aws sqs receive-message` prints them. A consumer had each of them and never
 * said that it was done with it, which may have been so.
 */
export const readSqs: FormatReader = (line, context) => {
  const members = new MemberReader(line.value, context.nowMs);
  const attributes = members.within('MessageAttributes');
  const named = TYPE_ATTRIBUTES.find((name) => attributes.has(name));
  const type =
    named === undefined
      ? attributes.type('eventType', context.eventType)
      : attributes.within(named).type('StringValue');
  const body = members.anyText('Body');
  if (body === undefined) members.miss('Body');
  return eventRecord(line, members, KNOWN, { text: body ?? '', member: 'Body' }, context, {
    externalId: members.text('MessageId'),
    type,
    occurredAt: members.within('Attributes').epochTime('SentTimestamp', 1),
    delivery: { endpoint: ANY_ENDPOINT, state: 'failed', attempts: [], mayHaveArrived: true },
  });
};
