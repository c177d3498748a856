import { describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { startChildScript } from '../../support/child-script.ts';
import type { Scene } from '../../support/engine/recovery-scene.ts';
import type { TestEngine } from '../../support/engine/test-engine.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { goodLine } from '../../support/imports/awkward-lines.ts';
import { lines } from '../../support/imports/take.ts';
import { postAck, signAck } from '../../support/receivers/acknowledge.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };

/** A key of the tenant of a scene that may import. */
async function importerOf(engine: TestEngine, { tenant }: Scene): Promise<string> {
  const scopes = ['write:imports', 'read:deliveries', 'write:deliveries'];
  const made = await engine.client.expect(201, 'POST', '/api/v1/keys', {
    body: { tenantId: tenant.id, name: 'importer', scopes },
  });
  return made.body.key;
}

describe('what is imported', () => {
  const engine = useEngine({ checked: true });
  const scene = useScenes(engine);

  test('is sent by nothing but a plan, with the ids that its receivers know', async () => {
    const it = await scene([ok, ok]);
    const key = await importerOf(engine, it);
    const [first, second] = it.endpoints;
    const { body: opened } = await engine.client.expect(201, 'POST', '/api/v1/imports', {
      key,
      body: { from: 'ndjson', map: { one: first.id, two: second.id }, keepIds: true },
    });
    const COUNT = 1_200;
    const at = '2026-11-03T02:00:00Z';
    const file = lines(
      Array.from({ length: COUNT }, (_, n) => ({
        ...goodLine('ndjson', n),
        key: `k${n % 7}`,
        endpoint: n % 2 === 0 ? 'one' : 'two',
        attempts: [n % 3 === 0 ? { at, error: 'timeout' } : { at, status: 404 }],
      })),
    );
    await engine.client.expect(200, 'PUT', opened.links.lines, { key, body: file, headers: NDJSON });
    const closed = await engine.client.expect(200, 'POST', opened.links.close, {
      key,
      body: { lines: COUNT },
    });
    expect(closed.body).toMatchObject({ state: 'closed', accepted: COUNT });

    const select = { filter: { ingestionBatchIds: [opened.id] } };
    const asked = await engine.client.expect(201, 'POST', '/api/v1/retries/plans', { key, body: { select } });
    let plan = asked.body;
    await eventually(
      'the plan is made',
      async () => {
        plan = (await engine.client.expect(200, 'GET', asked.body.links.self, { key })).body;
        return plan.state === 'planned';
      },
      { withinMs: 30_000 },
    );
    expect(plan).toMatchObject({ count: { items: COUNT, sends: COUNT } });
    expect(plan.risks).toMatchObject({ mayHaveArrived: COUNT / 3, orderBlocked: 0, circuitOpen: 0 });
    expect(it.sent()).toBe(0);
    const waiting = await engine.database.pool.query(
      'select 1 from executions where open and operation_id is null',
    );
    expect(waiting.rows).toEqual([]);

    await engine.client.expect(202, 'POST', plan.links.execute, { key, body: { planHash: plan.planHash } });
    const ended = await it.retries.ended(plan.operationId, 60_000);
    expect(ended).toMatchObject({ state: 'completed', counts: { expected: COUNT, delivered: COUNT } });
    const requests = it.receivers.flatMap((receiver) => receiver.requests);
    expect(requests.map(({ id }) => id).sort()).toEqual(
      Array.from({ length: COUNT }, (_, n) => `n-${n}`).sort(),
    );
    const [request] = it.receivers[0]?.requests ?? [];
    expect(request?.headers['redrive-attempt']).toBe('2');
    const verified = new Webhook(first.secret).verify(
      String(request?.body),
      request?.headers as Record<string, string>,
    );
    expect(verified).toHaveProperty('n');
    const items = await it.retries.items(plan.operationId);
    expect(items).toHaveLength(COUNT);
    const report = await it.retries.report(plan.operationId);
    expect(report).toMatchObject({ counts: { delivered: COUNT } });
  });

  test('is acknowledged by its receiver under the id that was kept', async () => {
    const it = await scene([ok]);
    const key = await importerOf(engine, it);
    const [endpoint] = it.endpoints;
    const { body: opened } = await engine.client.expect(201, 'POST', '/api/v1/imports', {
      key,
      body: { from: 'svix', map: { theirs: endpoint.id }, keepIds: true },
    });
    const file = lines([goodLine('svix', 1)]);
    await engine.client.expect(200, 'PUT', opened.links.lines, { key, body: file, headers: NDJSON });
    expect(await postAck(engine, { ...signAck(endpoint, 'msg_1'), webhookId: 'msg_2' })).toMatchObject({
      status: 401,
    });
    expect(await postAck(engine, signAck(endpoint, 'msg_1'))).toEqual({
      status: 200,
      body: { webhookId: 'msg_1', outcome: 'settled' },
    });
    expect(await it.ids("state = 'delivered'")).toHaveLength(1);
    expect(it.sent()).toBe(0);
  });
});

describe('an API that is killed while it takes lines', () => {
  const engine = useEngine({ checked: true });
  const scene = useScenes(engine);

  test.each([0, 2])(
    'after %d batches: another one goes on with the file, and makes nothing twice',
    async (after) => {
      const it = await scene([ok]);
      const key = await importerOf(engine, it);
      const { log: _, masterKey, ...options } = engine.options;
      const api = startChildScript(new URL('../../support/child/service.ts', import.meta.url), {
        env: {
          SERVICE_OPTIONS: JSON.stringify({
            ...options,
            roles: { api: true, worker: false },
            masterKey: masterKey.toString('base64'),
          }),
          CRASH: JSON.stringify({ at: 'importing', after }),
        },
      });
      const url = (await api.firstLine).split(' ')[1];
      const { body: opened } = await engine.client.expect(201, 'POST', '/api/v1/imports', {
        key,
        body: { from: 'ndjson', map: { theirs: it.endpoints[0].id } },
      });
      const file = lines(Array.from({ length: 1_800 }, (_, n) => goodLine('ndjson', n)));
      const sent = fetch(`${url}${opened.links.lines}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${key}`, ...NDJSON },
        body: file,
      });
      await expect(sent).rejects.toThrow();
      await api.ended;
      const halfway = await engine.client.expect(200, 'GET', opened.links.self, { key });
      expect(halfway.body).toMatchObject({ state: 'open', lines: 500 * after });
      const done = await engine.client.expect(200, 'PUT', opened.links.lines, {
        key,
        body: file,
        headers: NDJSON,
      });
      expect(done.body).toMatchObject({ lines: 1_800, accepted: 1_800, duplicates: 0 });
      expect(await it.ids()).toHaveLength(1_800);
      expect(it.sent()).toBe(0);
    },
  );
});
