import { present } from '../present.ts';
import type { Id } from '../tenancy/typed-id.ts';
import { anyMayHaveArrived } from './foreign-ending.ts';
import type {
  AttemptsRecord,
  EventRecord,
  ForeignAttempt,
  ForeignDelivery,
  ForeignState,
  ImportRecord,
} from './import-record.ts';
import type { DuplicateReason, RefusalReason } from './line-words.ts';
import { isWebhookId } from './webhook-id.ts';

/** An attempt of another system, with the id that follows from what tells it from others. */
export type IdentifiedAttempt = ForeignAttempt & { id: Id<'attempt'> };

/** A line that was read, with what it may make. */
export interface LineToDecide {
  line: number;
  record: ImportRecord;
  /** What its endpoint stands for; absent where it has none. */
  endpointId?: Id<'endpoint'>;
  /** Of its attempts, in their order. */
  attemptIds: Id<'attempt'>[];
  /** Ids that it takes where it makes something. */
  ids: { event: Id<'event'>; delivery: Id<'delivery'>; execution: Id<'execution'> };
}

/** An event that the tenant has. */
export interface KnownEvent {
  eventId: Id<'event'>;
  externalId: string;
  type: string;
  source?: string;
  imported: boolean;
}

/** A delivery of such an event. */
export interface KnownDelivery {
  deliveryId: Id<'delivery'>;
  eventId: Id<'event'>;
  endpointId: Id<'endpoint'>;
  state: string;
  /** The execution that was imported, where there is no other one. */
  untouched?: Id<'execution'>;
  attemptIds: readonly Id<'attempt'>[];
}

/** What the tenant has of what the lines are about. */
export interface KnownBefore {
  events: readonly KnownEvent[];
  deliveries: readonly KnownDelivery[];
  /** Ids that other deliveries are sent with, as `<endpoint>/<id>`. */
  webhookIds: readonly string[];
}

/** An event that is made. */
export interface ImportedEvent {
  eventId: Id<'event'>;
  record: EventRecord;
}

/** A delivery that is made, with its only execution. */
export interface ImportedDelivery {
  deliveryId: Id<'delivery'>;
  executionId: Id<'execution'>;
  eventId: Id<'event'>;
  endpointId: Id<'endpoint'>;
  state: ForeignState;
  mayHaveArrived: boolean;
  webhookId?: string;
  /** In the order of their times. */
  attempts: IdentifiedAttempt[];
}

/** Attempts that are added to a delivery that was imported before. */
export interface AddedAttempts {
  deliveryId: Id<'delivery'>;
  executionId: Id<'execution'>;
  delivered: boolean;
  attempts: IdentifiedAttempt[];
}

/** The fate of a line, as it is reported. */
export type LineFate = {
  line: number;
  member?: string;
  theirs?: string;
  eventId?: Id<'event'>;
  deliveryId?: Id<'delivery'>;
} & (
  | { result: 'accepted' }
  | { result: 'duplicate'; reason: DuplicateReason }
  | { result: 'refused'; reason: RefusalReason }
);

/** What becomes of lines, and what they make. */
export interface Decided {
  events: ImportedEvent[];
  deliveries: ImportedDelivery[];
  added: AddedAttempts[];
  fates: LineFate[];
}

type EventInHand = { eventId: Id<'event'>; imported: boolean };
type DeliveryInHand =
  | { made: ImportedDelivery }
  | { before: KnownDelivery; attemptIds: Set<string>; added?: AddedAttempts };

/** Decides lines one after another, each with what those before it have made. */
export function decideLines(
  lines: readonly LineToDecide[],
  known: KnownBefore,
  { keepIds }: { keepIds: boolean },
): Decided {
  const decider = new Decider(known, keepIds);
  const fates = lines.map((line) => decider.decide(line));
  return { ...decider.result(), fates };
}

/** Tells an event from all others of its tenant. */
export function identityOf({
  externalId,
  type,
  source,
}: Pick<EventRecord, 'externalId' | 'type' | 'source'>) {
  return JSON.stringify([externalId, type, source ?? '']);
}

class Decider {
  readonly #keepIds: boolean;
  readonly #events = new Map<string, EventInHand>();
  /** Of each id and source, whatever the type: attempts do not name it. */
  readonly #eventsById = new Map<string, EventInHand[]>();
  readonly #deliveries = new Map<string, DeliveryInHand>();
  readonly #webhookIds: Set<string>;
  readonly #madeEvents: ImportedEvent[] = [];

