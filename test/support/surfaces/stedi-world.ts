import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { startTestApi, type TestAnswer, type TestApi } from '../api/test-api.ts';
import { seedEndpoint } from '../engine/failed-deliveries.ts';
import { use } from '../use.ts';
import { type SeededFile, seedFile } from './seed-file.ts';

/** How a request of a Stedi client is made. */
export interface StediRequest {
  /** The header `Authorization`, as it is sent; the bare key of the tenant where left out. */
  authorization?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** An API with a tenant whose files can be seeded in every state. */
export interface StediWorld {
  api: TestApi;
  tenantId: string;
  /** Calls as a client of Stedi does; every answer is validated against the OpenAPI document. */
  call(method: string, path: string, request?: StediRequest): Promise<TestAnswer>;
  retry(condition: unknown, request?: StediRequest): Promise<TestAnswer>;
  /** Makes an endpoint; its id (uuid). */
  endpoint(change?: object): Promise<Id<'endpoint'>>;
  /** Writes a file with its executions; ids are uuids. */
  file(
    endpointId: string,
    runs: SeededFile['runs'],
    change?: Partial<SeededFile>,
  ): ReturnType<typeof seedFile>;
  /** Executions that operations of the tenant have made, parent to child. */
  children(): Promise<Map<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: rows as the driver gives them
  rows(sql: string, values?: unknown[]): Promise<any[]>;
  /** Takes the seeded rows away, but not the tenant. */
  empty(): Promise<void>;
}

/** Starts one; what is given replaces parts of its API. */
export async function startStediWorld(
  overrides: Parameters<typeof startTestApi>[0] = {},
): Promise<StediWorld> {
  const api = await startTestApi(overrides);
  const { pool } = api.database;
  const tenantId = api.tenant.id;
  const call: StediWorld['call'] = (method, path, { authorization, body, headers } = {}) =>
    api.call(method, path, {
      key: undefined,
      ...(body === undefined ? {} : { body }),
      headers: { authorization: authorization ?? api.key, ...headers },
    });
  return {
    api,
    tenantId,
    call,
    retry: (condition, request) =>
      call('POST', '/2023-08-01/executions/retry', { body: { condition }, ...request }),
    endpoint: async (change) => api.uuid(await seedEndpoint(api, api.key, change)),
    file: (endpointId, runs, change) => seedFile(pool, { tenantId, endpointId, runs, ...change }),
    async children() {
      const { rows } = await pool.query(
        'select parent_id, id from executions where tenant_id = $1 and operation_id is not null',
        [tenantId],
      );
      return new Map(rows.map((row) => [row.parent_id, row.id]));
    },
    rows: async (sql, values) => (await pool.query(sql, values)).rows,
    async empty() {
      await pool.query(`delete from attempts; delete from executions; delete from exclusions;
        delete from operation_controls; delete from operation_pacing; delete from operation_counts; delete from operations;
        delete from idempotency_keys; delete from deliveries; delete from payloads; delete from events`);
    },
  };
}

/** One for the tests of a file or `describe`. */
export function useStediWorld(): StediWorld {
  return use(startStediWorld, ({ api }) => api.close());
}
