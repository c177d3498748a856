import { type Id, readId, showId } from '../tenancy/typed-id.ts';

/** So long a listener goes on without a word of whoever listens. */
export const LISTENER_LASTS_MS = 60_000;

/**
 * So often it is asked down its connection whether somebody is there. What is written to a peer that is gone is taken by
 * the machines in between for minutes: only an answer says that it was read.
 */
export const LISTENER_ASKED_EVERY_MS = 15_000;

/** Listeners of a tenant at a time. */
export const LISTENERS_OF_TENANT = 5;

/** Requests to one listener at a time: a person is at the other end, and each holds a place of the live lane meanwhile. */
export const REQUESTS_AT_ONCE = 5;

/** The bytes of an answer's body that are kept, as of any answer. */
export const EXCERPT_BYTES = 1_024;

const SCHEME = 'redrive-listener:';

/** The address of a listener's endpoint: no URL that a tenant could give, and none that could be connected to. */
export function listenerUrl(id: Id<'listener'>): string {
  return `${SCHEME}${showId('listener', id)}`;
}

/** The listener that an endpoint belongs to, by its address; undefined where it is an endpoint like any other. */
export function listenerOf(url: string): Id<'listener'> | undefined {
  return url.startsWith(SCHEME) ? readId('listener', url.slice(SCHEME.length)) : undefined;
}
