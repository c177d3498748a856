import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { type Retries, retriesOf, uuidIn } from '../api/retries.ts';
import { TIME_TO_ANSWER_MS } from '../patience.ts';
import { type Receiver, startReceiver } from '../receivers/receiver.ts';
import type { Behaviour } from '../receivers/receiver-behaviour.ts';
import { seedFailures } from './seed-failures.ts';
import type { TestEngine } from './test-engine.ts';

/** A tenant with failed deliveries at endpoints that have a receiver of their own each. */
export type Scene = {
  tenant: { id: string; handle: string; key: string };
  retries: Retries;
  receivers: Receiver[];
  // biome-ignore lint/suspicious/noExplicitAny: endpoints as they are shown
  endpoints: any[];
  /** Loads failures, spread over these endpoints, or over all. */
  seed(count: number, endpoints?: number[]): Promise<void>;
  /** Ids (uuids) of deliveries. */
  ids(where?: string): Promise<Id<'delivery'>[]>;
  /** Requests that the receivers have got together. */
  sent(): number;
  close(): Promise<void>;
};

/** The request that selects every failure of the tenant. */
export const ALL_FAILURES = { select: { filter: {} } };

let scenes = 0;

/** Makes a tenant with an endpoint for each behaviour; requests are not tried again by themselves. */
export async function createScene(
  engine: TestEngine,
  behaviours: Behaviour[],
  endpoint: Record<string, unknown> = {},
  { tenant: handle }: { tenant?: string } = {},
): Promise<Scene> {
  scenes += 1;
  const tenant = await engine.client.newTenant(handle ?? `scene-${scenes}`);
  const receivers = await Promise.all(behaviours.map((behaviour) => startReceiver(behaviour)));
  const endpoints: Scene['endpoints'] = [];
  for (const receiver of receivers)
    endpoints.push(
      await engine.client.newEndpoint(tenant.key, {
        url: receiver.url('/hook'),
        timeoutMs: TIME_TO_ANSWER_MS,
        retry: { maxAttempts: 1 },
        ...endpoint,
      }),
    );
  const tenantId = uuidIn('tenant', tenant.id);
  return {
    tenant,
    receivers,
    endpoints,
    retries: retriesOf(engine.client, tenant.key),
    seed: (count, only = endpoints.map((_, index) => index)) =>
      seedFailures(engine.database.pool, {
        tenantId,
        endpointIds: only.map((index) => uuidIn('endpoint', endpoints[index].id)),
        count,
      }),
    async ids(where = 'true') {
      const { rows } = await engine.database.pool.query(
        `select id from deliveries where tenant_id = $1 and ${where} order by id`,
        [tenantId],
      );
      return rows.map((row) => row.id);
    },
    sent: () => receivers.reduce((sum, { requests }) => sum + requests.length, 0),
    async close() {
      await Promise.all(receivers.map((receiver) => receiver.close()));
    },
  };
}
