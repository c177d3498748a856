import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { type Id, showId } from '../../src/domain/tenancy/typed-id.ts';
import { govern } from '../support/api/governed.ts';
import { uuidIn } from '../support/api/retries.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';
import { everySurface, type SurfaceAnswer, type SurfaceCall } from '../support/surfaces/every-surface.ts';
import { newTestSigner, signed } from '../support/surfaces/minka-client.ts';
import { closedAfterEach } from '../support/use.ts';

/** What is asked for by any surface waits for approval where the policy says so, and is answered as its document says. */

const engine = useEngine({ checked: true });
const own = closedAfterEach();

/** A tenant of which every operation has to be approved. */
async function furnish(policy: object = { approveAbove: 0 }) {
  const it = own(await createScene(engine, [ok]));
  const governed = govern(engine, it.tenant);
  const callers = await everySurface(engine, it);
  await governed.set(policy);
  return { it, governed, callers };
}

const SUCCESS = (status: string) => ({ status, retryId: expect.any(String) });

/** The answer of each to the retry of one delivery that has to be approved first. */
const SINGLE: Record<SurfaceCall, (answer: SurfaceAnswer, delivery: Id<'delivery'>) => void> = {
  native: ({ status, text }) => {
    expect(status).toBe(202);
    expect(JSON.parse(text)).toMatchObject({ state: 'awaiting_approval', items: [{ became: 'queued' }] });
  },
  // Nothing is sent before somebody has said so: its word for that, with the calls that say more.
  'zen-mesh single': ({ status, text }, delivery) => {
    expect(status).toBe(202);
    expect(JSON.parse(text)).toEqual({
      status: 'dropped',
      delivery_id: showId('delivery', delivery),
      message: expect.stringMatching(
        /^Not sent before it is approved: GET \/api\/v1\/retries\/op_\w+ says what it waits for, POST .*\/approve/,
      ),
    });
  },
  'zen-mesh batch': ({ status, text }, delivery) => {
    expect(status).toBe(202);
    expect(JSON.parse(text)).toEqual({
      queued: 0,
      deliveries: [{ delivery_id: delivery, status: 'dropped' }],
    });
  },
  minka: ({ status, text }) => expect([status, text]).toEqual([200, '""']),
  'jack-henry subscription': ({ status, text }) =>
    expect([status, JSON.parse(text)]).toEqual([200, SUCCESS('success')]),
  'jack-henry raw': ({ status, text }) =>
    expect([status, JSON.parse(text)]).toEqual([200, SUCCESS('success')]),
  stedi: ({ status, text }) => expect([status, text]).toEqual([200, '']),
  flowrelay: ({ status, text }) => {
    expect(status).toBe(202);
    expect(JSON.parse(text)).toMatchObject({ state: 'executed' });
  },
};

async function operationOf({ tenant }: Scene): Promise<string> {
  const { rows } = await engine.database.pool.query('select id from operations where tenant_id = $1', [
    uuidIn('tenant', tenant.id),
  ]);
  expect(rows).toHaveLength(1);
  return showId('operation', rows[0].id);
}

describe('the retry of one delivery', () => {
  test.each(Object.keys(SINGLE) as SurfaceCall[])('by %s', async (name) => {
    const { it, governed, callers } = await furnish();
    await it.seed(1);
    const [delivery] = (await it.ids()) as [Id<'delivery'>];
    const { rows } = await engine.database.pool.query('select event_id from deliveries where id = $1', [
      delivery,
    ]);
    SINGLE[name](await callers[name](delivery, rows[0].event_id), delivery);
    const id = await operationOf(it);
    expect(await governed.waiting(id)).toMatchObject({
      waitingFor: [{ what: 'approval', scope: 'approve:retries', missing: 1 }],
      plan: { items: 1 },
    });
    expect(it.sent()).toBe(0);
    await governed.approve(id);
    expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: 1 } });
    expect(it.sent()).toBe(1);
  });
});

type Bulk = (scene: Scene) => Promise<SurfaceAnswer>;

