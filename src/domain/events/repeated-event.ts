import type { Id } from '../tenancy/typed-id.ts';
/** The fate of an event at one endpoint, as far as a repeat of its id has to know. */
export type Standing =
  | 'delivered'
  /** It is on its way, or nobody knows its outcome yet. */
  | 'open'
  /** It ended undelivered, and its payload is kept. */
  | 'replayable'
  /** It ended undelivered, and there is nothing left to send. */
  | 'lost';

/** The delivery that stands for all events with one id at an endpoint. */
export interface Held {
  /** The event that it delivers. */
  eventId: Id<'event'>;
  standing: Standing;
  /** SHA-256 of its payload; only where that is kept and decides. */
  digest?: string;
  /** Its place among those of its key. */
  place?: { key: string; number: number };
}

/** Whether a repeat of an id is suppressed at an endpoint, by the standing of the delivery that the endpoint holds. */
export function isSuppressed(standing: Standing | undefined, samePayload: boolean): boolean {
  switch (standing) {
    case 'delivered':
    case 'open':
      return true;
    case 'replayable':
      return samePayload;
    case 'lost':
    case undefined:
      return false;
  }
}

/** The history of the events with one id before it comes once more. */
export interface IdHistory {
  firstEventId: Id<'event'>;
  /** SHA-256 of the payload that stands for all of them; absent where it is gone. */
  newestDigest?: string;
  held: Map<Id<'endpoint'>, Held>;
}

/** An event whose id has come before. */
export interface Repeat {
  eventId: Id<'event'>;
  number: number;
  key?: string | undefined;
  digest: string;
  endpoints: readonly { endpointId: Id<'endpoint'>; enabled: boolean; ordered: boolean }[];
}

/** The fate of a repeat. */
export interface RepeatFate {
  /** Endpoints at which nothing of it is sent. */
  suppressed: Set<Id<'endpoint'>>;
  /** False where nothing of it can ever be sent. */
  keepsPayload: boolean;
  /** The events that it stands for from now on, at these endpoints. */
  replaces: { endpointId: Id<'endpoint'>; eventId: Id<'event'> }[];
  /** Places in the order of their key that it takes over from the deliveries it replaces. */
  places: Map<Id<'endpoint'>, number>;
}

/** Decides the fate of a repeat, and notes it in the history, where the next one will find it. */
export function repeat(history: IdHistory, event: Repeat): RepeatFate {
  const { eventId, digest, key } = event;
  const suppressed = new Set<Id<'endpoint'>>();
  const replaces: RepeatFate['replaces'] = [];
  const places: RepeatFate['places'] = new Map();
  for (const { endpointId, enabled, ordered } of event.endpoints) {
    const held = history.held.get(endpointId);
    if (isSuppressed(held?.standing, held?.digest === digest)) {
      suppressed.add(endpointId);
      continue;
    }
    if (held) replaces.push({ endpointId, eventId: held.eventId });
    const place = held?.place !== undefined && held.place.key === key ? held.place.number : event.number;
    if (place !== event.number) places.set(endpointId, place);
    history.held.set(endpointId, {
      eventId,
      standing: enabled ? 'open' : 'replayable',
      digest,
      ...(ordered && key !== undefined ? { place: { key, number: place } } : {}),
    });
  }
  const keepsPayload =
    suppressed.size < event.endpoints.length || (event.endpoints.length === 0 && !stands(history, digest));
  if (keepsPayload) history.newestDigest = digest;
  return { suppressed, keepsPayload, replaces, places };
}

/** Whether an earlier event stands for a repeat that no endpoint wants: it was taken somewhere, or can still be. */
function stands({ held, newestDigest }: IdHistory, digest: string): boolean {
  return newestDigest === digest || [...held.values()].some(({ standing }) => isSuppressed(standing, false));
}
