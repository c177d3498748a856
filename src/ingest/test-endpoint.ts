import type { ActBy } from '../domain/audit/audit-action.ts';
import type { EndpointState } from '../domain/endpoints/endpoint-state.ts';
import { TEST_TYPE } from '../domain/endpoints/event-type.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { noteAct } from '../store/audit/entries.ts';
import { withTransaction } from '../store/db/pool.ts';
import { markTest } from '../store/ingest/test-deliveries.ts';
import { matchableEndpoints } from '../store/tenancy/endpoint-versions.ts';
import { findEndpoint } from '../store/tenancy/endpoints.ts';
import type { IngestDeps } from './create-ingest.ts';
import { writeCallsIn } from './write-calls.ts';

/** A test that has not got through by then has shown what it can. */
const TRIED_FOR_MS = 60_000;

/** The event and the delivery by which an endpoint is tried, or why it is not. */
export type TestedEndpoint =
  | { ok: true; eventId: Id<'event'>; deliveryId: Id<'delivery'> }
  | { ok: false; state: Exclude<EndpointState, 'enabled'> | undefined };

/**
 * Sends an event of Redrive's own to one endpoint, whatever it asks for: signed, paced and recorded like any other, by
 * the live lane. It is tried for a minute.
 */
export async function testEndpoint(
  { pool, pokeLiveLane }: IngestDeps,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
  by: ActBy,
  now: Date,
): Promise<TestedEndpoint> {
  const tested = await withTransaction(pool, async (tx): Promise<TestedEndpoint> => {
    const endpoint = await findEndpoint(tx, tenantId, endpointId);
    if (endpoint?.state !== 'enabled') return { ok: false, state: endpoint?.state };
    const matchable = (await matchableEndpoints(tx, tenantId)).find((each) => each.endpointId === endpointId);
    if (!matchable) return { ok: false, state: 'deleted' };
    const payload = {
      type: TEST_TYPE,
      timestamp: now.toISOString(),
      tenant: showId('tenant', tenantId),
      data: { endpointId: showId('endpoint', endpointId) },
    };
    const body = JSON.stringify(payload);
    const [[accepted] = []] = await writeCallsIn(tx, tenantId, [
      [
        {
          type: TEST_TYPE,
          source: 'redrive',
          occurredAt: now,
          body,
          payloadBytes: Buffer.byteLength(body),
          payload,
          endpoints: [{ ...matchable, giveUpAfterMs: TRIED_FOR_MS, ordered: false }],
        },
      ],
    ]);
    const [deliveryId] = accepted ? await markTest(tx, accepted.eventId) : [];
    if (!accepted || !deliveryId) throw new Error('a test of an endpoint made no delivery');
    await noteAct(tx, {
      tenantId,
      by,
      action: 'endpoint.tested',
      target: deliveryId,
      detail: { endpointId: showId('endpoint', endpointId) },
    });
    return { ok: true, eventId: accepted.eventId, deliveryId };
  });
  if (tested.ok) pokeLiveLane();
  return tested;
}
