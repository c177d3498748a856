import { once } from 'node:events';
import { request } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import type { TestAnswer, TestApi } from '../../support/api/test-api.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint } from '../../support/engine/failed-deliveries.ts';
import { eventually } from '../../support/eventually.ts';
import { goodLine } from '../../support/imports/awkward-lines.ts';
import { lines } from '../../support/imports/take.ts';

const api = useApi();
const PATH = '/api/v1/imports';
const NDJSON = { 'content-type': 'application/x-ndjson' };

/** A tenant of its own with an endpoint, and an import that is open. */
async function opened(asked: object = {}, on: TestApi = api) {
  const { key, tenant } = await on.newTenant();
  const endpointId = await seedEndpoint(on, key);
  const body = { from: 'ndjson', map: { theirs: endpointId }, ...asked };
  const answer = await on.call('POST', PATH, { key, body });
  expect(answer.status).toBe(201);
  const { self } = answer.body.links;
  return {
    key,
    tenant,
    endpointId,
    self,
    shown: answer.body,
    put: (body: string, from = 1): Promise<TestAnswer> =>
      on.call('PUT', `${self}/lines?from=${from}`, { key, body, headers: NDJSON }),
    get: (path = '', headers = {}) => on.call('GET', `${self}${path}`, { key, headers }),
    post: (verb: string, body?: object) =>
      on.call('POST', `${self}/${verb}`, { key, ...(body ? { body } : {}) }),
  };
}

describe('the opening', () => {
  test('names the endpoints by id or handle, and says where to go on', async () => {
    const { key } = await api.newTenant();
    const id = await seedEndpoint(api, key, { handle: 'warehouse' });
    const { status, body } = await api.call('POST', PATH, {
      key,
      body: { from: 'svix', map: { ep_1: 'warehouse', ep_2: id }, keepIds: true, ingestionBatchId: 'moved' },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      from: 'svix',
      state: 'open',
      nextLine: 1,
      lines: 0,
      source: 'svix',
      keepIds: true,
      ingestionBatchId: 'moved',
      map: [
        { theirs: 'ep_1', endpointId: id },
        { theirs: 'ep_2', endpointId: id },
      ],
    });
  });

  test.each([
    ['an endpoint that nobody has', { a: 'nobody' }, 'ndjson', 404, 'unknown_ids', '#/map/a'],
    ['no name', {}, 'ndjson', 400, 'invalid_request', '#/map'],
    ['a name where lines have none', { a: 'own' }, 'stripe', 400, 'invalid_request', '#/map/a'],
    ['no name where lines have one', { '*': 'own' }, 'svix', 400, 'invalid_request', '#/map/*'],
    ['an unknown format', { a: 'own' }, 'csv', 400, 'invalid_request', '#/from'],
  ])('with %s is refused', async (_, map, from, status, code, pointer) => {
    const { key } = await api.newTenant();
    await seedEndpoint(api, key, { handle: 'own' });
    const answer = await api.call('POST', PATH, { key, body: { from, map } });
    expect(answer).toMatchObject({ status, body: { code, errors: [{ pointer }] } });
  });

  test("never maps to another tenant's endpoint, nor to one that is deleted", async () => {
    const theirs = await opened();
    const { key } = await api.newTenant();
    const gone = await seedEndpoint(api, key);
    await api.call('DELETE', `/api/v1/endpoints/${gone}`, { key });
    for (const id of [theirs.endpointId, gone]) {
      const answer = await api.call('POST', PATH, { key, body: { from: 'ndjson', map: { a: id } } });
      expect(answer).toMatchObject({ status: 404, body: { code: 'unknown_ids' } });
    }
    expect((await api.call('GET', PATH, { key })).body.items).toEqual([]);
  });

  test('waits for the end of another one, which it names, and needs its scope', async () => {
    const it = await opened();
    const again = () =>
      api.call('POST', PATH, { key: it.key, body: { from: 'ndjson', map: { theirs: it.endpointId } } });
    const other = await again();
    expect(other).toMatchObject({ status: 409, body: { code: 'import_open' } });
    expect(other.body.detail).toContain(it.shown.id);
    expect((await it.post('abandon')).body).toMatchObject({ state: 'abandoned' });
    expect((await again()).status).toBe(201);
    const weak = await api.newKey(it.tenant.id, ['write:events', 'write:deliveries', 'write:endpoints']);
    expect((await api.call('GET', PATH, { key: weak })).status).toBe(403);
  });
});

