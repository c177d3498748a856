/**
 * The condition, in SQL, that a delivery is of one of these events, an array. Twice: first deliveries and those that
 * repeat another are in two partial indexes, and only so can a look use both.
 */
export function ofEvents(delivery: string, eventIds: string): string {
  const of = `${delivery}.event_id = any(${eventIds})`;
  return `(${of} and ${delivery}.replay_of is null or ${of} and ${delivery}.replay_of is not null)`;
}
