import type { FaultCode } from '../../sending/fault-code.ts';
import { eventRecord } from '../event-record.ts';
import { anyMayHaveArrived, attemptKey, endedWithFault, endedWithStatus } from '../foreign-ending.ts';
import type { ForeignAttempt, FormatReader } from '../import-record.ts';
import type { KnownMembers } from '../kept-members.ts';
import { MemberReader } from '../member-reader.ts';

const KNOWN: KnownMembers = {
  id: true,
  type: true,
  source: true,
  key: true,
  occurredAt: true,
  payload: true,
  endpoint: true,
  state: true,
  attempts: { id: true, at: true, status: true, error: true, durationMs: true, response: true },
  mayHaveArrived: true,
};

/** The faults that an attempt without an answer can name. */
export const NDJSON_ERRORS = [
  'timeout',
  'connect_timeout',
  'connection_refused',
  'connection_reset',
  'connection_failed',
  'dns_failure',
  'tls_failure',
  'invalid_response',
  'no_answer',
] as const satisfies readonly FaultCode[];

const MAX_ATTEMPTS = 100;

/** Reads Redrive's own format: an event with one delivery, and the attempts that were made. */
export const readNdjson: FormatReader = (line, context) => {
  const members = new MemberReader(line.value, context.nowMs);
  const attempts = members.list('attempts', MAX_ATTEMPTS).map(readAttempt);
  const said = members.word('state', ['failed', 'delivered']);
  const arrived = attempts.some(({ outcome }) => outcome === 'delivered');
  // An answer 2xx says that it was delivered, and `failed` that it was not.
  if (said === 'failed' && arrived) members.wrong('state');
  if (said === 'delivered' && !arrived) members.miss('attempts');
  const mayHaveArrived = members.flag('mayHaveArrived') ?? attempts.length === 0;
  return eventRecord(line, members, KNOWN, { path: ['payload'] }, context, {
    externalId: members.text('id'),
    type: members.type('type', context.eventType),
    source: members.optionalText('source'),
    key: members.optionalText('key'),
    occurredAt: members.optionalTime('occurredAt'),
    delivery: {
      endpoint: members.text('endpoint'),
      state: arrived ? 'delivered' : 'failed',
      attempts,
      mayHaveArrived: mayHaveArrived || anyMayHaveArrived(attempts),
    },
  });
};

function readAttempt(members: MemberReader): ForeignAttempt {
  const at = members.time('at');
  const status = members.optionalCount('status', 100, 999);
  const error = members.word('error', NDJSON_ERRORS);
  if (status === undefined && error === undefined) members.miss('status');
  if (status !== undefined && error !== undefined) members.wrong('error');
  const ending = status === undefined ? endedWithFault(error ?? 'no_answer') : endedWithStatus(status);
  const excerpt = members.anyText('response');
  return {
    ...ending,
    key: members.optionalText('id') ?? attemptKey(at, ending),
    at,
    durationMs: members.durationMs('durationMs'),
    ...(excerpt === undefined ? {} : { excerpt }),
  };
}
