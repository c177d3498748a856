/** The first of some lists, one behind the other, and how many are left out; `atLeast` where a list goes on unread. */
export interface FirstOfAll<Item> {
  first: Item[];
  left: number;
  atLeast: boolean;
}

/** Takes the first so many of the lists: nothing of a list stands before all that is known of those before it. */
export function firstOfAll<Item extends { id: string }>(
  lists: readonly { items: readonly Item[]; more: boolean }[],
  most: number,
): FirstOfAll<Item> {
  // Lists are read one after the other: what has moved meanwhile may stand in two of them.
  const all = [...new Map(lists.flatMap(({ items }) => items).map((item) => [item.id, item])).values()];
  return {
    first: all.slice(0, most),
    left: Math.max(0, all.length - most),
    atLeast: lists.some(({ more }) => more),
  };
}
