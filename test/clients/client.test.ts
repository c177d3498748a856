import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  answerOf,
  hasCode,
  ProblemError,
  paginate,
  redriveClient,
  type StreamEvent,
  UnexpectedAnswerError,
} from '../../clients/typescript/src/index.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { eventually } from '../support/eventually.ts';

const COUNT = 5;

const api = useApi();
let deliveryIds: string[];

beforeAll(async () => {
  await seedEndpoint(api);
  deliveryIds = (await seedFailedDeliveries(api, COUNT)).map(({ deliveryId }) => deliveryId);
});

const client = (key = api.key) => redriveClient({ baseUrl: api.url, key });

describe('calls', () => {
  test('answer what the document says, lists as repeated parameters', async () => {
    const { calls } = client();
    const failed = await answerOf(
      calls.GET('/api/v1/deliveries', { params: { query: { state: ['failed', 'unknown'] } } }),
    );
    expect(failed.items.map(({ id }) => id).sort()).toEqual([...deliveryIds].sort());
    const pending = await answerOf(
      calls.GET('/api/v1/deliveries', { params: { query: { state: ['pending'] } } }),
    );
    expect(pending.items).toEqual([]);
  });

  test('throw a problem, narrowed by its code', async () => {
    const asked = answerOf(
      client().calls.GET('/api/v1/deliveries/{id}', {
        params: { path: { id: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s' } },
      }),
    );
    const error: unknown = await asked.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ProblemError);
    expect(hasCode(error, 'credential_missing')).toBe(false);
    if (!hasCode(error, 'not_found')) throw new Error('expected the code not_found');
    const { status, code, detail }: { status: number; code: 'not_found'; detail: string } = error.problem;
    expect({ status, code, detail }).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('say where somebody else answered in the place of the API', async () => {
    const proxy = redriveClient({
      baseUrl: api.url,
      fetch: async () =>
        new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'retry-after': '7' } }),
    });
    const error: unknown = await answerOf(proxy.calls.GET('/api/v1/endpoints')).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(UnexpectedAnswerError);
    expect(error).toMatchObject({ status: 502, retryAfterMs: 7_000 });
  });

  test('are those of the key that is given', async () => {
    const { key } = await api.newTenant();
    const { items } = await answerOf(client(key).calls.GET('/api/v1/deliveries'));
    expect(items).toEqual([]);
  });
});

test('paginate gives every item once, and asks for no page that nobody takes', async () => {
  const { calls } = client();
  const asked: (string | undefined)[] = [];
  const all = paginate((cursor) => {
    asked.push(cursor);
    return answerOf(
      calls.GET('/api/v1/deliveries', {
        params: { query: { limit: 2, ...(cursor === undefined ? {} : { cursor }) } },
      }),
    );
  });
  const first = await all.next();
  expect(asked).toEqual([undefined]);
  const ids = [first.value?.id];
  for await (const { id } of all) ids.push(id);
  expect([...ids].sort()).toEqual([...deliveryIds].sort());
  expect(asked).toHaveLength(3);
});

describe('watch', () => {
  async function startOperation(): Promise<string> {
    const { body } = await api.call('POST', '/api/v1/retries', { body: { select: { deliveryIds: [] } } });
    return body.id;
  }

  async function end(id: string): Promise<void> {
    await api.database.pool.query(
      `update operations o set state = 'completed', closed_at = now(), next_event_at = null,
        report = '{"mayHaveArrived": 0, "exclusions": {}, "attempts": 0}'::jsonb
          || jsonb_build_object('counts', to_jsonb(c) - 'operation_id' - 'frozen')
       from operation_counts c where c.operation_id = o.id and o.id = $1`,
      [api.uuid(id)],
    );
  }

  test('goes on behind the last event where the connection broke, and ends when nothing follows', async () => {
    const id = await startOperation();
    const lastEventIds: (string | null)[] = [];
    let connection = new AbortController();
    const breakable = redriveClient({
      baseUrl: api.url,
      key: api.key,
      fetch: (request) => {
        lastEventIds.push(request.headers.get('last-event-id'));
        connection = new AbortController();
        return fetch(new Request(request, { signal: AbortSignal.any([request.signal, connection.signal]) }));
      },
    });
    const events: StreamEvent[] = [];
    const connections: boolean[] = [];
    const followed = (async () => {
      const stream = breakable.watch(`/api/v1/retries/${id}/stream`, {
        onConnection: ({ up }) => connections.push(up),
      });
      for await (const event of stream) events.push(event);
    })();
    await eventually('it has begun', () => events.length === 1);
    connection.abort();
    await eventually('the break was noticed', () => connections.includes(false));
    await end(id);
    await followed;
    expect(events.at(-1)).toMatchObject({ event: 'closed', data: { id, state: 'completed' } });
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
    expect(lastEventIds[0]).toBeNull();
    expect(lastEventIds[1]).toBe(events[0]?.id);
    // The last connection is the one that was told that nothing follows.
    expect(lastEventIds.at(-1)).toBe(events.at(-1)?.id);
  });

  test('closes its connection when it is left', async () => {
    const id = await startOperation();
    const ended = new AbortController();
    const stream = client().watch(`/api/v1/retries/${id}/stream`, { signal: ended.signal });
    expect((await stream.next()).value).toMatchObject({ event: 'progress' });
    ended.abort();
    expect((await stream.next()).done).toBe(true);
  });

  test('throws what asking again does not change', async () => {
    const refused = client('rdk_unknown').watch(`/api/v1/retries/${await startOperation()}/stream`);
    await expect(refused.next()).rejects.toMatchObject({ problem: { code: 'credential_invalid' } });
  });
});
