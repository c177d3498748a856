import { present } from '../present.ts';
import type { Id } from '../tenancy/typed-id.ts';
import { EventIndex } from './event-index.ts';
import { MAX_ATTEMPTS_OF_DELIVERY } from './import-limits.ts';
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
  /** Its payload has neither expired nor been erased. */
  payloadKept: boolean;
}

/** A delivery of such an event. */
export interface KnownDelivery {
  deliveryId: Id<'delivery'>;
  eventId: Id<'event'>;
  endpointId: Id<'endpoint'>;
  state: string;
  /** The execution that was imported, where there is no other one. */
  untouched?: Id<'execution'>;
  mayHaveArrived: boolean;
  /** Of the attempts that were imported. */
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

/** What is added to a delivery that was imported before; without attempts, that one may have arrived. */
export interface AddedAttempts {
  deliveryId: Id<'delivery'>;
  executionId: Id<'execution'>;
  delivered: boolean;
  mayHaveArrived: boolean;
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

/** What tells an attempt from all others. */
export interface AttemptIdentity {
  eventId: Id<'event'>;
  endpointId: Id<'endpoint'>;
  key: string;
}

/** What an import asks of all of its lines. */
export interface DecidingOptions {
  keepIds: boolean;
  /** The member in which its lines have their id. */
  idMember: string;
  /** An id that follows from what tells the attempt from all others: told again, it is known by it. */
  attemptIdOf(attempt: AttemptIdentity): Id<'attempt'>;
}

type EventInHand = Pick<KnownEvent, 'eventId' | 'imported' | 'payloadKept'>;

/** A delivery as far as it has come by the lines before. */
type DeliveryInHand = { attemptIds: Set<Id<'attempt'>>; delivered: boolean; mayHaveArrived: boolean } & (
  | { made: ImportedDelivery }
  | { before: KnownDelivery; added?: AddedAttempts }
);

/** Decides lines one after another, each with what those before it have made. */
export function decideLines(
  lines: readonly LineToDecide[],
  known: KnownBefore,
  options: DecidingOptions,
): Decided {
  const decider = new Decider(known, options);
  const fates = lines.map((line) => decider.decide(line));
  return { ...decider.result(), fates };
}

class Decider {
  readonly #options: DecidingOptions;
  readonly #events = new EventIndex<EventInHand>();
  readonly #deliveries = new Map<string, DeliveryInHand>();
  readonly #webhookIds: Set<string>;
  readonly #madeEvents: ImportedEvent[] = [];

  constructor(known: KnownBefore, options: DecidingOptions) {
    this.#options = options;
    this.#webhookIds = new Set(known.webhookIds);
    for (const event of known.events) this.#events.add(event, event);
    for (const before of known.deliveries)
      this.#deliveries.set(`${before.eventId}/${before.endpointId}`, {
        before,
        attemptIds: new Set(before.attemptIds),
        delivered: before.state === 'delivered',
        mayHaveArrived: before.mayHaveArrived,
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
    const before = this.#events.get(record);
    if (before) return this.#further(asked, before, record.externalId, record.delivery);
    const refusal = this.#refusedId(asked, record);
    if (refusal) return refusal;
    const eventId = ids.event;
    this.#madeEvents.push({ eventId, record });
    this.#events.add(record, { eventId, imported: true, payloadKept: true });
    if (!record.delivery || !endpointId) return { line, result: 'accepted', eventId };
    return this.#make(asked, eventId, endpointId, record.externalId, record.delivery);
  }

  #attempts(asked: LineToDecide, record: AttemptsRecord): LineFate {
    const event = this.#events.only(record);
    if (!event || !asked.endpointId) return { line: asked.line, result: 'refused', reason: 'event_unknown' };
    return this.#further(asked, event, record.externalId, record.delivery);
  }

  /** A line about an event that another line has brought, or that was there before. */
  #further(
    asked: LineToDecide,
    { eventId, imported, payloadKept }: EventInHand,
    externalId: string,
    told: ForeignDelivery | undefined,
  ): LineFate {
    const { line, endpointId } = asked;
    if (!imported) return { line, result: 'duplicate', reason: 'event_exists', eventId };
    const held = endpointId && this.#deliveries.get(`${eventId}/${endpointId}`);
    const arrived = told?.state === 'delivered' || held?.delivered;
    if (!payloadKept && !arrived) return { line, result: 'refused', reason: 'payload_gone', eventId };
    if (!told || !endpointId) return { line, result: 'duplicate', reason: 'known', eventId };
    if (held) return this.#merge(asked, { eventId, endpointId }, held, told);
    return this.#refusedId(asked, { externalId }) ?? this.#make(asked, eventId, endpointId, externalId, told);
  }

