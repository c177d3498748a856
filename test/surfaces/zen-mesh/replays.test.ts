import { afterAll, describe, expect, test } from '@jest/globals';
import { uuidIn } from '../../support/api/retries.ts';
import { createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { ok, status } from '../../support/receivers/receiver-behaviour.ts';
import { createZenClient, type ZenClient } from '../../support/surfaces/zen-mesh.ts';

/** Replays by source and time range. */

const ALL = { since: '2020-01-01T00:00:00Z', until: '2100-01-01T00:00:00Z' };

const engine = useEngine();
const scenes: Scene[] = [];

afterAll(async () => {
  await Promise.all(scenes.map((scene) => scene.close()));
});

type World = { scene: Scene; zen: ZenClient };

/** A tenant with failed deliveries of the source `billing`, an hour apart from 2026-01-01 on. */
async function world(count = 0, behaviour = ok): Promise<World> {
  const scene = await createScene(engine, [behaviour]);
  scenes.push(scene);
  await scene.seed(count);
  const at = `timestamptz '2026-01-01T00:00:00Z' + (number - 1) * interval '1 hour'`;
  const tenant = [uuidIn('tenant', scene.tenant.id)];
  await engine.database.pool.query(
    `update events set source = 'billing', accepted_at = ${at} where tenant_id = $1`,
    tenant,
  );
  await engine.database.pool.query(
    `update deliveries d set accepted_at = e.accepted_at from events e where e.id = d.event_id and e.tenant_id = $1`,
    tenant,
  );
  return { scene, zen: await createZenClient(engine.service.url ?? '', scene.tenant.key) };
}

const replay = ({ zen, scene }: World, range: object = ALL, headers: Record<string, string> = {}) =>
  zen('POST', '/v1/replays', {
    body: { source_id: 'billing', time_range: range },
    headers: { 'x-tenant-id': scene.tenant.id, ...headers },
  });

async function ended({ zen }: World, id: string) {
  let body: { status?: string } = {};
  await eventually('the replay has ended', async () => {
    body = (await zen('GET', `/v1/replays/${id}`)).body;
    return /^(completed|cancelled)/.test(body.status ?? '');
  });
  return body;
}

describe('POST /v1/replays', () => {
  test('answers {replay_id, status, estimated_events, created_at} and replays behind the answer', async () => {
    const it = await world(3);
    const answer = await replay(it);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.text).toBe(
      `{"replay_id":"${answer.body.replay_id}","status":"queued","estimated_events":3,"created_at":"${answer.body.created_at}"}`,
    );
    expect(answer.body.replay_id).toMatch(/^rpl_[0-7][0-9a-hjkmnp-tv-z]{25}$/);
    expect(new Date(answer.body.created_at).toISOString()).toBe(answer.body.created_at);
    expect(await ended(it, answer.body.replay_id)).toEqual({ ...answer.body, status: 'completed' });
    expect(it.scene.sent()).toBe(3);
    const id = uuidIn('replay', answer.body.replay_id);
    const native = await it.scene.retries.show(id);
    expect(native).toMatchObject({
      surface: 'zen-mesh',
      kind: 'retry',
      counts: { expected: 3, delivered: 3 },
    });
  });

  test('selects [since, until) by acceptance', async () => {
    const it = await world(4);
    const range = { since: '2026-01-01T01:00:00Z', until: '2026-01-01T03:00:00Z' };
    const answer = await replay(it, range);
    expect(answer.body.estimated_events).toBe(2);
    await ended(it, answer.body.replay_id);
    const bodies = it.scene.receivers[0]?.requests.map(({ body }) => JSON.parse(body.toString()).n).sort();
    expect(bodies).toEqual([1, 2]);
  });

  test('skips delivered ones: a destination sees one copy of each event', async () => {
    const it = await world(3);
    await ended(it, (await replay(it, { ...ALL, until: '2026-01-01T01:00:00Z' })).body.replay_id);
    const all = await replay(it);
    expect(all.body.estimated_events).toBe(2);
    await ended(it, all.body.replay_id);
    const again = await replay(it);
    expect(again.body.estimated_events).toBe(0);
    expect(await ended(it, again.body.replay_id)).toMatchObject({ status: 'completed' });
    expect(it.scene.sent()).toBe(3);
    const ids = it.scene.receivers[0]?.requests.map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
  });

  test('only within the retention window: an event without a payload is neither counted nor sent', async () => {
    const it = await world(2);
    await engine.database.pool.query(
      'delete from payloads where event_id = (select id from events where tenant_id = $1 and number = 1)',
      [uuidIn('tenant', it.scene.tenant.id)],
    );
    const answer = await replay(it);
    expect(answer.body.estimated_events).toBe(1);
    await ended(it, answer.body.replay_id);
    expect(it.scene.sent()).toBe(1);
  });

  test('that has left something out does not say that it is completed: disabled, deleted, not known', async () => {
    const disabled = await world(2);
    const { key } = disabled.scene.tenant;
    const path = `/api/v1/endpoints/${disabled.scene.endpoints[0].id}`;
    await engine.client.expect(200, 'POST', `${path}/disable`, { key });
    for (const state of ['disabled', 'deleted']) {
      if (state === 'deleted') await engine.client.expect(204, 'DELETE', path, { key });
      const { body } = await replay(disabled);
      expect(body.estimated_events).toBe(0);
      expect(await ended(disabled, body.replay_id)).toMatchObject({ status: 'completed_with_failures' });
      const ledger = await disabled.scene.retries.items(body.replay_id.replace('rpl_', 'op_'));
      expect(ledger.map(({ reason }) => reason)).toEqual(Array(2).fill(`endpoint_${state}`));
    }
    expect(disabled.scene.sent()).toBe(0);

    const held = await world(1);
    const [id] = await held.scene.ids();
    await engine.database.pool.query(
      `insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, state, due_at, give_up_at)
       select tenant_id, delivery_id, endpoint_id, id, 'unknown', now(), now() + interval '1 day'
       from executions where delivery_id = $1`,
      [id],
    );
    const { body } = await replay(held);
    expect(await ended(held, body.replay_id)).toMatchObject({ status: 'completed_with_failures' });
    expect(held.scene.sent()).toBe(0);
  });

  test('replays of another source nothing', async () => {
    const it = await world(1);
    const answer = await it.zen('POST', '/v1/replays', { body: { source_id: 'other', time_range: ALL } });
    expect(answer.body.estimated_events).toBe(0);
    expect(await ended(it, answer.body.replay_id)).toMatchObject({ status: 'completed' });
    expect(it.scene.sent()).toBe(0);
  });

  test('joins a delivery that waits for its own retry', async () => {
    const it = await world(1, status(500));
    await engine.database.pool.query(
      `insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, state, due_at, give_up_at)
       select tenant_id, delivery_id, endpoint_id, id, 'scheduled', now() + interval '1 hour', now() + interval '1 day'
       from executions where tenant_id = $1`,
      [uuidIn('tenant', it.scene.tenant.id)],
    );
    const { replay_id } = (await replay(it)).body;
    const byTenant = [uuidIn('tenant', it.scene.tenant.id)];
    await eventually('it waits for that', async () => {
      const { rows } = await engine.database.pool.query(
        'select next_event from operations where tenant_id = $1',
        byTenant,
      );
      return rows[0]?.next_event === 'joined';
    });
    expect((await it.zen('GET', `/v1/replays/${replay_id}`)).body.status).toBe('running');
    expect(it.scene.sent()).toBe(0);
    it.scene.receivers[0]?.switchTo(ok);
    await engine.database.pool.query(
      'update executions set due_at = now() where tenant_id = $1 and open',
      byTenant,
    );
    expect(await ended(it, replay_id)).toMatchObject({ status: 'completed' });
    expect(it.scene.sent()).toBe(1);
  });

  test('is idempotent by its key', async () => {
    const it = await world(1);
    const headers = { 'idempotency-key': 'r' };
    const first = await replay(it, ALL, headers);
    const sameInstants = { since: '2020-01-01T01:00:00+01:00', until: '2100-01-01T00:00:00.000Z' };
    expect((await replay(it, sameInstants, headers)).text).toBe(first.text);
    const other = await replay(it, { ...ALL, since: '2020-01-02T00:00:00Z' }, headers);
    expect(other).toMatchObject({ status: 409, body: { idempotency_key: 'r' } });
  });

  test.each([
    [{}, 'source_id'],
    [{ source_id: 'a' }, 'time_range'],
    [{ source_id: 7, time_range: ALL }, 'source_id'],
    [{ source_id: 'a\0', time_range: ALL }, 'source_id'],
    [{ source_id: 'a', time_range: { since: ALL.since } }, 'time_range.until'],
    [{ source_id: 'a', time_range: { since: ALL.until, until: ALL.since } }, 'time_range.until'],
    [{ source_id: 'a', time_range: { ...ALL, since: '2026-01-01' } }, 'time_range.since'],
    [{ source_id: 'a', time_range: { ...ALL, since: 7 } }, 'time_range.since'],
    [{ source_id: 'a', time_range: { ...ALL, zone: 'x' } }, 'time_range.zone'],
    [{ source_id: 'a', time_range: ALL, destination_id: 'x' }, 'destination_id'],
  ])('refuses %j at %s', async (body, field) => {
    const it = await world();
    const answer = await it.zen('POST', '/v1/replays', { body });
    expect(answer).toMatchObject({
      status: 422,
      body: { type: 'https://api.zen-mesh.io/errors/invalid-parameters' },
    });
    expect(answer.body.errors.map((each: { field: string }) => each.field)).toContain(field);
  });
});

