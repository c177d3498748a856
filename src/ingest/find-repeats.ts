import { createHash } from 'node:crypto';
import { type IdHistory, type Repeat, type RepeatFate, repeat } from '../domain/events/repeated-event.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { type Allotment, claimIdentities } from '../store/ingest/events.ts';
import { idHistories } from '../store/ingest/resends.ts';
import type { MatchedEvent } from './matched-event.ts';

/** A repeat of an earlier event, and its fate. */
export interface FoundRepeat extends RepeatFate {
  duplicateOf: Id<'event'>;
}

/** Finds the events whose id has come before, in an earlier call or earlier in these, and decides each in turn. */
export async function findRepeats(
  db: Transaction,
  tenantId: Id<'tenant'>,
  incoming: readonly MatchedEvent[],
  { eventIds, firstNumber }: Pick<Allotment, 'eventIds' | 'firstNumber'>,
): Promise<(FoundRepeat | undefined)[]> {
  const identityOf = ({ externalId, type, source }: MatchedEvent) =>
    externalId === undefined ? undefined : JSON.stringify([externalId, type, source ?? '']);
  const firsts = new Map<string, number>();
  for (const [index, event] of incoming.entries()) {
    const identity = identityOf(event);
    if (identity !== undefined && !firsts.has(identity)) firsts.set(identity, index);
  }
  if (firsts.size === 0) return [];
  const owners = await claimIdentities(
    db,
    tenantId,
    [...firsts.values()].map((index) => {
      const { externalId = '', type, source } = incoming[index] as MatchedEvent;
      return { identity: { externalId, type, source }, eventId: eventIds[index] as Id<'event'> };
    }),
  );
  const ownerOf = new Map([...firsts.keys()].map((identity, n) => [identity, owners[n] as Id<'event'>]));
  const own = new Set(eventIds);
  const earlier = owners.filter((eventId) => !own.has(eventId));
  const histories =
    earlier.length > 0 ? await idHistories(db, tenantId, earlier) : new Map<Id<'event'>, IdHistory>();

  const asRepeat = (index: number): Repeat => {
    const { body, key, endpoints } = incoming[index] as MatchedEvent;
    const digest = createHash('sha256').update(body).digest('hex');
    return {
      eventId: eventIds[index] as Id<'event'>,
      number: firstNumber + index,
      key,
      digest,
      endpoints,
    };
  };
  /** The first of an id is noted when a second one comes: most have none, and are not digested. */
  const historyOf = (identity: string, firstEventId: Id<'event'>): IdHistory => {
    const known = histories.get(firstEventId);
    if (known) return known;
    const history: IdHistory = { firstEventId, held: new Map() };
    repeat(history, asRepeat(firsts.get(identity) as number));
    histories.set(firstEventId, history);
    return history;
  };
  return incoming.map((event, index) => {
    const identity = identityOf(event);
    const duplicateOf = identity === undefined ? undefined : ownerOf.get(identity);
    if (identity === undefined || duplicateOf === undefined || duplicateOf === eventIds[index])
      return undefined;
    return { duplicateOf, ...repeat(historyOf(identity, duplicateOf), asRepeat(index)) };
  });
}
