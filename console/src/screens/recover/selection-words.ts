import { shortId } from '../../format/ids.ts';
import { counted } from '../../format/numbers.ts';
import { words } from '../../format/words.ts';
import { filterIn, type Selection } from './selection.ts';

interface Names {
  endpoint: (id: string) => string;
  time: (at: string) => string;
}

/** A selection as one sentence. */
export function selectionWords(selection: Selection, names: Names): string {
  if (Array.isArray(selection.deliveryIds))
    return `${counted(selection.deliveryIds.length, 'delivery that you picked', 'deliveries that you picked')}.`;
  if (Array.isArray(selection.eventIds))
    return `All deliveries of ${counted(selection.eventIds.length, 'event')}.`;
  if (Array.isArray(selection.executionIds))
    return `The deliveries of ${counted(selection.executionIds.length, 'execution')}.`;
  if (typeof selection.outage === 'string')
    return `What the outage ${shortId(selection.outage)} left: everything of its window that was not delivered.`;
  if (typeof selection.failuresOf === 'string')
    return `What failed in the operation ${shortId(selection.failuresOf)}.`;
  if (typeof selection.remainderOf === 'string')
    return `Everything that the operation ${shortId(selection.remainderOf)} selected and did not deliver.`;
  return filterWords(filterIn(selection) ?? {}, names);
}

function filterWords(filter: Readonly<Record<string, unknown>>, names: Names): string {
  const list = (member: string, show: (value: string) => string = (value) => value) =>
    Array.isArray(filter[member]) ? joined(filter[member].map((value) => show(String(value)))) : undefined;
  const text = (member: string) => (typeof filter[member] === 'string' ? filter[member] : undefined);
  const [from, to] = [text('from'), text('to')];
  const parts = [
    part('for', list('endpointIds', names.endpoint)),
    part('of the type', list('eventTypes')),
    part('from', list('sources')),
    part('because of', list('faultCodes', words)),
    part('with status', list('httpStatus')),
    part('with the key', text('key')),
    from !== undefined && to !== undefined
      ? `accepted from ${names.time(from)} to ${names.time(to)}`
      : (part('accepted since', from && names.time(from)) ?? part('accepted before', to && names.time(to))),
    part('last tried after', text('lastAttemptAfter') && names.time(text('lastAttemptAfter') ?? '')),
    part('last tried before', text('lastAttemptBefore') && names.time(text('lastAttemptBefore') ?? '')),
    part('of the batch', list('ingestionBatchIds')),
    part('of the dispatch batch', list('dispatchBatchIds')),
  ].filter((each) => each !== undefined);
  const states = list('state', words);
  return `All deliveries${states === undefined ? ', whatever their state' : ` that are ${states}`}${parts.length > 0 ? `, ${parts.join(', ')}` : ''}.`;
}

function part(before: string, value: string | undefined): string | undefined {
  return value ? `${before} ${value}` : undefined;
}

function joined(values: string[]): string {
  return values.length < 3 ? values.join(' or ') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