describe('X-Tenant-ID', () => {
  test('names the tenant by id or handle; a credential of one tenant need not', async () => {
    const it = await world();
    const { id, handle } = it.scene.tenant;
    for (const named of [id, handle, uuidIn('tenant', id)]) {
      const headers = { 'x-tenant-id': named };
      expect((await it.zen('GET', '/v1/replays', { headers })).status).toBe(200);
      expect((await it.zen('GET', '/v1/replays', { headers, key: engine.adminKey })).status).toBe(200);
    }
    expect((await it.zen('GET', '/v1/replays')).status).toBe(200);
  });

  test('is required of a credential of the installation, and another tenant is not found', async () => {
    const [it, theirs] = [await world(), await world()];
    const without = await it.zen('GET', '/v1/replays', { key: engine.adminKey });
    expect(without).toMatchObject({ status: 422, body: { errors: [{ field: 'X-Tenant-ID' }] } });
    const headers = { 'x-tenant-id': theirs.scene.tenant.id };
    const foreign = await it.zen('GET', '/v1/replays', { headers });
    expect(foreign).toMatchObject({
      status: 404,
      body: { detail: `Tenant ${theirs.scene.tenant.id} not found.` },
    });
  });
});

describe('GET /v1/replays', () => {
  test('lists replays, newest first, by limit and cursor, and nothing else that was started', async () => {
    const it = await world(1);
    const made: string[] = [];
    for (let n = 0; n < 3; n += 1) made.unshift((await replay(it)).body.replay_id);
    const [delivery] = await it.scene.ids();
    await it.zen('POST', `/v1/tenants/${it.scene.tenant.id}/retry/batch`, {
      body: { delivery_ids: [delivery] },
    });
    await it.scene.retries.start({ select: { filter: {} } });
    const listed = await it.zen('GET', '/v1/replays?limit=10');
    expect(Object.keys(listed.body)).toEqual(['replays', 'next_cursor']);
    expect(listed.body.replays.map((each: { replay_id: string }) => each.replay_id)).toEqual(made);
    expect(listed.body.next_cursor).toBeNull();
    const page = await it.zen('GET', '/v1/replays?limit=2');
    const rest = await it.zen('GET', `/v1/replays?limit=2&cursor=${page.body.next_cursor}`);
    expect([...page.body.replays, ...rest.body.replays]).toHaveLength(3);
    expect(rest.body.next_cursor).toBeNull();
    for (const query of ['limit=0', 'limit=101', 'cursor=x', 'status=queued'])
      expect((await it.zen('GET', `/v1/replays?${query}`)).status).toBe(422);
  });
});

