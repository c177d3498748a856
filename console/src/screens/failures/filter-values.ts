import type { Schema } from '../../api/client.ts';
import type { DeliveryQuery } from '../../api/delivery-query.ts';
import { STATES } from '../../api/delivery-states.ts';
import { type Forms, type NoValue, noValueBy, noValuesBy, oneOf, TIME } from '../../format/filter-forms.ts';

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

/** The members whose values have a form; of the others the API knows which there are. */
const FORMS: Forms<keyof DeliveryQuery> = {
  state: oneOf(STATES),
  faultCodes: oneOf(FAULTS, 'a cause that Redrive knows, such as http_5xx'),
  httpStatus: { is: (value) => /^[1-9]\d\d$/.test(value), wanted: 'three digits, such as 503' },
  from: TIME,
  to: TIME,
  lastAttemptBefore: TIME,
  lastAttemptAfter: TIME,
  pendingLongerThanMs: {
    is: (value) => /^(0|[1-9]\d{0,10})$/.test(value),
    wanted: 'a number of milliseconds',
  },
  blocking: oneOf(['true'], '“true”, or not there'),
};

/** Why a value is none of its member; undefined where it may be one. */
export function noValueOf(member: string, value: string): string | undefined {
  return noValueBy(FORMS, member, value);
}

/** The values of a filter that are none: such a filter matches nothing. */
export function noValuesIn(query: DeliveryQuery): NoValue[] {
  return noValuesBy(FORMS, query);
}
