import type { Schema } from '../../api/client.ts';

type Fault = NonNullable<Schema<'DeliveryFilter'>['faultCodes']>[number];

/** Each cause that the API knows, so that none is forgotten; the frequent ones first. */
const IN_ORDER: Readonly<Record<Fault, true>> = {
  http_5xx: true,
  http_4xx: true,
  http_429: true,
  http_410: true,
  http_408: true,
  http_409: true,
  http_425: true,
  http_3xx: true,
  timeout: true,
  connect_timeout: true,
  connection_refused: true,
  connection_reset: true,
  connection_failed: true,
  dns_failure: true,
  tls_failure: true,
  proxy_failed: true,
  address_blocked: true,
  invalid_request: true,
  invalid_response: true,
  lease_lost: true,
  no_answer: true,
  unacknowledged: true,
  gave_up: true,
  sender_profile_missing: true,
  partner_profile_missing: true,
  guide_missing: true,
  business_identifier_missing: true,
};

/** The causes by which one filters. */
export const FAULTS = Object.keys(IN_ORDER) as Fault[];
