import { deliveryQueryOf, isOfAnyState, selectionFilter } from '../../api/delivery-query.ts';
import { STATES } from '../../api/delivery-states.ts';
import { inputList, inputText, type SearchInput } from '../../api/search-input.ts';

/** What a recovery is about, as `POST /retries` takes it, or as an operation shows it. */
export type Selection = Readonly<Record<string, unknown>>;

/** Lists of ids, by the parameters of a URL that hold them. */
const LISTS = { ids: 'deliveryIds', events: 'eventIds', executions: 'executionIds' } as const;
const SINGLE = ['outage', 'failuresOf', 'remainderOf'] as const;

/** The selection in a URL: what is named, what an outage or an operation left, or a filter. */
export function selectionOf(search: SearchInput): Selection {
  for (const [parameter, member] of Object.entries(LISTS)) {
    const ids = inputList(search[parameter]);
    if (ids) return { [member]: ids };
  }
  for (const member of SINGLE) {
    const id = inputText(search[member]);
    if (id !== undefined) return { [member]: id };
  }
  // No state means failures to the API: any state is each of them.
  const state = isOfAnyState(search) ? [...STATES] : ['failed'];
  return { filter: { state, ...selectionFilter(deliveryQueryOf(search)) } };
}

/** The parameters of a URL that say a selection; not every one that other APIs make can be said so. */
export function selectionSearch(selection: Selection): SearchInput {
  for (const [parameter, member] of Object.entries(LISTS))
    if (Array.isArray(selection[member])) return { [parameter]: selection[member] };
  for (const member of SINGLE)
    if (typeof selection[member] === 'string') return { [member]: selection[member] };
  const filter = filterIn(selection);
  return filter ? { ...filter, state: isWhatever(filter.state) ? 'any' : (filter.state ?? ['failed']) } : {};
}

/** The filter of a selection, where it is one: the window of an outage is none. */
export function filterIn(selection: Selection): Readonly<Record<string, unknown>> | undefined {
  const { filter, outage } = selection;
  return typeof filter === 'object' && filter !== null && outage === undefined
    ? (filter as Record<string, unknown>)
    : undefined;
}

/** Whether these are all states that there are. */
export function isWhatever(states: unknown): boolean {
  return Array.isArray(states) && STATES.every((state) => states.includes(state));
}
