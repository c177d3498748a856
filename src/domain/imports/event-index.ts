import type { EventRecord } from './import-record.ts';

/** What tells an event from all others of its tenant. */
export type EventIdentity = Pick<EventRecord, 'externalId' | 'type' | 'source'>;

/** What attempts name their event by, which may be that of several events. */
export type EventName = Omit<EventIdentity, 'type'>;

/** Events by what tells them apart, and by what attempts name them by. */
export class EventIndex<Event> {
  readonly #events = new Map<string, Event>();
  readonly #named = new Map<string, Event | 'several'>();

  /** Takes an event, once. */
  add(identity: EventIdentity, event: Event): void {
    const key = identityOf(identity);
    if (this.#events.has(key)) return;
    this.#events.set(key, event);
    const name = nameOf(identity);
    this.#named.set(name, this.#named.has(name) ? 'several' : event);
  }

  /** The event with this identity. */
  get(identity: EventIdentity): Event | undefined {
    return this.#events.get(identityOf(identity));
  }

  /** The event with this id and source, where it is the only one. */
  only(name: EventName): Event | undefined {
    const found = this.#named.get(nameOf(name));
    return found === 'several' ? undefined : found;
  }
}

/** The same text for the same event only. */
export function identityOf({ externalId, type, source }: EventIdentity): string {
  return JSON.stringify([externalId, type, source ?? '']);
}

/** The same text for the same id and source only. */
export function nameOf({ externalId, source }: EventName): string {
  return JSON.stringify([externalId, source ?? '']);
}
