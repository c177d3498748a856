import type { FaultCode } from './fault-code.ts';

/** What a fault means for somebody who reads it. */
interface FaultWords {
  /** One sentence; "it" is the delivery. */
  what: string;
  /** What has to be done first, where the same request would end the same way; absent where it may pass by itself. */
  fix?: string;
}

const ENDPOINT = 'Correct the endpoint (PATCH /api/v1/endpoints/{endpointId})';
const PARTNER = 'Complete `partner` of the endpoint (PATCH /api/v1/endpoints/{endpointId})';

/** The sentences for everything that can keep a delivery from arriving; `{endpointId}` stands for its endpoint. */
export const FAULT_WORDS: Readonly<Record<FaultCode, FaultWords>> = {
  http_3xx: {
    what: 'Its receiver answered with a redirect, and redirects are never followed.',
    fix: 'Give the endpoint the address that it leads to (PATCH /api/v1/endpoints/{endpointId})',
  },
  http_4xx: {
    what: 'Its receiver refused it.',
    fix: 'Look at the answer (GET /api/v1/deliveries/{deliveryId}) and correct what it complains of, there or at the receiver',
  },
  http_408: { what: 'Its receiver said that the request did not come in time.' },
  http_409: { what: 'Its receiver was not in a state to take it.' },
  http_410: {
    what: 'Its receiver said that nobody is at this address any more, which has disabled the endpoint.',
    fix: 'Give the endpoint an address that takes it (PATCH /api/v1/endpoints/{endpointId}) and enable it (POST …/enable)',
  },
  http_425: { what: 'Its receiver said that it was too early.' },
  http_429: { what: 'Its receiver asked for a slower pace.' },
  http_5xx: { what: 'Its receiver had an error of its own.' },
  timeout: { what: 'No answer came in time.' },
  connect_timeout: { what: 'No connection to its receiver was made in time.' },
  connection_refused: { what: 'Its receiver refused the connection.' },
  connection_reset: { what: 'The connection to its receiver broke off.' },
  connection_failed: { what: 'No connection to its receiver could be made.' },
  dns_failure: { what: 'The name of its receiver was not found.', fix: ENDPOINT },
  tls_failure: {
    what: 'No trusted connection to its receiver could be made.',
    fix: 'Correct the certificate of the receiver',
  },
  proxy_failed: { what: 'The proxy that requests leave by made no way to its receiver.' },
  address_blocked: {
    what: 'The address of its receiver is not one that requests may go to.',
    fix: ENDPOINT,
  },
  invalid_request: { what: 'No request could be made of it as the endpoint is set up.', fix: ENDPOINT },
  invalid_response: { what: 'The answer of its receiver could not be read.' },
  lease_lost: { what: 'The worker that was sending it was lost.' },
  unacknowledged: { what: 'Its receiver took it, and has not acknowledged it.' },
  no_answer: { what: 'The system that sent it had no answer, and did not say why.' },
  gave_up: { what: 'It was given up before its turn came.' },
  sender_profile_missing: {
    what: 'The endpoint has no profile of the sender to prepare it with.',
    fix: PARTNER,
  },
  partner_profile_missing: {
    what: 'The endpoint has no profile of the partner to prepare it with.',
    fix: PARTNER,
  },
  guide_missing: { what: 'The endpoint has no guide for events of its type.', fix: PARTNER },
  business_identifier_missing: {
    what: 'Its payload has no business identifier where the endpoint looks for it.',
    fix: PARTNER,
  },
};
