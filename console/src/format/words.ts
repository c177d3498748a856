/** The words of the console for what the API names by codes; an unknown code is shown with its underscores gone. */
const WORDS: Readonly<Record<string, string>> = {
  // Why an attempt did not deliver.
  http_3xx: 'redirect (3xx)',
  http_4xx: 'refused (4xx)',
  http_408: 'request timeout (408)',
  http_409: 'conflict (409)',
  http_410: 'gone (410)',
  http_425: 'too early (425)',
  http_429: 'too many requests (429)',
  http_5xx: 'server error (5xx)',
  timeout: 'no answer in time',
  connect_timeout: 'could not connect in time',
  connection_refused: 'connection refused',
  connection_reset: 'connection broke',
  connection_failed: 'no connection',
  dns_failure: 'name not found',
  tls_failure: 'TLS failed',
  proxy_failed: 'our proxy failed',
  address_blocked: 'address not allowed',
  invalid_response: 'unreadable answer',
  lease_lost: 'our sender was lost',
  unacknowledged: 'not acknowledged',
  gave_up: 'given up: too old',
  // Why something waits.
  endpoint_disabled: 'endpoint is disabled',
  circuit: 'circuit is open',
  retry_after: 'the endpoint asked to wait',
  window: 'requests at a time',
  rate: 'rate limit',
  concurrency: 'requests at a time',
  order: 'an earlier delivery of its key',
  pause: 'paused',
  halt: 'halted',
  canary: 'its canary',
  due: 'its time has not come',
  end: 'about to be ended',
  approval: 'approval',
  freeze_window: 'freeze window',
  reason: 'a reason',
  ticket: 'a ticket',
  // Exclusions.
  coalesced: 'joined another execution',
  already_delivered: 'delivered already',
  changed_since: 'changed since it was selected',
  held: 'held by a stopped operation',
  outcome_unknown: 'outcome not known',
  suppressed_duplicate: 'repeats another event',
  resent: 'sent again by its sender',
  payload_expired: 'payload is gone',
  endpoint_deleted: 'endpoint is deleted',
  endpoint_changed: 'address changed since the plan',
  no_longer_matches: 'no longer wanted',
  already_retried: 'retried before',
  not_retryable: 'not as asked for',
  // Risks of a plan.
  mayHaveArrived: 'may have arrived',
  unknown: 'unknown',
  openElsewhere: 'open elsewhere',
  heldByPaused: 'held by a stopped operation',
  alreadyDelivered: 'delivered already',
  endpointDisabled: 'endpoint disabled',
  endpointDeleted: 'endpoint deleted',
  circuitOpen: 'circuit open',
  payloadExpired: 'payload is gone',
  payloadExpiresBeforeItsTurn: 'payload expires before its turn',
  addressChanged: 'address changed',
  secretRotated: 'secret rotated',
  filterChanged: 'filter changed',
  orderBlocked: 'blocked by order',
  awaitsApproval: 'needs approval',
  // Members of endpoints.
  url: 'address',
  timeoutMs: 'time to answer',
  ratePerSecond: 'rate limit',
  maxConcurrency: 'requests at a time',
  onAmbiguous: 'when nobody knows',
  eventTypes: 'event types',
  caCertificate: 'trusted authority',
  clientCertificate: 'certificate shown to it',
  // Acts, events to come, causes of outages and of halts.
  failure_rate: 'too many failed',
  failed_step: 'a step failed',
  circuit_open: 'circuit opened',
  gone: 'answered 410 Gone',
  disabled: 'disabled',
  not_delivered: 'nothing delivered for a minute',
  awaiting_approval: 'awaiting approval',
  completed_with_failures: 'completed, with failures',
  half_open: 'trying again',
  not_yet: 'not yet valid',
};

/** A code as words. */
export function words(code: string): string {
  return (
    WORDS[code] ??
    code.replaceAll('_', ' ').replace(/([a-z])([A-Z])/g, (_, one, two) => `${one} ${two.toLowerCase()}`)
  );
}

/** Why an operation was halted. */
export function haltWords(reason: string): string {
  return reason === 'canary' ? 'its canary did badly' : words(reason);
}

/** A code as words, with a capital at its start. */
export function sentence(code: string): string {
  const text = words(code);
  return text.charAt(0).toUpperCase() + text.slice(1);
}
