import { eventRecord } from '../event-record.ts';
import type { ForeignAttempt, FormatReader } from '../import-record.ts';
import type { KnownMembers } from '../kept-members.ts';
import { MemberReader } from '../member-reader.ts';

const KNOWN: KnownMembers = {
  uid: true,
  endpoint_id: true,
  endpoint_metadata: true,
  event_metadata: true,
  event_type: true,
  metadata: {
    data: true,
    raw: true,
    num_trials: true,
    strategy: true,
    next_send_time: true,
    interval_seconds: true,
    retry_limit: true,
    max_retry_seconds: true,
  },
  status: true,
  created_at: true,
  updated_at: true,
  // Addresses and what was sent with them are those of the endpoint there.
  target_url: true,
  url_query_params: true,
  source_metadata: true,
  device_metadata: true,
  cli_metadata: true,
};

/** `EventDeliveryStatus` of its API. */
const STATES = ['Failure', 'Success', 'Discarded', 'Scheduled', 'Processing', 'Retry'] as const;

/**
 * Reads event deliveries of Convoy. Its export tells no attempts, so that nobody can tell whether one has arrived, unless
 * none was made. It discards what its endpoint is switched off for, however often that was tried before.
 */
export const readConvoy: FormatReader = (line, context) => {
  const members = new MemberReader(line.value, context.nowMs);
  if (!members.has('status')) members.miss('status');
  const state = members.word('status', STATES);
  if (state === 'Scheduled' || state === 'Processing' || state === 'Retry')
    return { kind: 'refused', reason: 'not_ended' };
  const sent = members.within('metadata');
  const event = members.within('event_metadata');
  const trials = sent.optionalCount('num_trials', 0, 1_000_000);
  const raw = sent.anyText('raw');
  const type =
    members.optionalText('event_type') ?? event.optionalText('event_type') ?? event.optionalText('name');
  return eventRecord(
    line,
    members,
    KNOWN,
    raw ? { text: raw, member: 'metadata.raw' } : { path: ['metadata', 'data'] },
    context,
    {
      externalId: members.text('uid'),
      type: type ?? members.type('event_type', context.eventType),
      occurredAt: members.optionalTime('created_at'),
      delivery: {
        endpoint: members.optionalText('endpoint_id') ?? members.within('endpoint_metadata').text('uid'),
        state: state === 'Success' ? 'delivered' : 'failed',
        attempts: state === 'Success' ? [delivered(members)] : [],
        mayHaveArrived: state !== 'Success' && trials !== 0,
      },
    },
  );
};

function delivered(members: MemberReader): ForeignAttempt {
  const at = members.time('updated_at');
  return { outcome: 'delivered', key: 'delivered', at, durationMs: 0 };
}
