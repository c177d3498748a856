import { beforeAll, describe, expect, test } from '@jest/globals';
import { apiRoutes } from '../../src/api/server.ts';
import { AUDIT_ACTIONS } from '../../src/domain/audit/audit-action.ts';
import { ACTS as MINKA_ACTS } from '../../src/surfaces/minka/administration/acts.ts';
import { ACTS as NATIVE_ACTS } from '../../src/surfaces/native/acts.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { loggedActor } from '../../src/telemetry/act-log.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { bodyFor, credentialsFor, pathFor } from '../support/api/api-world.ts';
import { useApi, useApiWorld } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { ask } from '../support/surfaces/minka-client.ts';

const ACTS = { ...NATIVE_ACTS, ...MINKA_ACTS };

const lines: string[] = [];
const api = useApi({
  log: createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } }),
});

beforeAll(async () => {
  await seedEndpoint(api);
});

/** The lines that something left. */
async function linesOf(work: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const from = lines.length;
  await work();
  return lines.slice(from).map((line) => JSON.parse(line));
}

describe('an act leaves one line', () => {
  const written: string[] = [];
  const world = useApiWorld({
    log: createLogger({ level: 'info', destination: { write: (line) => void written.push(line) } }),
  });

  // Deletions last: others need what they take away.
  const inTurn = Object.entries(ACTS).toSorted(
    ([one], [other]) => Number(one.startsWith('delete')) - Number(other.startsWith('delete')),
  );

  test.each(inTurn)('%s', async (name, event) => {
    const route = apiRoutes(world.api.deps, SURFACES).find((each) => `${each.method} ${each.path}` === name);
    if (!route) throw new Error('no such route');
    const from = written.length;
    const answer = await world.api.call(route.method.toUpperCase(), pathFor(route, world.ours), {
      ...credentialsFor(route, world.api, world.ours),
      body: bodyFor(route, world.ours),
    });
    expect(answer.status).toBeLessThan(300);
    const acts = written
      .slice(from)
      .map((line) => JSON.parse(line))
      .filter((line) => line.event === event);
    expect(acts).toMatchObject([
      {
        level: 'info',
        by: expect.stringMatching(/^key_/),
        requestId: answer.headers.get('request-id'),
        [`${AUDIT_ACTIONS[event]}Id`]: expect.stringMatching(/^[a-z]{2,3}_/),
      },
    ]);
  });

  test('and every call of the native API that changes something is one', () => {
    const others = apiRoutes(world.api.deps, SURFACES)
      .filter(
        ({ surface, method, path }) =>
          surface.name === 'native' && method !== 'get' && path.startsWith('/api'),
      )
      .map(({ method, path }) => `${method} ${path}`)
      .filter((name) => !(name in ACTS));
    // These tell of themselves, with more than the request knows, or are the stream of events itself.
    expect(others.sort()).toEqual([
      'post /api/v1/acks',
      'post /api/v1/deliveries/resolve',
      'post /api/v1/deliveries/{id}/resolve',
      'post /api/v1/events',
      'post /api/v1/listeners/{id}/answers',
      'post /api/v1/retries',
      'post /api/v1/retries/plans',
      'post /api/v1/retries/plans/{id}/execute',
      'post /api/v1/retries/{id}/approve',
      'post /api/v1/retries/{id}/cancel',
      'post /api/v1/retries/{id}/emergency',
      'post /api/v1/retries/{id}/explain',
      'post /api/v1/retries/{id}/pause',
      'post /api/v1/retries/{id}/rate',
      'post /api/v1/retries/{id}/reject',
      'post /api/v1/retries/{id}/resume',
    ]);
  });
});

