import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { hashApiKey, makeApiKey } from '../../src/api/authentication/api-key.ts';
import { insertApiKey } from '../../src/store/tenancy/api-keys.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { eventually } from '../support/eventually.ts';

const ITEMS = 60_000;
const EVENTS = 'text/event-stream';
const NDJSON = 'application/x-ndjson';

const api = useApi({
  streamLimits: { exportsOfTenant: 4, eventsOfCredential: 20, eventsOfTenant: 50, checkEveryMs: 50 },
});
let operation: string;
const open: IncomingMessage[] = [];

beforeAll(async () => {
  await seedEndpoint(api);
  const [seeded] = await seedFailedDeliveries(api, 1);
  const started = await api.call('POST', '/api/v1/retries', {
    body: { select: { deliveryIds: [seeded?.deliveryId] } },
  });
  operation = started.body.id;
  await manyItems(operation);
});
afterEach(() => {
  for (const response of open.splice(0)) response.destroy();
});

/** Lets an operation have excluded this many deliveries: the ledger is as long as if it had sent them. */
async function manyItems(id: string): Promise<void> {
  await api.database.pool.query(
    `with seeds as (select d.* from deliveries d limit 1),
     events as (
       insert into events (id, tenant_id, number, type, accepted_at, ingest_call_id, payload_bytes)
       select uuidv7(), s.tenant_id, 1000 + n, 'bulk', now(), uuidv7(), 2 from seeds s, generate_series(1, $2) n
       returning id, tenant_id
     ), deliveries as (
       insert into deliveries (tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes)
       select v.tenant_id, v.id, s.endpoint_id, 'failed', now(), 2 from events v, seeds s returning id
     )
     insert into exclusions (operation_id, delivery_id, reason) select $1, id, 'already_delivered' from deliveries`,
    [api.uuid(id), ITEMS],
  );
}

/** Begins a stream and leaves it unread. */
function begin(
  accept: string,
  key = api.key,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  const path = `/api/v1/retries/${operation}/${accept === EVENTS ? 'stream' : 'items'}`;
  return new Promise((resolve, reject) => {
    get(
      `${api.url}${path}`,
      { agent: false, headers: { authorization: `Bearer ${key}`, accept, ...headers } },
      (response) => {
        open.push(response);
        response.on('error', () => {});
        resolve(response);
      },
    ).on('error', reject);
  });
}

/** Begins a stream once there is a place for it: one that was left frees its place when the server has seen that. */
async function beginWhenFree(...asked: Parameters<typeof begin>): Promise<IncomingMessage> {
  let begun: IncomingMessage | undefined;
  await eventually('there is a place', async () => {
    begun = await begin(...asked);
    if (begun.statusCode !== 200) begun.resume();
    return begun.statusCode === 200;
  });
  return begun as IncomingMessage;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

async function newKey(tenantId = api.tenant.id) {
  const key = makeApiKey();
  const made = await insertApiKey(api.database.pool, {
    ...{ tenantId, name: 'reader', hash: hashApiKey(key), scopes: ['read:deliveries'] },
  });
  return { key, id: made?.id };
}

describe('exports', () => {
  test('are four at a time for a tenant, over all its keys; the next one is told when to come back', async () => {
    const other = await newKey();
    const four = await Promise.all([begin(NDJSON), begin(NDJSON), begin(NDJSON, other.key), begin(NDJSON)]);
    expect(four.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200]);
    const fifth = await begin(NDJSON, other.key);
    expect(fifth.statusCode).toBe(429);
    expect(Number(fifth.headers['retry-after'])).toBeGreaterThan(0);
    expect(JSON.parse(await textOf(fifth))).toMatchObject({
      code: 'rate_limited',
      detail: expect.stringContaining('At most 4 exports'),
    });
    // A page is no export.
    expect((await api.call('GET', `/api/v1/retries/${operation}/items`)).status).toBe(200);
    four[0]?.destroy();
    expect((await beginWhenFree(NDJSON)).statusCode).toBe(200);
  });

  test('of other tenants begin while those of one are open, and everybody is answered while they go on', async () => {
    const stranger = await api.newTenant();
    const readers = Promise.all(
      Array.from({ length: 2 }, async () => (await textOf(await beginWhenFree(NDJSON))).split('\n').length),
    );
    let answered = 0;
    let over = false;
    void readers.then(() => {
      over = true;
    });
    while (!over)
      for (const path of ['/healthz', '/readyz', '/api/v1/endpoints']) {
        expect((await api.call('GET', path, { key: stranger.key })).status).toBe(200);
        if (!over) answered += 1;
      }
    expect(await readers).toEqual(Array(2).fill(ITEMS + 2));
    // Each waits behind a page at most; one that had to wait for the exports would be answered once or twice.
    console.log(`${answered} calls were answered while two exports went on`);
    expect(answered).toBeGreaterThan(20);
  });

  test('are cut off, and not ended as if they were whole, when their key is revoked', async () => {
    const { key, id } = await newKey();
    const stream = await beginWhenFree(NDJSON, key);
    // The other places are taken for good: the next stream gets the place of this one.
    for (let others = 0; others < 3; others += 1) await beginWhenFree(NDJSON);
    await api.database.pool.query('update api_keys set revoked_at = now() where id = $1', [id]);
    await beginWhenFree(NDJSON);
    await expect(textOf(stream)).rejects.toThrow('aborted');
  });
});