  constructor(known: KnownBefore, keepIds: boolean) {
    this.#keepIds = keepIds;
    this.#webhookIds = new Set(known.webhookIds);
    for (const { eventId, imported, ...identity } of known.events)
      this.#take(identity, { eventId, imported });
    for (const before of known.deliveries)
      this.#deliveries.set(`${before.eventId}/${before.endpointId}`, {
        before,
        attemptIds: new Set(before.attemptIds),
      });
  }

  decide(asked: LineToDecide): LineFate {
    const { line, record } = asked;
    switch (record.kind) {
      case 'refused': {
        const { reason, member, theirs } = record;
        return { line, result: 'refused', reason, ...present({ member, theirs }) };
      }
      case 'attempts':
        return this.#attempts(asked, record);
      case 'event':
        return this.#event(asked, record);
    }
  }

  result(): Omit<Decided, 'fates'> {
    const deliveries: ImportedDelivery[] = [];
    const added: AddedAttempts[] = [];
    for (const inHand of this.#deliveries.values()) {
      if ('made' in inHand) deliveries.push(inOrder(inHand.made));
      else if (inHand.added) added.push(inOrder(inHand.added));
    }
    return { events: this.#madeEvents, deliveries, added };
  }

  #event(asked: LineToDecide, record: EventRecord): LineFate {
    const { line, ids, endpointId } = asked;
    const identity = identityOf(record);
    const before = this.#events.get(identity);
    if (before && !before.imported)
      return { line, result: 'duplicate', reason: 'event_exists', eventId: before.eventId };
    const held = before && endpointId ? this.#deliveries.get(`${before.eventId}/${endpointId}`) : undefined;
    if (before && (held || !record.delivery || !endpointId))
      return held && record.delivery
        ? this.#merge(asked, before.eventId, held, record.delivery)
        : { line, result: 'duplicate', reason: 'known', eventId: before.eventId };
    const refusal = this.#refusedId(asked, record);
    if (refusal) return refusal;
    const eventId = before?.eventId ?? ids.event;
    if (!before) {
      this.#madeEvents.push({ eventId, record });
      this.#take(record, { eventId, imported: true });
    }
    if (!record.delivery || !endpointId) return { line, result: 'accepted', eventId };
    return this.#make(asked, eventId, endpointId, record.externalId, record.delivery);
  }

  #attempts(asked: LineToDecide, record: AttemptsRecord): LineFate {
    const { line, endpointId } = asked;
    const [event, other] = this.#eventsById.get(idAndSource(record)) ?? [];
    if (!event || other || !endpointId) return { line, result: 'refused', reason: 'event_unknown' };
    if (!event.imported) return { line, result: 'duplicate', reason: 'event_exists', eventId: event.eventId };
    const held = this.#deliveries.get(`${event.eventId}/${endpointId}`);
    return held
      ? this.#merge(asked, event.eventId, held, record.delivery)
      : (this.#refusedId(asked, record) ??
          this.#make(asked, event.eventId, endpointId, record.externalId, record.delivery));
  }

  /** Why a delivery cannot be sent with the id that it has there. */
  #refusedId(
    { line, endpointId }: LineToDecide,
    { externalId }: { externalId: string },
  ): LineFate | undefined {
    if (!this.#keepIds || !endpointId) return undefined;
    if (!isWebhookId(externalId)) return { line, result: 'refused', reason: 'wrong_member', member: 'id' };
    return this.#webhookIds.has(`${endpointId}/${externalId}`)
      ? { line, result: 'duplicate', reason: 'id_taken' }
      : undefined;
  }

  #make(
    { line, ids, attemptIds }: LineToDecide,
    eventId: Id<'event'>,
    endpointId: Id<'endpoint'>,
    externalId: string,
    { state, mayHaveArrived, attempts }: ForeignDelivery,
  ): LineFate {
    const made: ImportedDelivery = {
      deliveryId: ids.delivery,
      executionId: ids.execution,
      eventId,
      endpointId,
      state,
      mayHaveArrived,
      attempts: identified(attempts, attemptIds),
      ...(this.#keepIds ? { webhookId: externalId } : {}),
    };
    this.#deliveries.set(`${eventId}/${endpointId}`, { made });
    if (this.#keepIds) this.#webhookIds.add(`${endpointId}/${externalId}`);
    return { line, result: 'accepted', eventId, deliveryId: made.deliveryId };
  }

  /** Adds what a further line tells of a delivery: attempts that are not known, and that it was delivered. */
  #merge(
    { line, attemptIds }: LineToDecide,
    eventId: Id<'event'>,
    held: DeliveryInHand,
    told: ForeignDelivery,
  ): LineFate {
    const { deliveryId } = 'made' in held ? held.made : held.before;
    const has = (id: Id<'attempt'>) =>
      'made' in held ? held.made.attempts.some((each) => each.id === id) : held.attemptIds.has(id);
    const fresh = identified(told.attempts, attemptIds).filter(({ id }) => !has(id));
    if (fresh.length === 0) return { line, result: 'duplicate', reason: 'known', eventId, deliveryId };
    if ('made' in held) {
      held.made.attempts.push(...fresh);
      held.made.mayHaveArrived ||= told.mayHaveArrived;
      if (told.state === 'delivered') held.made.state = 'delivered';
      return { line, result: 'accepted', eventId, deliveryId };
    }
    const { untouched: executionId } = held.before;
    if (!executionId) return { line, result: 'duplicate', reason: 'sent_since', eventId, deliveryId };
    held.added ??= { deliveryId, executionId, delivered: false, attempts: [] };
    held.added.attempts.push(...fresh);
    held.added.delivered ||= told.state === 'delivered';
    for (const { id } of fresh) held.attemptIds.add(id);
    return { line, result: 'accepted', eventId, deliveryId };
  }

  #take(identity: Pick<EventRecord, 'externalId' | 'type' | 'source'>, event: EventInHand): void {
    this.#events.set(identityOf(identity), event);
    const named = idAndSource(identity);
    this.#eventsById.set(named, [...(this.#eventsById.get(named) ?? []), event]);
  }
}

/** Whether attempts that are added may have arrived. */
export function addsDoubt({ attempts }: AddedAttempts): boolean {
  return anyMayHaveArrived(attempts);
}

function idAndSource({ externalId, source }: { externalId: string; source?: string }): string {
  return JSON.stringify([externalId, source ?? '']);
}

function identified(attempts: readonly ForeignAttempt[], ids: readonly Id<'attempt'>[]): IdentifiedAttempt[] {
  const seen = new Set<string>();
  return attempts.flatMap((attempt, n) => {
    const id = ids[n];
    if (id === undefined || seen.has(id)) return [];
    seen.add(id);
    return [{ ...attempt, id }];
  });
}

function inOrder<Of extends { attempts: IdentifiedAttempt[] }>(of: Of): Of {
  if (of.attempts.length > 1) of.attempts.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return of;
}
