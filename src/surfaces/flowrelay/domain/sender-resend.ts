import { isSuppressed, type Standing } from '../../../domain/events/repeated-event.ts';

/** The fates of an event that its sender sends once more under its id, at the endpoints that had it. */
export const RESENT_PARTS = ['new_delivery', 'partly_suppressed', 'suppressed', 'new_event'] as const;

/** One of {@link RESENT_PARTS}. */
export type ResentPart = (typeof RESENT_PARTS)[number];

/** The fate of a resend under the same id, by its payload. */
export interface ResendFate {
  samePayload: ResentPart;
  changedPayload: ResentPart;
}

/**
 * Says what the next request with the same id, type and source would become, by the rules of ingest itself: `held` is
 * the standing, at each endpoint that is not deleted, of the events with that id. Without an id, and after a refusal,
 * it is new.
 */
export function resendFate(held: readonly Standing[] | undefined): ResendFate {
  if (!held) return { samePayload: 'new_event', changedPayload: 'new_event' };
  const part = (samePayload: boolean): ResentPart => {
    const suppressed = held.filter((standing) => isSuppressed(standing, samePayload)).length;
    if (suppressed === 0) return 'new_delivery';
    return suppressed === held.length ? 'suppressed' : 'partly_suppressed';
  };
  return { samePayload: part(true), changedPayload: part(false) };
}