describe('event streams', () => {
  test('are 20 at a time for a credential and so many for a tenant', async () => {
    const keys = await Promise.all([newKey(), newKey(), newKey()]);
    const statuses = async (key: string, count: number) =>
      (await Promise.all(Array.from({ length: count }, () => begin(EVENTS, key)))).map(
        ({ statusCode }) => statusCode,
      );
    for (const { key } of keys.slice(0, 2)) {
      expect(await statuses(key, 20)).toEqual(Array(20).fill(200));
      expect(await statuses(key, 1)).toEqual([429]);
    }
    // 40 of the tenant go on by now.
    const third = await statuses(keys[2]?.key ?? '', 11);
    expect(third.filter((status) => status === 200)).toHaveLength(10);
    expect(third.filter((status) => status === 429)).toHaveLength(1);
  });

  test.each(['revoked', 'expired', 'without its scope'])('end when their key is %s', async (how) => {
    const { key, id } = await newKey();
    const stream = await begin(EVENTS, key);
    const reading = textOf(stream);
    const change = {
      revoked: 'revoked_at = now()',
      expired: `expires_at = now()`,
      'without its scope': `scopes = '{read:endpoints}'`,
    }[how];
    await api.database.pool.query(`update api_keys set ${change} where id = $1`, [id]);
    // Ended, not cut off.
    expect(await reading).toContain('event: progress');
  });

  test('go on while nobody can tell whether they may', async () => {
    const { pool } = api.database;
    const { key } = await newKey();
    const stream = await begin(EVENTS, key);
    let ended = false;
    stream.on('end', () => {
      ended = true;
    });
    stream.resume();
    // A look for a key finds none, and is counted, which outlives the failure.
    await pool.query(`
      create sequence asked;
      create function fails() returns boolean language plpgsql as
        $$ begin perform nextval('asked'); raise exception 'no key can be looked for'; end $$;
      alter table api_keys rename to api_keys_away;
      create view api_keys as select * from api_keys_away where fails();
    `);
    try {
      await eventually('its key was looked for, twice', async () => {
        const { rows } = await pool.query('select last_value::int as times from asked');
        return rows[0].times > 1;
      });
      expect(stream.readableEnded || stream.destroyed).toBe(false);
    } finally {
      await pool.query(`
        drop view api_keys;
        drop function fails;
        drop sequence asked;
        alter table api_keys_away rename to api_keys;
      `);
    }
    // A stream that began later has ended after its check: the first has been checked as well.
    const later = await newKey();
    const stranger = await begin(EVENTS, later.key);
    await pool.query('update api_keys set revoked_at = now() where id = $1', [later.id]);
    await textOf(stranger);
    expect(ended).toBe(false);
  });

  test('begin with the whole state, and after Last-Event-ID with the news', async () => {
    const blocks = (text: string) =>
      text
        .split('\n\n')
        .filter((block) => /^event:/.test(block))
        .map((block) => ({
          event: /^event: (.*)$/m.exec(block)?.[1],
          id: /^id: (.*)$/m.exec(block)?.[1] ?? '',
          data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '{}') as { id: string; state: string },
        }));
    const first = await begin(EVENTS);
    let seen = '';
    first.on('data', (chunk) => {
      seen += chunk;
    });
    await eventually('it has begun', () => blocks(seen).length === 1);
    const [snapshot] = blocks(seen);
    expect(snapshot).toMatchObject({ event: 'progress', data: { id: operation } });
    first.destroy();

    // The id of the present state gets silence; any other id gets all of it.
    const same = await begin(EVENTS, api.key, { 'last-event-id': snapshot?.id ?? '' });
    const gap = await begin(EVENTS, api.key, { 'last-event-id': 'long-ago' });
    let [afterSame, afterGap] = ['', ''];
    same.on('data', (chunk) => {
      afterSame += chunk;
    });
    gap.on('data', (chunk) => {
      afterGap += chunk;
    });
    await eventually('all of it is there', () => blocks(afterGap).length === 1);
    expect(blocks(afterGap)).toEqual([snapshot]);
    expect(blocks(afterSame)).toEqual([]);

    await api.call('POST', `/api/v1/retries/${operation}/pause`);
    // On a busy machine something else of it may have moved before.
    const paused = () => blocks(afterSame).find(({ data }) => data.state === 'paused');
    await eventually('what is new is there', () => paused() !== undefined);
    expect(paused()).toMatchObject({ event: 'progress', data: { id: operation } });
    expect(paused()?.id).not.toBe(snapshot?.id);
  });

  test('that had ended are answered 204, which tells a browser to stop', async () => {
    const { body } = await api.call('POST', '/api/v1/retries', { body: { select: { deliveryIds: [] } } });
    await api.database.pool.query(
      `update operations o set state = 'completed', closed_at = now(), next_event_at = null,
        report = '{"mayHaveArrived": 0, "exclusions": {}, "attempts": 0}'::jsonb
          || jsonb_build_object('counts', to_jsonb(c) - 'operation_id' - 'frozen')
       from operation_counts c where c.operation_id = o.id and o.id = $1`,
      [api.uuid(body.id)],
    );
    const path = `/api/v1/retries/${body.id}/stream`;
    const whole = await api.call('GET', path);
    const ids = [...whole.text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? '');
    expect(ids).toHaveLength(2);
    const [progress = '', closed = ''] = ids;
    const rest = await api.call('GET', path, { headers: { 'last-event-id': progress } });
    expect(rest.text).toContain('event: closed');
    expect(rest.text).not.toContain('event: progress');
    expect((await api.call('GET', path, { headers: { 'last-event-id': closed } })).status).toBe(204);
  });
});