  /** Why a delivery cannot be sent with the id that it has there. */
  #refusedId(
    { line, endpointId }: LineToDecide,
    { externalId }: { externalId: string },
  ): LineFate | undefined {
    const { keepIds, idMember: member } = this.#options;
    if (!keepIds || !endpointId) return undefined;
    if (!isWebhookId(externalId)) return { line, result: 'refused', reason: 'wrong_member', member };
    return this.#webhookIds.has(`${endpointId}/${externalId}`)
      ? { line, result: 'duplicate', reason: 'id_taken' }
      : undefined;
  }

  #make(
    { line, ids }: LineToDecide,
    eventId: Id<'event'>,
    endpointId: Id<'endpoint'>,
    externalId: string,
    { state, mayHaveArrived, attempts }: ForeignDelivery,
  ): LineFate {
    const { keepIds } = this.#options;
    const made: ImportedDelivery = {
      deliveryId: ids.delivery,
      executionId: ids.execution,
      eventId,
      endpointId,
      state,
      mayHaveArrived,
      attempts: this.#identified({ eventId, endpointId }, attempts),
      ...(keepIds ? { webhookId: externalId } : {}),
    };
    this.#deliveries.set(`${eventId}/${endpointId}`, {
      made,
      attemptIds: new Set(made.attempts.map(({ id }) => id)),
      delivered: state === 'delivered',
      mayHaveArrived,
    });
    if (keepIds) this.#webhookIds.add(`${endpointId}/${externalId}`);
    return { line, result: 'accepted', eventId, deliveryId: made.deliveryId };
  }

  /**
   * Adds what a further line tells of a delivery: attempts that are not known, that it was delivered, and that it may have
   * arrived. Doubt is never lost, also where no attempt comes with it.
   */
  #merge(
    { line }: LineToDecide,
    of: Omit<AttemptIdentity, 'key'>,
    held: DeliveryInHand,
    told: ForeignDelivery,
  ): LineFate {
    const { deliveryId } = 'made' in held ? held.made : held.before;
    const about = { line, eventId: of.eventId, deliveryId };
    const fresh = this.#identified(of, told.attempts).filter(({ id }) => !held.attemptIds.has(id));
    const delivered = fresh.some(({ outcome }) => outcome === 'delivered');
    // An attempt that is known to have failed, and to have delivered by this line: nobody can tell.
    const doubt = told.mayHaveArrived || (told.state === 'delivered' && !delivered);
    const isNewDoubt = doubt && !held.mayHaveArrived && !held.delivered;
    if (fresh.length === 0 && !isNewDoubt) return { ...about, result: 'duplicate', reason: 'known' };
    if ('before' in held && !held.before.untouched)
      return { ...about, result: 'duplicate', reason: 'sent_since' };
    if (held.attemptIds.size + fresh.length > MAX_ATTEMPTS_OF_DELIVERY)
      return { ...about, result: 'refused', reason: 'too_many_attempts' };
    for (const { id } of fresh) held.attemptIds.add(id);
    held.delivered ||= delivered;
    held.mayHaveArrived ||= doubt;
    const into = 'made' in held ? held.made : addedTo(held);
    into.attempts.push(...fresh);
    into.mayHaveArrived ||= doubt;
    if ('made' in held) held.made.state = held.delivered ? 'delivered' : 'failed';
    else if (held.added) held.added.delivered ||= delivered;
    return { ...about, result: 'accepted' };
  }

  #identified(of: Omit<AttemptIdentity, 'key'>, attempts: readonly ForeignAttempt[]): IdentifiedAttempt[] {
    const seen = new Set<Id<'attempt'>>();
    return attempts.flatMap((attempt) => {
      const id = this.#options.attemptIdOf({ ...of, key: attempt.key });
      if (seen.has(id)) return [];
      seen.add(id);
      return [{ ...attempt, id }];
    });
  }
}

function addedTo(held: { before: KnownDelivery; added?: AddedAttempts }): AddedAttempts {
  const { deliveryId, untouched: executionId } = held.before;
  if (!executionId) throw new Error('nothing is added to what Redrive has taken up');
  held.added ??= { deliveryId, executionId, delivered: false, mayHaveArrived: false, attempts: [] };
  return held.added;
}

function inOrder<Of extends { attempts: IdentifiedAttempt[] }>(of: Of): Of {
  if (of.attempts.length > 1) of.attempts.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return of;
}