describe('lines', () => {
  test('are taken, reported and left alone by others', async () => {
    const it = await opened();
    const poked = api.poked.liveLane;
    const answer = await it.put(
      `${lines([
        { ...goodLine('ndjson', 1), note: 'kept' },
        goodLine('ndjson', 1),
        { ...goodLine('ndjson', 2), endpoint: 'elsewhere' },
        { ...goodLine('ndjson', 3), type: undefined },
      ])}\n`,
    );
    expect(answer).toMatchObject({
      status: 200,
      body: { nextLine: 6, lines: 5, accepted: 1, duplicates: 1, refused: 2, blank: 1 },
    });
    const { body: report } = await it.get('/lines');
    expect(report.items).toMatchObject([
      { line: 1, result: 'accepted', reason: null },
      { line: 2, result: 'duplicate', reason: 'known', why: 'It was imported before.' },
      { line: 3, result: 'refused', reason: 'unmapped', theirs: 'elsewhere' },
      { line: 4, result: 'refused', reason: 'missing', member: 'type' },
    ]);
    const page = await it.get('/lines?result=refused&limit=1');
    expect(page.body.items).toMatchObject([{ line: 3 }]);
    expect((await it.get(`/lines?result=refused&limit=1&cursor=${page.body.nextCursor}`)).body).toMatchObject(
      {
        items: [{ line: 4 }],
        nextCursor: null,
      },
    );
    const { text } = await it.get('/lines', { accept: 'application/x-ndjson' });
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(report.items);

    const [{ deliveryId, eventId }] = report.items;
    const delivery = await api.call('GET', `/api/v1/deliveries/${deliveryId}`, { key: it.key });
    expect(delivery.body).toMatchObject({
      state: 'failed',
      importId: it.shown.id,
      webhookId: deliveryId,
      waitingFor: [],
      executions: [{ state: 'failed', reason: 'imported', mayHaveArrived: true, attempts: [] }],
    });
    const event = await api.call('GET', `/api/v1/events/${eventId}?include=payload`, { key: it.key });
    expect(event.body).toMatchObject({
      importId: it.shown.id,
      payload: { n: 1 },
      importMembers: { note: 'kept' },
    });
    expect((await api.call('GET', `/api/v1/events/${eventId}`, { key: it.key })).body).not.toHaveProperty(
      'importMembers',
    );
    const advice = await api.call('GET', `/api/v1/deliveries/${deliveryId}/advice`, { key: it.key });
    expect(advice.body).toMatchObject({ step: 'confirm', mayHaveArrived: true });
    expect(advice.body.happened).toContain('imported');
    // Its receiver has seen no id of ours.
    expect(advice.body.next).toContain('whether it has the event n-1.');

    const other = await api.newTenant();
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/lines'],
      ['PUT', '/lines'],
      ['POST', '/close'],
      ['POST', '/abandon'],
    ] as const)
      expect((await api.call(method, `${it.self}${path}`, { key: other.key })).status).toBe(404);
    expect((await it.get()).body).toMatchObject({ state: 'open', lines: 5 });
    expect(api.poked.liveLane).toBe(poked);
  });

  test('are taken once, wherever the body begins that has them', async () => {
    const it = await opened();
    const file = Array.from({ length: 7 }, (_, n) => goodLine('ndjson', n));
    await it.put(lines(file.slice(0, 3)));
    expect(await it.put(lines(file.slice(4)), 5)).toMatchObject({
      status: 409,
      body: { code: 'lines_missing' },
    });
    expect((await it.put(lines(file.slice(2, 5)), 3)).body).toMatchObject({
      lines: 5,
      accepted: 5,
      duplicates: 0,
    });
    expect(await it.post('close', { lines: 7 })).toMatchObject({
      status: 409,
      body: { code: 'lines_missing' },
    });
    expect((await it.put(lines(file))).body).toMatchObject({ nextLine: 8, accepted: 7, duplicates: 0 });
    expect((await it.post('close', { lines: 7 })).body).toMatchObject({ state: 'closed' });
    expect((await it.post('close')).status).toBe(200);
    expect(await it.put(lines(file))).toMatchObject({ status: 409, body: { code: 'state_conflict' } });
  });

  test.each([
    ['text/csv', 415],
    ['application/json', 415],
    ['application/jsonl', 200],
    ['application/x-ndjson; charset=utf-8', 200],
  ])('as %s are answered %d', async (type, status) => {
    const it = await opened();
    const { key, self } = it;
    const answer = await api.call('PUT', `${self}/lines`, {
      key,
      body: '\n',
      headers: { 'content-type': type },
    });
    expect(answer.status).toBe(status);
    const zipped = { ...NDJSON, 'content-encoding': 'gzip' };
    expect((await api.call('PUT', `${self}/lines`, { key, body: '\n', headers: zipped })).status).toBe(415);
  });

  test('that came whole before the connection broke are kept, and the rest is sent again', async () => {
    const it = await opened();
    const file = lines(Array.from({ length: 2_000 }, (_, n) => goodLine('ndjson', n)));
    const sent = request(`${api.url}${it.self}/lines`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${it.key}`, ...NDJSON, 'content-length': file.length },
    });
    const broken = once(sent, 'error');
    sent.write(file.slice(0, Math.floor(file.length * 0.7)));
    const taken = async () => (await it.get()).body.lines as number;
    await eventually('some of them are taken', async () => (await taken()) >= 1_000, { withinMs: 20_000 });
    sent.destroy();
    await broken.catch(() => {});
    const before = await taken();
    expect(before).toBeLessThan(2_000);
    expect((await it.put(file)).body).toMatchObject({ lines: 2_000, accepted: 2_000, duplicates: 0 });
    const { rows } = await api.database.pool.query(
      'select count(*)::int, count(distinct event_id)::int as events from deliveries where tenant_id = $1',
      [it.tenant.id],
    );
    expect(rows).toEqual([{ count: 2_000, events: 2_000 }]);
  });
});

describe('what a tenant may take', () => {
  const GIB = 1024 ** 3;
  const soFar = (id: string, bytes: number, openedHoursAgo = 0) =>
    api.database.pool.query(
      `update imports set bytes = $2, opened_at = now() - $3 * interval '1 hour' where id = $1`,
      [api.uuid(id), bytes, openedHoursAgo],
    );

  test('in one import is bounded: what is beyond is refused, and taken by another one', async () => {
    const it = await opened();
    await soFar(it.shown.id, 16 * GIB - 1_000);
    const file = Array.from({ length: 40 }, (_, n) => goodLine('ndjson', n));
    const refused = await it.put(lines(file));
    expect(refused).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
    const { body } = await it.get();
    expect(refused.body.detail).toContain(`Lines up to ${body.lines} were taken`);
    expect(body.lines).toBeGreaterThan(0);
    expect(body.bytes).toBeLessThanOrEqual(16 * GIB);
    await it.post('close', { lines: body.lines });
    const { key, endpointId } = it;
    const next = await api.call('POST', PATH, { key, body: { from: 'ndjson', map: { theirs: endpointId } } });
    const rest = await api.call('PUT', next.body.links.lines, { key, body: lines(file), headers: NDJSON });
    expect(rest.body).toMatchObject({ lines: 40, accepted: 40 - body.lines, duplicates: body.lines });
  });

  test('within a day is bounded, for it alone', async () => {
    const it = await opened();
    const again = () =>
      api.call('POST', PATH, { key: it.key, body: { from: 'ndjson', map: { theirs: it.endpointId } } });
    await it.post('close');
    await soFar(it.shown.id, 64 * GIB);
    const refused = await again();
    expect(refused).toMatchObject({ status: 403, body: { code: 'quota_exceeded' } });
    expect(refused.body.detail).toContain('64 GiB');
    await opened();
    await soFar(it.shown.id, 64 * GIB, 25);
    expect((await again()).status).toBe(201);
  });
});

test('nothing of what came is in the log or in the audit', async () => {
  const it = await opened();
  const canary = {
    ...goodLine('ndjson', 1),
    id: 'canary-id',
    type: 'canary-type',
    payload: 'canary',
    note: 'canary',
  };
  await it.put(`${lines([canary])}{"canary":`);
  const { rows } = await api.database.pool.query(
    `select action, detail from audit_entries where tenant_id = $1 and action like 'import.%'`,
    [it.tenant.id],
  );
  expect(rows.length).toBeGreaterThan(1);
  expect(JSON.stringify(rows)).not.toContain('canary');
  expect(api.log.join('')).not.toContain('canary');
});
