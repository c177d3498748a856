import { wantsEvent } from './endpoint-match.ts';
import { type EventFilter, valueAtPath } from './event-filter.ts';
import { matchesType } from './event-type.ts';

/** Which way files go, seen from the tenant. */
export const PARTNER_DIRECTIONS = ['INBOUND', 'OUTBOUND'] as const;

/** The needs of a trading partner's endpoint before a file can go there. */
export interface Partner {
  direction: (typeof PARTNER_DIRECTIONS)[number];
  /** Name of the sender's profile; a file cannot be prepared without one. */
  senderProfile?: string;
  /** Name of the partner's profile; a file cannot be prepared without one. */
  partnerProfile?: string;
  /** Types of event that there is a guide for, exactly or by a prefix such as `invoice.*`; every type where absent. */
  guides?: string[];
  /** Path in the payload at which the business identifier is; none is asked for where absent. */
  keyPath?: string;
}

/** The faults of preparing a file; nothing is sent, and no attempt is counted. */
export const PREPARATION_FAULTS = [
  'sender_profile_missing',
  'partner_profile_missing',
  'guide_missing',
  'business_identifier_missing',
] as const;

/** One of {@link PREPARATION_FAULTS}. */
export type PreparationFault = (typeof PREPARATION_FAULTS)[number];

/** Why an item is not sent although it was claimed. */
export type Refusal =
  | { state: 'ignored'; reason: 'no_longer_matches' | 'endpoint_changed' }
  | { state: 'failed'; reason: PreparationFault };

/** The facts that the preparation of an item looks at, as they are now. */
export interface Preparable {
  eventType: string;
  body: string;
  /** The endpoint's types and filter, where they are to be applied once more. */
  match?: { eventTypes?: string[]; filter?: EventFilter };
  partner?: Partner;
  /** A plan has shown it with another address than its endpoint has. */
  moved?: true;
}

/** Prepares an item for sending: why it is not to be sent, or undefined where it is. */
export function refusalOf({ eventType, body, match, partner, moved }: Preparable): Refusal | undefined {
  if (moved) return { state: 'ignored', reason: 'endpoint_changed' };
  const payload = match?.filter || partner?.keyPath !== undefined ? JSON.parse(body) : undefined;
  if (match && !wantsEvent(match, { type: eventType, payload }))
    return { state: 'ignored', reason: 'no_longer_matches' };
  const fault = partner && preparationFault(partner, eventType, payload);
  return fault && { state: 'failed', reason: fault };
}

function preparationFault(
  { senderProfile, partnerProfile, guides, keyPath }: Partner,
  eventType: string,
  payload: unknown,
): PreparationFault | undefined {
  if (senderProfile === undefined) return 'sender_profile_missing';
  if (partnerProfile === undefined) return 'partner_profile_missing';
  if (guides !== undefined && !matchesType(guides, eventType)) return 'guide_missing';
  if (keyPath === undefined) return undefined;
  const key = valueAtPath(payload, keyPath);
  const identifies = typeof key === 'number' || (typeof key === 'string' && key !== '');
  return identifies ? undefined : 'business_identifier_missing';
}
