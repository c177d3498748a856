import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { uuidIn } from '../api/retries.ts';
import { seedFailures } from '../engine/seed-failures.ts';
import type { TestEngine } from '../engine/test-engine.ts';
import { eventually } from '../eventually.ts';
import { type Receiver, startReceiver } from '../receivers/receiver.ts';
import {
  type Behaviour,
  closeSilently,
  flaky,
  halfAnswer,
  hang,
  moody,
  ok,
  reset,
  retryAfter,
  status,
} from '../receivers/receiver-behaviour.ts';
import { anyId } from '../store/any-id.ts';
import { newTestSigner, type TestSigner } from '../surfaces/minka-client.ts';

/** A delivery by the ids as they are shown. */
type WorldDelivery = { id: string; eventId: string; endpointId: string };

/** A tenant with endpoints of every kind and in every state, and with deliveries of theirs in every state. */
export type World = {
  engine: TestEngine;
  tenant: { id: string; handle: string; key: string };
  // biome-ignore lint/suspicious/noExplicitAny: endpoints as they are shown, with their secrets
  endpoints: any[];
  receivers: Receiver[];
  signer: TestSigner;
  deliveries: WorldDelivery[];
  /** Those whose outcome nobody knows. */
  unknown: WorldDelivery[];
  /** Shown ids. */
  events: string[];
  eventNumbers: string[];
  executions: string[];
  operations: string[];
  /** The previews of FlowRelay, each with the key that it was made under. */
  previews: { id: string; key: string }[];
  /** Reads everything that is there by now. */
  refresh(): Promise<void>;
  /** From now on everything is answered well. */
  recover(): void;
  close(): Promise<void>;
};

/** Names that events and endpoints of the world have. */
export const SOURCES = ['billing', 'ledger ☃'];
export const TYPES = ['order.paid', 'invoice.sent', 'test.seeded'];
export const KEYS = ['account-1', 'account-2'];
export const BATCHES = ['import-7', 'импорт'];
export const EXTERNAL_IDS = ['inv-1', 'inv-2', '発注-3', 'inv-4'];

/** Waiting deliveries are given up soon, so that everything is over within seconds. */
const BRIEF = {
  timeoutMs: 400,
  retry: { maxAttempts: 3, initialMs: 20, factor: 2, capMs: 200 },
  giveUpAfterMs: 3_000,
  reconcileWithinMs: 300,
};

const MOODS: Record<string, { behaviour: Behaviour; endpoint?: Record<string, unknown> }> = {
  well: { behaviour: ok },
  failing: { behaviour: status(500) },
  overloaded: { behaviour: retryAfter(1) },
  hanging: { behaviour: hang },
  resetting: { behaviour: reset },
  refusing: { behaviour: status(410) },
  flaky: { behaviour: flaky(12), endpoint: { protect: false } },
  ordered: { behaviour: moody(0.4), endpoint: { ordered: true } },
  passing: { behaviour: moody(0.4), endpoint: { ordered: true, onExhausted: 'skip' } },
  held: { behaviour: closeSilently, endpoint: { onAmbiguous: 'hold' } },
  probed: { behaviour: halfAnswer, endpoint: { onAmbiguous: 'probe' } },
  acknowledging: { behaviour: status(202), endpoint: { requireAck: true } },
  paced: { behaviour: ok, endpoint: { ratePerSecond: 40, maxConcurrency: 1 } },
  partner: { behaviour: ok, endpoint: { partner: { direction: 'OUTBOUND', guides: ['nothing.*'] } } },
  choosy: { behaviour: ok, endpoint: { eventTypes: ['order.*'], filter: { n: { $gte: 0 } } } },
  minka: { behaviour: ok, endpoint: { preset: 'minka' } },
  disabled: { behaviour: ok },
  deleted: { behaviour: ok },
};

const EVENTS_OF_ENDPOINT = 4;

