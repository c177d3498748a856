import { answerOf, type paths } from '@redrive/client';
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { Pages } from '../ui/tables/paged-rows.ts';
import { calls, type Schema } from './client.ts';
import type { DeliveryQuery } from './delivery-query.ts';
import { STATES } from './delivery-states.ts';
import { hasEnded, newer } from './newer.ts';
import { withTold } from './told.ts';

/** Who is calling, and what they may do. */
export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => answerOf(calls.GET('/api/v1/me', { signal })),
  staleTime: 60_000,
  // Another tab may have signed in as somebody else, in a browser that told this one nothing of it.
  refetchOnWindowFocus: 'always',
});

/** Deliveries, newest first. */
export function deliveryPages(query: DeliveryQuery): Pages<Schema<'Delivery'>> {
  return {
    key: ['deliveries', query],
    fetch: (cursor, limit, signal) =>
      answerOf(
        calls.GET('/api/v1/deliveries', {
          params: { query: { ...query, ...pageOf(cursor, limit) } },
          signal,
        }),
      ),
  };
}

/** How many deliveries match. */
export function deliveryCountQuery(query: DeliveryQuery) {
  return queryOptions({
    queryKey: ['delivery-count', query],
    queryFn: ({ signal }) => answerOf(calls.GET('/api/v1/deliveries/count', { params: { query }, signal })),
  });
}

/** Failures by groups. */
export function failureGroupsQuery(filter: DeliveryQuery, by: readonly string[]) {
  // Where no state is named the API means failures, and the list beside it all states.
  const query = { ...filter, state: filter.state ?? [...STATES] };
  return queryOptions({
    queryKey: ['failure-groups', query, by],
    queryFn: ({ signal }) =>
      answerOf(
        calls.GET('/api/v1/failures/groups', { params: { query: { ...query, by: by.join(',') } }, signal }),
      ),
  });
}

/** A range of time in spans. */
export type Range = { from: string; to: string; granularity: 'minute' | 'hour' };

