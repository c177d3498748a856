/**
 * The condition, in SQL, that a delivery is of one of these events, an array. Twice: first deliveries and those that
 * repeat another are in two partial indexes, and only so can a look use both.
 */
export function ofEvents(delivery: string, eventIds: string): string {
  const of = `${delivery}.event_id = any(${eventIds})`;
  return `(${of} and ${delivery}.replay_of is null or ${of} and ${delivery}.replay_of is not null)`;
}

/**
 * The condition, in SQL, that a delivery is a first one of an event, and not what a replay under a new identity made of
 * it. Those of an event that repeats another name the deliveries they repeat, and are its first ones all the same.
 */
export function isFirstOf(delivery: string, eventId: string): string {
  const of = `${delivery}.event_id = ${eventId}`;
  return `(${of} and ${delivery}.replay_of is null
    or ${of} and ${delivery}.replay_of is not null and ${delivery}.operation_id is null)`;
}