describe('GET /v1/replays/{replay_id}', () => {
  test('shows where it stands, translated from its operation', async () => {
    const it = await world(1);
    const { replay_id } = (await replay(it)).body;
    await ended(it, replay_id);
    const id = uuidIn('replay', replay_id);
    expect((await it.zen('GET', `/v1/replays/${id}`)).body.replay_id).toBe(replay_id);
    const failing = await world(1, status(400));
    const failed = (await replay(failing)).body.replay_id;
    expect(await ended(failing, failed)).toMatchObject({
      status: 'completed_with_failures',
      estimated_events: 1,
    });
  });

  test('does not find an id that is unknown, another tenant’s or no replay', async () => {
    const [it, theirs] = [await world(1), await world()];
    const { replay_id } = (await replay(it)).body;
    const operation = await it.scene.retries.start({ select: { filter: {} } });
    const asked = async (who: World, id: string) => (await who.zen('GET', `/v1/replays/${id}`)).status;
    expect(await asked(theirs, replay_id)).toBe(404);
    for (const id of ['rpl_abc', operation.id, uuidIn('operation', operation.id), 'x', '%00'])
      expect(await asked(it, id)).toBe(404);
    const { body } = await it.zen('GET', '/v1/replays/rpl_abc');
    expect(body).toMatchObject({ title: 'Not Found', detail: 'Replay rpl_abc not found.' });
  });
});
