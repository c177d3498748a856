import { deliveryQueryOf, selectionFilter } from '../../api/delivery-query.ts';
import { inputList, inputText, type SearchInput } from '../../api/search-input.ts';

/** What a recovery is about, as `POST /retries` takes it. */
export type Selection = Readonly<Record<string, unknown>>;

const SINGLE = { outage: 'outage', failuresOf: 'failuresOf', remainderOf: 'remainderOf' } as const;

/** The selection in a URL: named deliveries, what an outage or an operation left, or a filter. */
export function selectionOf(search: SearchInput): Selection {
  const ids = inputList(search.ids);
  if (ids) return { deliveryIds: ids };
  for (const member of Object.values(SINGLE)) {
    const id = inputText(search[member]);
    if (id !== undefined) return { [member]: id };
  }
  const filter = selectionFilter(deliveryQueryOf(search));
  const any = inputList(search.state)?.includes('any') === true;
  return { filter: any || 'state' in filter ? filter : { state: ['failed'], ...filter } };
}

/** The parameters of a URL that say a selection. */
export function selectionSearch(selection: Selection): SearchInput {
  if (Array.isArray(selection.deliveryIds)) return { ids: selection.deliveryIds };
  for (const member of Object.values(SINGLE))
    if (typeof selection[member] === 'string') return { [member]: selection[member] };
  const { filter } = selection;
  if (typeof filter !== 'object' || filter === null) return {};
  return 'state' in filter ? { ...filter } : { ...filter, state: 'any' };
}

/** The filter of a selection, where it is one. */
export function filterIn(selection: Selection): Readonly<Record<string, unknown>> | undefined {
  const { filter } = selection;
  return typeof filter === 'object' && filter !== null ? (filter as Record<string, unknown>) : undefined;
}
