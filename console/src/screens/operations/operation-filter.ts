import { OPERATION_STATES } from '../../api/operation-states.ts';
import type { OperationFilter } from '../../api/queries.ts';
import { inputList, inputText, type SearchInput } from '../../api/search-input.ts';
import { type Forms, type NoValue, noValuesBy, oneOf, TIME } from '../../format/filter-forms.ts';

/** The members whose values have a form; of the others the API knows which there are. */
const FORMS: Forms<keyof OperationFilter> = {
  state: oneOf(OPERATION_STATES),
  kind: oneOf(['retry', 'replay']),
  from: TIME,
  to: TIME,
};

const NAMES: Readonly<Record<keyof Required<OperationFilter>, string>> = {
  state: 'State',
  kind: 'Kind',
  actor: 'Asked for by',
  endpointIds: 'Endpoint',
  from: 'Since',
  to: 'Before',
  text: 'Reason or ticket',
};

/** What a member of the filter is called. */
export function operationFilterName(member: string): string {
  return NAMES[member as keyof OperationFilter] ?? member;
}

/** The filter over operations that stands in a URL, and the values there that are none: with one of them it matches nothing. */
export function operationFilterIn(search: SearchInput): { filter: OperationFilter; noValues: NoValue[] } {
  const lists = listsIn(search);
  // The API takes one kind: both are all.
  const kind = new Set(inputList(search.kind)).size === 1 ? inputList(search.kind)?.[0] : undefined;
  const texts = Object.fromEntries(
    (['from', 'to', 'text'] as const).flatMap((name) => {
      const value = inputText(search[name]);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return {
    filter: { ...lists, ...(kind === undefined ? {} : { kind }), ...texts } as OperationFilter,
    noValues: noValuesBy(FORMS, { ...lists, kind: inputList(search.kind), ...texts }),
  };
}

function listsIn(search: SearchInput): Record<string, string[]> {
  return Object.fromEntries(
    (['state', 'endpointIds', 'actor'] as const).flatMap((name) => {
      const values = inputList(search[name]);
      return values === undefined ? [] : [[name, values]];
    }),
  );
}
