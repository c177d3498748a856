import { randomUUID } from 'node:crypto';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { uuidIn } from '../api/retries.ts';
import type { Scene } from '../engine/recovery-scene.ts';
import type { TestEngine } from '../engine/test-engine.ts';
import { anyId } from '../store/any-id.ts';
import { newTestSigner, signed } from './minka-client.ts';

/** An answer as it was on the wire. */
export type SurfaceAnswer = { status: number; text: string };

/** The calls that retry one delivery, over all surfaces. */
export type SurfaceCall =
  | 'native'
  | 'zen-mesh single'
  | 'zen-mesh batch'
  | 'minka'
  | 'jack-henry subscription'
  | 'jack-henry raw'
  | 'stedi'
  | 'flowrelay';

/** Asks for the retry of one delivery, named by the uuids of itself and its event. */
export type SurfaceCaller = (deliveryId: string, eventId: string) => Promise<SurfaceAnswer>;

/** Lets every surface retry deliveries to a scene's first endpoint, in its own words and with its own credentials. */
export async function everySurface(
  engine: TestEngine,
  it: Pick<Scene, 'tenant' | 'endpoints'>,
): Promise<Record<SurfaceCall, SurfaceCaller>> {
  const { key, handle } = it.tenant;
  const signer = newTestSigner();
  await engine.client.expect(201, 'POST', '/api/v1/signers', {
    key: engine.adminKey,
    body: { tenantId: it.tenant.id, handle: signer.handle, public: signer.public },
  });
  await engine.client.expect(201, 'POST', '/api/v1/access-rules', {
    key: engine.adminKey,
    body: { tenantId: it.tenant.id, action: 'retry-event', record: 'bridge' },
  });
  const send = async (
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<SurfaceAnswer> => {
    const response = await fetch(`${engine.service.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    send(path, body, { authorization: `Bearer ${key}`, ...headers });
  const tenantId = uuidIn('tenant', it.tenant.id);
  const endpointId = uuidIn('endpoint', it.endpoints[0].id);
  const bridge = it.endpoints[0].handle;
  const jackHenry = `/a/api/enterprise-event/v1/${tenantId}/retries`;
  const callers: Record<SurfaceCall, SurfaceCaller> = {
    native: (id) => post('/api/v1/retries', { select: { deliveryIds: [id] } }),
    'zen-mesh single': (_, event) => post(`/v1/tenants/${handle}/events/${event}/retry`, {}),
    'zen-mesh batch': (id) => post(`/v1/tenants/${handle}/retry/batch`, { delivery_ids: [id] }),
    minka: (id) => {
      const body = signed(signer, { handle: id }, { moment: new Date().toISOString(), nonce: randomUUID() });
      return send(`/v2/bridges/${bridge}/events/retry`, body, { 'x-ledger': handle });
    },
    'jack-henry subscription': (_, event) =>
      post(`${jackHenry}/subscriptions/${endpointId}/events/${event}`, {}),
    'jack-henry raw': (_, event) => post(`${jackHenry}/events/${event}`, {}),
    stedi: async (id) => {
      const { rows } = await engine.database.pool.query(
        'select id from executions where delivery_id = $1 order by id limit 1',
        [id],
      );
      return post('/executions/retry', { condition: { executionIds: [rows[0].id] } }, { authorization: key });
    },
    flowrelay: async (_, event) => {
      const headers = { 'idempotency-key': randomUUID() };
      const preview = await post(
        `/flowrelay/v1/receipts/${showId('receipt', anyId(event))}/replay/preview`,
        {},
        headers,
      );
      if (preview.status !== 201) return preview;
      const { replayId: id } = JSON.parse(preview.text);
      const confirmed = await post(
        `/flowrelay/v1/replays/${id}/confirm`,
        { confirmDuplicateRisk: true },
        headers,
      );
      return confirmed.status === 200 ? post(`/flowrelay/v1/replays/${id}/execute`, {}, headers) : confirmed;
    },
  };
  return callers;
}