/** Makes a world on an engine of its own. */
export async function createWorld(engine: TestEngine): Promise<World> {
  const { client, database } = engine;
  const tenant = await client.newTenant('consequences');
  const { key } = tenant;
  const tenantId = uuidIn('tenant', tenant.id);
  const receivers: Receiver[] = [];
  const endpoints: World['endpoints'] = [];
  for (const [handle, { behaviour, endpoint = {} }] of Object.entries(MOODS)) {
    const receiver = await startReceiver(behaviour, { paths: { '/status': okProbe } });
    receivers.push(receiver);
    const probe =
      endpoint.onAmbiguous === 'probe'
        ? { probe: { urlTemplate: receiver.url('/status?of={deliveryId}'), processedField: 'processed' } }
        : {};
    endpoints.push(
      await client.newEndpoint(key, { handle, url: receiver.url('/hook'), ...BRIEF, ...endpoint, ...probe }),
    );
  }
  const signer = newTestSigner();
  await client.expect(201, 'POST', '/api/v1/signers', {
    body: { tenantId: tenant.id, handle: signer.handle, public: signer.public },
  });
  await client.expect(201, 'POST', '/api/v1/access-rules', {
    body: { tenantId: tenant.id, action: 'retry-event', record: 'bridge' },
  });

  const world: World = {
    engine,
    tenant,
    endpoints,
    receivers,
    signer,
    deliveries: [],
    unknown: [],
    events: [],
    eventNumbers: [],
    executions: [],
    operations: [],
    previews: [],
    async refresh() {
      const { rows } = await database.pool.query(
        `select (select coalesce(json_agg(json_build_array(id, event_id, endpoint_id, state) order by id), '[]')
            from deliveries where tenant_id = $1) as deliveries,
          (select coalesce(json_agg(json_build_array(id, number) order by id), '[]') from events where tenant_id = $1) as events,
          (select coalesce(json_agg(id order by id), '[]') from executions where tenant_id = $1) as executions,
          (select coalesce(json_agg(id order by id), '[]') from operations where tenant_id = $1) as operations`,
        [tenantId],
      );
      const [found] = rows;
      const shown = (rows: string[][]): WorldDelivery[] =>
        rows.map(([id = '', eventId = '', endpointId = '']) => ({
          id: showId('delivery', anyId(id)),
          eventId: showId('event', anyId(eventId)),
          endpointId: showId('endpoint', anyId(endpointId)),
        }));
      world.deliveries = shown(found.deliveries);
      world.unknown = shown(found.deliveries.filter(([, , , state]: string[]) => state === 'unknown'));
      world.events = found.events.map(([id]: string[]) => showId('event', anyId(id as string)));
      world.eventNumbers = found.events.map(([, number]: unknown[]) => String(number));
      world.executions = found.executions.map((id: string) => showId('execution', anyId(id)));
      world.operations = found.operations.map((id: string) => showId('operation', anyId(id)));
    },
    recover() {
      for (const receiver of receivers) receiver.switchTo(ok);
    },
    async close() {
      await Promise.all(receivers.map((receiver) => receiver.close()));
    },
  };

  await seedFailures(database.pool, {
    tenantId,
    endpointIds: endpoints.map(({ id }) => uuidIn('endpoint', id)),
    count: endpoints.length * EVENTS_OF_ENDPOINT,
  });
  await client.expect(202, 'POST', '/api/v1/events', {
    key,
    body: EXTERNAL_IDS.map((id, n) => ({
      id,
      type: TYPES[n % 2],
      source: SOURCES[n % 2],
      key: KEYS[n % 2],
      ingestionBatchId: BATCHES[n % 2],
      payload: { n },
    })),
  });
  const shut = (handle: string) => endpoints.find((each) => each.handle === handle).id;
  await client.expect(200, 'POST', `/api/v1/endpoints/${shut('disabled')}/disable`, { key });
  await client.expect(204, 'DELETE', `/api/v1/endpoints/${shut('deleted')}`, { key });
  await world.refresh();
  // Every seventh payload is gone.
  for (const eventId of world.events.filter((_, index) => index % 7 === 0))
    await client.expect(204, 'DELETE', `/api/v1/events/${eventId}/payload`, { key });
  await eventually('some outcomes are unknown', async () => {
    await world.refresh();
    return world.unknown.length > 1;
  });
  return world;
}

const okProbe: Behaviour = {
  answer: (response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"processed":true}'),
};