async function send(path: string, body: unknown, headers: Record<string, string>): Promise<SurfaceAnswer> {
  const response = await fetch(`${engine.service.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

const bearer = ({ tenant: { key } }: Scene) => ({ authorization: `Bearer ${key}` });
const jackHenry = ({ tenant }: Scene, path: string) =>
  `/a/api/enterprise-event/v1/${uuidIn('tenant', tenant.id)}/retries${path}`;

/** How each surface is asked for all that failed, and its answer. */
const BULK: Record<string, { ask: Bulk; answer: (answer: SurfaceAnswer) => void }> = {
  native: {
    ask: (it) => send('/api/v1/retries', { select: { filter: {} } }, bearer(it)),
    answer: ({ status, text }) => {
      expect(status).toBe(202);
      expect(JSON.parse(text)).toMatchObject({ state: 'planned' });
    },
  },
  'zen mesh': {
    ask: (it) =>
      send(
        '/v1/replays',
        {
          source_id: 'seed',
          time_range: { since: '2020-01-01T00:00:00Z', until: '2126-01-01T00:00:00Z' },
        },
        { ...bearer(it), 'x-tenant-id': it.tenant.handle },
      ),
    answer: ({ status, text }) => {
      expect(status).toBe(202);
      expect(JSON.parse(text)).toEqual({
        replay_id: expect.stringMatching(/^rpl_/),
        status: 'queued',
        estimated_events: 3,
        created_at: expect.any(String),
      });
    },
  },
  minka: {
    async ask(it) {
      const signer = newTestSigner('another');
      const body = { tenantId: it.tenant.id, handle: signer.handle, public: signer.public };
      await engine.client.expect(201, 'POST', '/api/v1/signers', { body });
      return send(
        `/v2/bridges/${it.endpoints[0].handle}/events/retry`,
        signed(signer, { maxAge: 0 }, { moment: new Date().toISOString(), nonce: randomUUID() }),
        { 'x-ledger': it.tenant.handle },
      );
    },
    answer: ({ status, text }) => expect([status, text]).toEqual([200, '""']),
  },
  'jack henry, a subscription': {
    ask: (it) =>
      send(jackHenry(it, `/subscriptions/${uuidIn('endpoint', it.endpoints[0].id)}`), {}, bearer(it)),
    answer: ({ status, text }) => expect([status, JSON.parse(text)]).toEqual([202, SUCCESS('accepted')]),
  },
  'jack henry, raw events matched afresh': {
    ask: (it) => send(jackHenry(it, '/events'), {}, bearer(it)),
    answer: ({ status, text }) => expect([status, JSON.parse(text)]).toEqual([200, SUCCESS('success')]),
  },
  stedi: {
    ask: (it) => send('/2023-08-01/executions/retry', { condition: {} }, { authorization: it.tenant.key }),
    answer: ({ status, text }) => expect([status, text]).toEqual([200, '']),
  },
};

describe('the retry of everything', () => {
  test.each(Object.keys(BULK))('by %s', async (name) => {
    const { it, governed } = await furnish({ approveAbove: 2 });
    await it.seed(3);
    // Zen Mesh asks for what came from a source.
    await engine.database.pool.query(`update events set source = 'seed' where tenant_id = $1`, [
      uuidIn('tenant', it.tenant.id),
    ]);
    const { ask, answer } = BULK[name] as (typeof BULK)[string];
    answer(await ask(it));
    const id = await operationOf(it);
    expect(await governed.waiting(id)).toMatchObject({
      waitingFor: [{ what: 'approval', missing: 1 }],
      approval: { because: ['items'] },
      plan: { items: 3 },
    });
    expect(it.sent()).toBe(0);
    await governed.approve(id);
    expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: 3 } });
    expect(it.sent()).toBe(3);
  });

  test('goes on by itself below the number of the policy', async () => {
    const { it } = await furnish({ approveAbove: 3 });
    await it.seed(3);
    for (const name of ['native', 'stedi']) await BULK[name]?.ask(it);
    await eventually('all are delivered', async () => (await it.ids(`state = 'delivered'`)).length === 3);
    await eventually('both have ended', async () => {
      const { rows } = await engine.database.pool.query(
        'select closed_at from operations where tenant_id = $1',
        [uuidIn('tenant', it.tenant.id)],
      );
      return rows.length === 2 && rows.every((row) => row.closed_at !== null);
    });
  });
});