/** Attempts over time, at some endpoints or at all. */
export function attemptStatsQuery(range: Range, by: string, endpointIds?: string[]) {
  return queryOptions({
    queryKey: ['attempt-stats', range, by, endpointIds ?? null],
    queryFn: ({ signal }) =>
      answerOf(
        calls.GET('/api/v1/stats/attempts', {
          params: { query: { ...range, by, ...(endpointIds ? { endpointIds } : {}) } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
}

/** Accepted events over time. */
export function eventStatsQuery(range: Range) {
  return queryOptions({
    queryKey: ['event-stats', range],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/stats/events', { params: { query: range }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** The states in which an execution owns its delivery. */
const OPEN: ReadonlySet<string> = new Set(['queued', 'scheduled', 'sending', 'unknown']);

/** A delivery with its executions; as long as it is open it is asked for again, for no stream tells of it. */
export function deliveryQuery(id: string) {
  return queryOptions({
    queryKey: ['delivery', id],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/deliveries/{id}', { params: { path: { id } }, signal })),
    // Behind what it is the answer of: the compiler reads from the top.
    refetchInterval: ({ state: { data } }) =>
      data?.executions.some(({ state }) => OPEN.has(state)) ? 3_000 : false,
  });
}

/** An event. */
export function eventQuery(id: string) {
  return queryOptions({
    queryKey: ['event', id],
    queryFn: ({ signal }) => answerOf(calls.GET('/api/v1/events/{id}', { params: { path: { id } }, signal })),
  });
}

/** What to do about a delivery; asked again when its state is another. */
export function adviceQuery(id: string, state: string) {
  return queryOptions({
    queryKey: ['advice', id, state],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/deliveries/{id}/advice', { params: { path: { id } }, signal })),
  });
}

/** All endpoints, by which the console writes handles in the place of ids. */
export const endpointsQuery = queryOptions({
  queryKey: ['endpoints'],
  staleTime: 30_000,
  async queryFn({ signal }) {
    const found: Schema<'Endpoint'>[] = [];
    let cursor: string | undefined;
    do {
      const query = pageOf(cursor, 500);
      const page = await answerOf(calls.GET('/api/v1/endpoints', { params: { query }, signal }));
      found.push(...page.items);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && found.length < MOST_ENDPOINTS);
    return found;
  },
});

/** No more of them are read. */
export const MOST_ENDPOINTS = 5_000;

/** An endpoint. */
export function endpointQuery(id: string) {
  return queryOptions({
    queryKey: ['endpoint', id],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/endpoints/{id}', { params: { path: { id } }, signal })),
  });
}

/** The versions of an endpoint, newest first. */
export function endpointVersionsQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ['endpoint-versions', id],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answerOf(
        calls.GET('/api/v1/endpoints/{id}/versions', {
          params: { path: { id }, query: pageOf(pageParam, 50) },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
}

/** The filter over operations. */
export type OperationFilter = Omit<
  NonNullable<paths['/api/v1/retries']['get']['parameters']['query']>,
  'limit' | 'cursor'
>;

/** Operations, newest first. */
export function operationsQuery(filter: OperationFilter) {
  return infiniteQueryOptions({
    queryKey: ['operations', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const page = await answerOf(
        calls.GET('/api/v1/retries', { params: { query: { ...filter, ...pageOf(pageParam, 50) } }, signal }),
      );
      return { ...page, items: page.items.map(withTold) };
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
}

/** An operation, asked for again until it has ended; an answer that is older than what the stream has told changes nothing. */
export function operationQuery(id: string, everyMs: number | false = false) {
  return queryOptions({
    queryKey: ['operation', id],
    queryFn: async ({ signal }) =>
      withTold(await answerOf(calls.GET('/api/v1/retries/{id}', { params: { path: { id } }, signal }))),
    refetchInterval: ({ state: { data } }) => (data && hasEnded(data.state) ? false : everyMs),
    structuralSharing: (kept: unknown, come: unknown) => {
      const [before, after] = [kept as Operation | undefined, come as Operation];
      return before && newer(before, after) === before
        ? { ...after, counts: before.counts, state: before.state }
        : after;
    },
  });
}

type Operation = Schema<'OperationDetails'>;

/** The endpoints of an operation. */
export function operationEndpointsQuery(id: string) {
  return queryOptions({
    queryKey: ['operation-endpoints', id],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/retries/{id}/endpoints', { params: { path: { id } }, signal })),
  });
}

/** The workflow of an operation, as Temporal tells it now. */
export function workflowQuery(id: string) {
  return queryOptions({
    queryKey: ['workflow', id],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/retries/{id}/workflow', { params: { path: { id } }, signal })),
  });
}

/** Samples of the counts of an operation. */
export function samplesQuery(id: string) {
  return queryOptions({
    queryKey: ['samples', id],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/retries/{id}/samples', { params: { path: { id } }, signal })),
  });
}

/** What a line of a ledger can stand at. */
export type ItemState = NonNullable<
  NonNullable<paths['/api/v1/retries/{id}/items']['get']['parameters']['query']>['state']
>[number];

/** The ledger of an operation: its items and exclusions. */
export function itemPages(id: string, state: ItemState[] | undefined): Pages<Schema<'OperationItem'>> {
  return {
    key: ['items', id, state ?? null],
    fetch: (cursor, limit, signal) =>
      answerOf(
        calls.GET('/api/v1/retries/{id}/items', {
          params: { path: { id }, query: { ...(state ? { state } : {}), ...pageOf(cursor, limit) } },
          signal,
        }),
      ),
  };
}

/** A plan; asked for again as it grows until it is made. */
export function planQuery(id: string) {
  return queryOptions({
    queryKey: ['plan', id],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/retries/plans/{id}', { params: { path: { id } }, signal })),
    refetchInterval: ({ state: { data } }) => (data?.state === 'planning' ? 500 : false),
  });
}

/** A risk of a plan. */
export type Risk = keyof Schema<'PlanRisks'>;

/** The deliveries of a plan, of some risks or of all. */
export function planItemPages(id: string, risks: Risk[] | undefined): Pages<Schema<'PlanItem'>> {
  return {
    key: ['plan-items', id, risks ?? null],
    fetch: (cursor, limit, signal) =>
      answerOf(
        calls.GET('/api/v1/retries/plans/{id}/items', {
          params: { path: { id }, query: { ...(risks ? { risk: risks } : {}), ...pageOf(cursor, limit) } },
          signal,
        }),
      ),
  };
}

type OutageFilter = NonNullable<paths['/api/v1/outages']['get']['parameters']['query']>;

/** Outages, newest first. */
export function outagesQuery(filter: OutageFilter) {
  return infiniteQueryOptions({
    queryKey: ['outages', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answerOf(
        calls.GET('/api/v1/outages', { params: { query: { ...filter, ...pageOf(pageParam, 20) } }, signal }),
      ),
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
}

/** An outage, with what it left. */
export function outageQuery(id: string) {
  return queryOptions({
    queryKey: ['outage', id],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/outages/{id}', { params: { path: { id } }, signal })),
  });
}

/** The tenants of the installation. */
export const tenantsQuery = infiniteQueryOptions({
  queryKey: ['tenants'],
  initialPageParam: undefined as string | undefined,
  queryFn: ({ pageParam, signal }) =>
    answerOf(calls.GET('/api/v1/tenants', { params: { query: pageOf(pageParam, 500) }, signal })),
  getNextPageParam: (page) => page.nextCursor ?? undefined,
});

/** What a text is the id, key or ticket of. */
export function searchQuery(text: string) {
  return queryOptions({
    queryKey: ['search', text],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/search', { params: { query: { q: text } }, signal })),
    enabled: text.length > 1,
  });
}

/** The plain report of an operation. */
export function reportQuery(id: string) {
  return queryOptions({
    queryKey: ['report', id],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/retries/{id}/report', { params: { path: { id } }, signal })),
  });
}

/** The keys by which reports are signed. */
export const jwksQuery = queryOptions({
  queryKey: ['jwks'],
  queryFn: ({ signal }) => answerOf(calls.GET('/.well-known/redrive/jwks.json', { signal })),
  staleTime: 300_000,
});

/** The filter over the audit. */
export type AuditFilter = Omit<
  NonNullable<paths['/api/v1/audit']['get']['parameters']['query']>,
  'order' | 'limit' | 'cursor'
>;

/** A page of the audit. */
export function auditQuery(filter: AuditFilter) {
  return infiniteQueryOptions({
    queryKey: ['audit', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answerOf(
        calls.GET('/api/v1/audit', {
          params: { query: { ...filter, order: 'newest', ...pageOf(pageParam, 100) } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
}

/** The signed heads of the audit chain. */
export const checkpointsQuery = queryOptions({
  queryKey: ['checkpoints'],
  queryFn: ({ signal }) =>
    answerOf(calls.GET('/api/v1/audit/checkpoints', { params: { query: { limit: 20 } }, signal })),
});

/** The keys of the tenant. */
export const keysQuery = infiniteQueryOptions({
  queryKey: ['keys'],
  initialPageParam: undefined as string | undefined,
  queryFn: ({ pageParam, signal }) =>
    answerOf(calls.GET('/api/v1/keys', { params: { query: pageOf(pageParam, 100) }, signal })),
  getNextPageParam: (page) => page.nextCursor ?? undefined,
});

/** The parameters of a page. */
function pageOf(cursor: string | undefined, limit: number): { limit: number; cursor?: string } {
  return { limit, ...(cursor === undefined ? {} : { cursor }) };
}
