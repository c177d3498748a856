import { type Id, readId } from '../src/domain/tenancy/typed-id.ts';
import { type Retries, retriesOf } from '../test/support/api/retries.ts';
import { seedFailures } from '../test/support/engine/seed-failures.ts';
import type { Rig } from './rig.ts';

/** A tenant with endpoints of its own, at one behaviour of the receiver. Ids are uuids. */
export interface Scene {
  key: string;
  handle: string;
  tenantId: string;
  endpointIds: Id<'endpoint'>[];
  retries: Retries;
  /** Its path at the receiver, without the part that tells its endpoints apart. */
  path: string;
  /** Loads failed deliveries, spread over the endpoints. */
  seed(count: number, bytes?: number): Promise<void>;
}

/** The selection of every failure of the tenant. */
export const ALL_FAILURES = { select: { filter: { state: ['failed'] } } };

/** Rows that are loaded by one statement. */
const CHUNK = 100_000;

let scenes = 0;

/** Makes a tenant with so many endpoints, which want the events of one type only. */
export async function newScene(
  rig: Rig,
  { behaviour = 'ok', endpoints = 1, eventTypes = ['bench'], config }: SceneOptions = {},
): Promise<Scene> {
  scenes += 1;
  const path = `/${behaviour}/${scenes}`;
  const tenant = await rig.client.newTenant(`bench-${scenes}`);
  const endpointIds: Id<'endpoint'>[] = [];
  for (let n = 0; n < endpoints; n++) {
    const made = await rig.client.newEndpoint(tenant.key, {
      url: rig.receiver.urlOf(`${path}/${n}`),
      eventTypes,
      retry: { maxAttempts: 12, initialMs: 100, factor: 1, capMs: 100 },
      ...config?.(n),
    });
    endpointIds.push(readId('endpoint', made.id) ?? ('' as Id<'endpoint'>));
  }
  const tenantId = readId('tenant', tenant.id) ?? '';
  return {
    key: tenant.key,
    handle: tenant.handle,
    tenantId,
    endpointIds,
    path,
    retries: retriesOf(rig.client, tenant.key),
    async seed(count, bytes = 1_024) {
      for (let left = count; left > 0; left -= CHUNK)
        await seedFailures(rig.pool, {
          tenantId,
          endpointIds,
          count: Math.min(left, CHUNK),
          bodyBytes: Math.max(0, bytes - 20),
        });
      await rig.pool.query('checkpoint');
    },
  };
}

interface SceneOptions {
  behaviour?: 'ok' | 'slow30' | 'slow300' | 'fail20' | 'hang';
  endpoints?: number;
  eventTypes?: string[];
  /** What is otherwise of its endpoints, by their numbers. */
  config?: (n: number) => Record<string, unknown>;
}
