import type { FaultCode } from '../../sending/fault-code.ts';
import { eventRecord } from '../event-record.ts';
import { anyMayHaveArrived, attemptKey, endedWithFault, endedWithStatus } from '../foreign-ending.ts';
import type { ForeignAttempt, ForeignEnding, FormatReader } from '../import-record.ts';
import type { KnownMembers } from '../kept-members.ts';
import { MemberReader } from '../member-reader.ts';

const KNOWN: KnownMembers = {
  id: true,
  destination_id: true,
  attempts: true,
  last_attempt_at: true,
  next_attempt_at: true,
  response_status: true,
  error_code: true,
  status: true,
  successful_at: true,
  created_at: true,
  updated_at: true,
  data: { path: true, query: true, parsed_query: true, headers: true, body: true, is_large_payload: true },
};

/** `EventStatus` of its API, and the one that its events have since it can cancel them. */
const STATES = ['FAILED', 'SUCCESSFUL', 'SCHEDULED', 'QUEUED', 'HOLD', 'CANCELLED'] as const;

/** `AttemptErrorCodes` of its API, by what they mean; a code that is not here says nothing about the request. */
const FAULTS: Record<string, FaultCode> = {
  TIMEOUT: 'timeout',
  CONNECTION_REFUSED: 'connection_refused',
  CONNECTION_RESET: 'connection_reset',
  SOCKET_CLOSED: 'connection_reset',
  HOST_UNREACHABLE: 'connection_failed',
  NOT_FOUND: 'dns_failure',
  DNS_LOOKUP_FAILED: 'dns_failure',
  SELF_SIGNED_CERT: 'tls_failure',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_failure',
  ERR_SSL_WRONG_VERSION_NUMBER: 'tls_failure',
  SSL_ERROR_CA_UNKNOWN: 'tls_failure',
  SSL_CERT_EXPIRED: 'tls_failure',
  PROTOCOL_ERROR: 'invalid_response',
  CANCELLED: 'gave_up',
  BULK_RETRY_CANCELLED: 'gave_up',
  TTL_EXPIRED: 'gave_up',
  DATA_ARCHIVED: 'gave_up',
  MISSING_URL: 'gave_up',
  CLI_UNAVAILABLE: 'gave_up',
  OAUTH2_HANDSHAKE_FAILED: 'gave_up',
};

/** Reads events of Hookdeck, each of which is one delivery to one destination. */
export const readHookdeck: FormatReader = (line, context) => {
  const members = new MemberReader(line.value, context.nowMs);
  if (!members.has('status')) members.miss('status');
  const state = members.word('status', STATES);
  if (!members.refusal && !['FAILED', 'SUCCESSFUL', 'CANCELLED'].includes(state ?? ''))
    return { kind: 'refused', reason: 'not_ended' };
  const made = members.optionalCount('attempts', 0, 1_000_000) ?? 0;
  const last = lastAttempt(members, state === 'SUCCESSFUL');
  const data = members.within('data');
  const attempts = last ? [last] : [];
  const isText = typeof (line.value.data as { body?: unknown } | undefined)?.body === 'string';
  const body = isText ? data.anyText('body') : undefined;
  return eventRecord(
    line,
    members,
    KNOWN,
    body === undefined ? { path: ['data', 'body'] } : { text: body, member: 'data.body' },
    context,
    {
      externalId: members.text('id'),
      type: members.type('type', context.eventType),
      occurredAt: members.optionalTime('created_at'),
      delivery: {
        endpoint: members.text('destination_id'),
        state: state === 'SUCCESSFUL' ? 'delivered' : 'failed',
        attempts,
        // It exports the last attempt alone: of those before it nobody can tell.
        mayHaveArrived: made > attempts.length || anyMayHaveArrived(attempts),
      },
    },
  );
};

function lastAttempt(members: MemberReader, delivered: boolean): ForeignAttempt | undefined {
  const at = members.optionalTime('last_attempt_at') ?? members.optionalTime('successful_at');
  if (at === undefined) {
    if (delivered) members.miss('last_attempt_at');
    return undefined;
  }
  const ending = endingOf(members, delivered);
  return { ...ending, key: attemptKey(at, ending), at, durationMs: 0 };
}

function endingOf(members: MemberReader, delivered: boolean): ForeignEnding {
  const status = members.optionalCount('response_status', 100, 999);
  const code = members.optionalText('error_code');
  if (delivered) return { outcome: 'delivered', ...(status === undefined ? {} : { httpStatus: status }) };
  if (status === undefined) return endedWithFault((code && FAULTS[code]) || 'no_answer');
  const ending = endedWithStatus(status);
  return ending.outcome === 'delivered'
    ? { outcome: 'ambiguous', faultCode: 'invalid_response', httpStatus: status }
    : ending;
}