describe('an operation leaves one line for each act on it', () => {
  test('with ids, counts and codes, and no words of a customer', async () => {
    const [delivery] = await seedFailedDeliveries(api, 1);
    const canary = 'canary-words';
    let id = '';
    const accepted = await linesOf(async () => {
      const { body } = await api.call('POST', '/api/v1/retries', {
        body: { select: { deliveryIds: [delivery?.deliveryId] }, reason: canary, ticket: canary },
      });
      id = body.id;
    });
    expect(accepted).toMatchObject([
      { event: 'operation.accepted', operationId: id, kind: 'retry', surface: 'native', expected: 1 },
    ]);
    const path = `/api/v1/retries/${id}`;
    const controlled = await linesOf(async () => {
      await api.call('POST', `${path}/pause`);
      await api.call('POST', `${path}/rate`, { body: { ratePerSecond: 3 } });
      await api.call('POST', `${path}/resume`);
      await api.call('POST', `${path}/cancel`);
    });
    expect(controlled).toMatchObject([
      { event: 'operation.paused', operationId: id },
      { event: 'operation.paced', ratePerSecond: 3 },
      { event: 'operation.resumed' },
      { event: 'operation.cancelled' },
    ]);
    for (const line of [...accepted, ...controlled])
      expect(line).toMatchObject({
        by: expect.stringMatching(/^key_/),
        requestId: expect.stringMatching(/^req_/),
      });
    const again = await linesOf(() => api.call('POST', `${path}/cancel`));
    expect(again).toMatchObject([{ event: 'api.refused', code: 'state_conflict' }]);
    expect(lines.join('')).not.toContain(canary);
  });

  test('a repeat under its key is no second act', async () => {
    const body = { select: { deliveryIds: [] } };
    const send = () => api.call('POST', '/api/v1/retries', { body, headers: { 'idempotency-key': 'once' } });
    expect(await linesOf(send)).toHaveLength(1);
    expect(await linesOf(send)).toEqual([]);
  });

  test.each([
    ['key_01k9z3e5hbe7r9qk2m4n6p8r0s', 'key_01k9z3e5hbe7r9qk2m4n6p8r0s'],
    ['jwt:iss_01k9z3e5hbe7r9qk2m4n6p8r0s:jane@corp.example', 'jwt:iss_01k9z3e5hbe7r9qk2m4n6p8r0s'],
    ['signer:mint', 'signer'],
    ['redrive', 'redrive'],
    ['', 'unknown'],
  ])('%s is called %s there', (actor, logged) => {
    expect(loggedActor(actor)).toBe(logged);
  });
});

describe('a refusal leaves one line with the id that it was answered with', () => {
  const refusal = async (work: () => Promise<{ headers: Headers; status: number }>) => {
    let answer: Awaited<ReturnType<typeof work>> | undefined;
    const left = await linesOf(async () => {
      answer = await work();
    });
    return { left, answer };
  };

  test.each<[string, () => Promise<{ headers: Headers; status: number }>, object]>([
    [
      'a problem of the native API',
      () => api.call('GET', '/api/v1/deliveries/summary'),
      { code: 'not_found', route: '/api/v1/deliveries/{id}', surface: 'native' },
    ],
    [
      'a missing credential',
      () => api.call('GET', '/api/v1/deliveries', { key: undefined }),
      { status: 401 },
    ],
    ['an unknown route', () => api.call('GET', '/api/v1/nothing?canary=1'), { code: 'route_not_found' }],
    ['a broken body', () => api.call('POST', '/api/v1/retries', { body: '{' }), { code: 'malformed_json' }],
    [
      'a refusal in the words of another surface',
      () => ask(api.url, 'GET', '/v2/bridges/nobody/events'),
      { status: 422, route: '/v2/bridges/{handle}/events', surface: 'minka' },
    ],
    [
      'a surface’s unknown route',
      () => ask(api.url, 'GET', '/v2/nothing'),
      { status: 404, surface: 'minka' },
    ],
  ])('%s', async (_, work, expected) => {
    const { left, answer } = await refusal(work);
    expect(left).toMatchObject([
      {
        event: 'api.refused',
        requestId: answer?.headers.get('request-id'),
        status: answer?.status,
        ...expected,
      },
    ]);
    expect(JSON.stringify(left)).not.toContain('canary');
  });

  test('and a success leaves none', async () => {
    expect(await linesOf(() => api.call('GET', '/api/v1/deliveries'))).toEqual([]);
  });
});
