import type { Schema } from '../../api/client.ts';
import type { DeliveryQuery } from '../../api/delivery-query.ts';
import { STATES } from '../../api/delivery-states.ts';

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

interface Form {
  is(value: string): boolean;
  /** What one is. */
  wanted: string;
}

const oneOf = (known: readonly string[], wanted: string): Form => ({
  is: (value) => known.includes(value),
  wanted,
});
const time: Form = { is: (value) => !Number.isNaN(Date.parse(value)), wanted: 'a date and a time' };

/** The members whose values have a form; of the others the API knows which there are. */
const FORMS: { readonly [Member in keyof DeliveryQuery]?: Form } = {
  state: oneOf(STATES, `one of ${STATES.join(', ')}`),
  faultCodes: oneOf(FAULTS, 'a cause that Redrive knows, such as http_5xx'),
  httpStatus: { is: (value) => /^[1-9]\d\d$/.test(value), wanted: 'three digits, such as 503' },
  from: time,
  to: time,
  lastAttemptBefore: time,
  lastAttemptAfter: time,
  pendingLongerThanMs: {
    is: (value) => /^(0|[1-9]\d{0,10})$/.test(value),
    wanted: 'a number of milliseconds',
  },
  blocking: oneOf(['true'], '“true”, or not there'),
};

/** Why a value is none of its member; undefined where it may be one. */
export function noValueOf(member: string, value: string): string | undefined {
  const form = FORMS[member as keyof DeliveryQuery];
  return form === undefined || form.is(value)
    ? undefined
    : `“${value}” is no such value: it has to be ${form.wanted}.`;
}

/** The values of a filter that are none, by the names of their members: such a filter matches nothing. */
export function noValuesIn(query: DeliveryQuery): { member: string; why: string }[] {
  return Object.entries(query).flatMap(([member, value]) =>
    [value].flat().flatMap((each) => {
      const why = noValueOf(member, String(each));
      return why === undefined ? [] : [{ member, why }];
    }),
  );
}
