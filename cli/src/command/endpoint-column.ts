import { answerOf, hasCode } from '@redrive/client';
import type { Column } from '../core/table.ts';
import type { Context } from '../shell/context.ts';
import { type PageQuery, upTo } from './listing.ts';

/** Of a tenant that has more, those beyond are shown by their ids. */
const MOST = 2_000;

/**
 * The column of endpoints, by their handles; by ids where the key may not read endpoints, and of those that are deleted.
 * Data has ids in any case.
 */
export async function endpointColumn(context: Context): Promise<Column<{ endpointId?: unknown }>> {
  const handles = context.out.form === 'table' ? await handlesOf(context) : new Map<unknown, string>();
  return { head: 'endpoint', cell: ({ endpointId }) => handles.get(endpointId) ?? endpointId };
}

async function handlesOf(context: Context): Promise<Map<unknown, string>> {
  const { calls } = await context.api();
  const page = (query: PageQuery) => answerOf(calls.GET('/api/v1/endpoints', { params: { query } }));
  const handles = new Map<unknown, string>();
  try {
    for await (const { id, handle } of upTo(MOST, page)) handles.set(id, handle);
  } catch (error) {
    // What is listed matters more than its names.
    if (!hasCode(error, 'insufficient_scope') && !hasCode(error, 'temporarily_unavailable')) throw error;
  }
  return handles;
}
