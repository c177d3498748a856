import type { z } from 'zod';
import { isProblem, type Problem } from '../../../api/problems/problem.ts';
import type { OperationOptions } from '../../../domain/operations/operation.ts';
import { MAX_EXPLICIT_IDS, type Selection } from '../../../domain/operations/selection.ts';
import { type Id, readId } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import type { UnknownInFilter } from '../../../store/selection/known-ids.ts';
import { deliveryFilter } from '../deliveries/delivery-filter.ts';
import { idsOfNames, tooManyNamed, unknownNames, type WithIds, withNamedEndpoints } from '../names.ts';
import type { RetryRequest } from './retry-request.ts';

type Parsed = z.output<typeof RetryRequest>;

type WithNames = Pick<Parsed['select'], 'eventIds' | 'filter'>;

type WithoutNames<Selected extends WithNames> = Omit<Selected, 'eventIds' | 'filter'> & {
  eventIds?: Id<'event'>[];
  filter?: WithIds<NonNullable<Parsed['select']['filter']>>;
};

/** The selection with the tenant's ids in the place of names, or the names that stand for nothing. */
export async function withoutNames<Selected extends WithNames>(
  db: Queryable,
  tenantId: Id<'tenant'>,
  select: Selected,
): Promise<WithoutNames<Selected> | Problem> {
  const { eventIds, filter: named, ...others } = select;
  if (eventIds) {
    const found = await idsOfNames(db, tenantId, 'event', eventIds);
    if ('unknown' in found)
      return unknownNames(found.unknown.map((index) => ({ pointer: `#/select/eventIds/${index}` })));
    return found.ids.length > MAX_EXPLICIT_IDS
      ? tooManyNamed('#/select/eventIds')
      : { ...others, eventIds: found.ids };
  }
  if (!named) return others;
  const filter = await withNamedEndpoints(db, tenantId, named, (index) => ({
    pointer: `#/select/filter/endpointIds/${index}`,
  }));
  return isProblem(filter) ? filter : { ...others, filter };
}

/** Whether a repeat of the request would select something else: the operation that it starts must be known by a key. */
export function needsKey({ filter, failuresOf, remainderOf, outage }: Parsed['select']): boolean {
  return [filter, failuresOf, remainderOf, outage].some((member) => member !== undefined);
}

/** The selection of the domain. */
export function selectionOf(select: Partial<WithoutNames<Parsed['select']>>): Selection {
  if (select.deliveryIds) return { deliveryIds: [...new Set(select.deliveryIds)] };
  if (select.eventIds) return { eventIds: [...new Set(select.eventIds)] };
  if (select.executionIds) return { executionIds: [...new Set(select.executionIds)] };
  if (select.failuresOf !== undefined) return { failuresOf: select.failuresOf };
  if (select.remainderOf !== undefined) return { remainderOf: select.remainderOf };
  return { filter: deliveryFilter(select.filter ?? {}) };
}

/** The options of the domain. */
export function optionsOf({ options }: Parsed): OperationOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as OperationOptions;
}

/** Where in the request these ids stand, each once and in its order: an error about them points there. */
export function pointersOf(
  { select }: { select: Partial<Parsed['select']> },
  wanted: readonly string[],
): string[] {
  const [name, members] = Object.entries(select).find(([, member]) => member !== undefined) ?? [];
  if (!Array.isArray(members)) return [`#/select/${name}`];
  const missing = new Set(wanted);
  return members.flatMap((id, index) => (missing.delete(id) ? [`#/select/${name}/${index}`] : []));
}

/** Where in the filter of the request these ids stand, each once. */
export function pointersInFilter(
  { select }: { select: Pick<Parsed['select'], 'filter'> },
  unknown: readonly UnknownInFilter[],
): string[] {
  return unknown.map(({ member, id }) => {
    // Endpoints are still there as they were sent: a name has been looked up, but an id only read.
    const place = select.filter?.[member]?.findIndex(
      (text) => text === id || readId('endpoint', text) === id,
    );
    return `#/select/filter/${member}/${place}`;
  });
}
