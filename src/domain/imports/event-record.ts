import { MAX_PAYLOAD_BYTES } from '../events/payload-limits.ts';
import { MAX_JSON_DEPTH, tooDeepAt } from '../json/json-depth.ts';
import { memberSlice } from '../json/member-slice.ts';
import { present } from '../present.ts';
import type { EventRecord, ImportRecord, ReadingContext, SourceLine } from './import-record.ts';
import { type KnownMembers, keptMembers, utf8Bytes } from './kept-members.ts';
import type { MemberReader } from './member-reader.ts';

/** What a format has read of a line, besides its payload. */
export type ReadEvent = {
  externalId: string;
  type: string;
  source?: string | undefined;
  key?: string | undefined;
  occurredAt?: string | undefined;
  delivery?: EventRecord['delivery'];
};

/**
 * Makes the record of an event, or names what is wrong with the line. The body is the text of the line at the path
 * `payload`, byte for byte. Without `known` nothing is kept besides.
 */
export function eventRecord(
  line: SourceLine,
  members: MemberReader,
  known: KnownMembers | undefined,
  payload: { path: readonly string[] } | { text: string; member: string },
  context: ReadingContext,
  event: ReadEvent,
): ImportRecord {
  if (members.refusal) return members.refusal;
  const body = 'path' in payload ? memberSlice(line.text, payload.path) : payload.text;
  const member = 'path' in payload ? payload.path.join('.') : payload.member;
  if (body === undefined) return { kind: 'refused', reason: 'missing', member };
  // A text has at most three bytes for each of its units.
  if (body.length > MAX_PAYLOAD_BYTES / 3 && utf8Bytes(body) > MAX_PAYLOAD_BYTES)
    return { kind: 'refused', reason: 'payload_too_large', member };
  if (!('path' in payload) && !isSendable(body))
    return { kind: 'refused', reason: 'payload_not_json', member };
  const kept = known === undefined ? {} : keptMembers(line.value, known);
  if (kept === 'too_large') return { kind: 'refused', reason: 'members_too_large' };
  return {
    kind: 'event',
    externalId: event.externalId,
    type: event.type,
    body,
    ...kept,
    ...present({
      source: event.source ?? context.source,
      key: event.key,
      occurredAt: event.occurredAt,
      delivery: event.delivery,
    }),
  };
}

/** Whether a text that stood in a string is JSON that can be kept and sent. */
function isSendable(body: string): boolean {
  if (/\p{Surrogate}/u.test(body) || tooDeepAt(body, MAX_JSON_DEPTH) !== undefined) return false;
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
}
