import type { Schema } from '../../api/client.ts';
import { duration } from '../../format/durations.ts';
import { shortId } from '../../format/ids.ts';
import { counted } from '../../format/numbers.ts';
import type { TimeWords } from '../../format/times.ts';
import { words } from '../../format/words.ts';
import { isWhatever, type Selection } from './selection.ts';

interface Names {
  endpoint: (id: string) => string;
  time: TimeWords;
}

/** A selection as one sentence. */
export function selectionWords(selection: Selection, names: Names): string {
  const { tenants, filter, afresh, endpoints } = selection;
  const among = tenants === undefined ? '' : `, ${tenantWords(tenants)}`;
  if (Array.isArray(selection.deliveryIds))
    return `${counted(selection.deliveryIds.length, 'delivery that you picked', 'deliveries that you picked')}.`;
  if (Array.isArray(selection.eventIds))
    return `All deliveries of ${counted(selection.eventIds.length, 'event')}.`;
  if (Array.isArray(selection.executionIds))
    return `The deliveries of ${counted(selection.executionIds.length, 'execution')}.`;
  if (typeof selection.outage === 'string')
    return `What the outage ${shortId(selection.outage)} left: everything of its window that was not delivered${among}.`;
  if (typeof selection.failuresOf === 'string')
    return `What failed in the operation ${shortId(selection.failuresOf)}.`;
  if (typeof selection.remainderOf === 'string')
    return `Everything that the operation ${shortId(selection.remainderOf)} selected and did not deliver.`;
  if (isMembers(filter))
    return `All deliveries${stateWords(filter.state)}${filterWords(filter, names)}${among}.`;
  if (isMembers(afresh))
    return `Events${filterWords(afresh, names)}, matched afresh with ${isMembers(endpoints) ? 'the endpoints that were named' : 'all endpoints'}${among}.`;
  return `What this screen has no words for: ${Object.keys(selection).map(words).join(', ')}.`;
}

type Filter = Schema<'DeliveryFilter'>;
type Say<Value> = (value: Value, names: Names, filter: Filter) => string | undefined;

const some =
  <Value extends string | number>(
    before: string,
    show: (value: Value, names: Names) => string = String,
  ): Say<readonly Value[]> =>
  (values, names) =>
    `${before} ${values.length === 0 ? 'none' : joined(values.map((value) => show(value, names)))}`;
const at =
  (before: string): Say<string> =>
  (time, names) =>
    `${before} ${names.time(time)}`;

/** The words of each member: one that has none does not compile, for left out it would read as a wider selection. */
const MEMBERS: { [Member in keyof Required<Filter>]: Say<NonNullable<Filter[Member]>> } = {
  // Said of the deliveries themselves, before the others.
  state: () => undefined,
  endpointIds: some('for', (id, { endpoint }) => endpoint(id)),
  eventTypes: some('of the type'),
  sources: some('from'),
  faultCodes: some('because of', words),
  httpStatus: some('with status'),
  key: (key) => `with the key ${key}`,
  from: (from, names, { to }) =>
    to === undefined
      ? `accepted since ${names.time(from)}`
      : `accepted from ${names.time(from)} to ${names.time(to)}`,
  to: (to, names, { from }) => (from === undefined ? `accepted before ${names.time(to)}` : undefined),
  lastAttemptAfter: at('last tried after'),
  lastAttemptBefore: at('last tried before'),
  pendingLongerThanMs: (ms) => `open for longer than ${duration(Number(ms))}`,
  blocking: () => 'that others of their key wait for',
  ingestionBatchIds: some('of the batch'),
  dispatchBatchIds: some('of the dispatch batch'),
};

/** No state means failures to the API. */
function stateWords(states: unknown): string {
  if (isWhatever(states)) return ', whatever their state';
  const named = Array.isArray(states) ? states.map((state) => words(String(state))) : ['failed'];
  return named.length === 0 ? ' of no state' : ` that are ${joined(named)}`;
}

function filterWords(filter: Readonly<Record<string, unknown>>, names: Names): string {
  const order = Object.keys(MEMBERS);
  const said = order.flatMap((member) => {
    const value = filter[member];
    const say = MEMBERS[member as keyof Filter] as Say<unknown>;
    return value === undefined || value === null ? [] : [say(value, names, filter as Filter)];
  });
  // Members of other APIs narrow it in ways that this one cannot say.
  const others = Object.keys(filter).filter((member) => !order.includes(member));
  const parts = [
    ...said.filter((part) => part !== undefined),
    ...(others.length === 0 ? [] : [`narrowed further by ${others.map(words).join(', ')}`]),
  ];
  return parts.map((part) => `, ${part}`).join('');
}

function tenantWords(tenants: unknown): string {
  return Array.isArray(tenants) ? `of ${counted(tenants.length, 'tenant')}` : 'of all tenants';
}

function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function joined(values: string[]): string {
  return values.length < 3 ? values.join(' or ') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
