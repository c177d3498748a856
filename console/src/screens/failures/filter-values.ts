/** The states of deliveries. */
export const STATES = ['failed', 'unknown', 'pending', 'cancelled', 'ignored', 'delivered'] as const;

/** The causes by which one filters, the frequent ones first. */
export const FAULTS = [
  'http_5xx',
  'http_4xx',
  'http_429',
  'http_410',
  'http_408',
  'http_409',
  'http_425',
  'http_3xx',
  'timeout',
  'connect_timeout',
  'connection_refused',
  'connection_reset',
  'connection_failed',
  'dns_failure',
  'tls_failure',
  'address_blocked',
  'invalid_response',
  'lease_lost',
  'unacknowledged',
  'gave_up',
] as const;
