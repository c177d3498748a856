import { PREPARATION_FAULTS } from '../endpoints/preparation.ts';

/**
 * Why an attempt or an execution did not deliver, as recorded in the ledger and offered as a filter. `http_*` name an
 * answer; `unacknowledged` is a 202 of an endpoint that has to acknowledge; `lease_lost` and `gave_up` are written by
 * the engine, `no_answer` by imports, the others by the sender; the faults of preparation belong to executions that were
 * never attempted.
 */
export const FAULT_CODES = [
  'http_3xx',
  'http_4xx',
  'http_408',
  'http_409',
  'http_410',
  'http_425',
  'http_429',
  'http_5xx',
  'timeout',
  'connect_timeout',
  'connection_refused',
  'connection_reset',
  'connection_failed',
  'dns_failure',
  'tls_failure',
  'proxy_failed',
  'address_blocked',
  'invalid_request',
  'invalid_response',
  'lease_lost',
  'unacknowledged',
  'gave_up',
  'no_answer',
  ...PREPARATION_FAULTS,
] as const;

/** One of {@link FAULT_CODES}. */
export type FaultCode = (typeof FAULT_CODES)[number];

/**
 * Our own way out was shut: certainly unsent, and nothing is said of the endpoint. Such an attempt is none of those that
 * its policy allows, and none that anything is judged by.
 */
export const WAY_OUT_FAULT = 'proxy_failed' satisfies FaultCode;

/** The sender was lost with the item claimed: nobody knows what its endpoint did, and nothing is judged by it. */
export const LOST_FAULT = 'lease_lost' satisfies FaultCode;
