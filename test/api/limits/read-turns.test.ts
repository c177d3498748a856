import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { createReadTurns } from '../../../src/api/limits/read-turns.ts';
import { useApi } from '../../support/api/use-api.ts';
import { eventually } from '../../support/eventually.ts';
import { BASE } from '../../support/surfaces/jack-henry.ts';

const MANY = 25;
const api = useApi({ readLimits: { all: 6, ofTenant: 3, waitMs: 60_000 } });

/** Reads of a tenant, of tables that can be kept from being read, by calls of every kind. */
const READS: Record<string, { table: string; method: string; path: string; body?: unknown; status: number }> =
  {
    'a list': { table: 'audit_checkpoints', method: 'GET', path: '/api/v1/audit/checkpoints', status: 200 },
    'what is settled by a filter': {
      table: 'deliveries',
      method: 'POST',
      path: '/api/v1/deliveries/resolve',
      body: { outcome: 'failed', reason: 'looked', select: { filter: {} }, confirm: true },
      status: 200,
    },
    'what is estimated by a filter': {
      table: 'undelivered',
      method: 'POST',
      path: '/v1/replays',
      body: { source_id: 'a', time_range: { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' } },
      status: 202,
    },
    'a search': {
      table: 'deliveries',
      method: 'POST',
      path: `${BASE}/{tenant}/events/${randomUUID()}/search`,
      body: {},
      status: 200,
    },
  };

test.each(Object.entries(READS))(
  'reads of one tenant that do not end leave connections to its writes, and to everybody else: %s',
  async (_, { table, method, path, body, status }) => {
    const [one, other] = [await api.newTenant(), await api.newTenant()];
    const client = await api.database.pool.connect();
    const reads: Promise<{ status: number }>[] = [];
    try {
      await client.query(`begin; lock table ${table} in access exclusive mode`);
      for (let n = 0; n < MANY; n += 1)
        reads.push(
          api.call(method, path.replace('{tenant}', one.tenant.id), {
            key: one.key,
            body,
            ...(method === 'POST' ? { headers: { 'idempotency-key': `${n}` } } : {}),
          }),
        );
      await eventually('some wait in Postgres', async () => {
        const { rows } = await client.query(
          `select count(distinct pid)::int as waiting from pg_locks where not granted and database = (select oid
             from pg_database where datname = current_database())`,
        );
        return rows[0].waiting === 3;
      });
      const endpoint = { handle: 'made-meanwhile', url: 'https://hooks.example/1' };
      const made = await api.call('POST', '/api/v1/endpoints', { key: one.key, body: endpoint });
      expect(made).toMatchObject({ status: 201 });
      expect(await api.call('GET', '/api/v1/endpoints', { key: other.key })).toMatchObject({ status: 200 });
    } finally {
      await client.query('rollback');
      client.release();
    }
    expect((await Promise.all(reads)).map((read) => read.status)).toEqual(Array(MANY).fill(status));
  },
);

test('whoever waits for a plan takes no turn from others', async () => {
  // Nobody makes it: no worker runs.
  const plans = '/api/v1/retries/plans';
  const asked = await api.call('POST', plans, { body: { select: { filter: {} } } });
  expect(asked).toMatchObject({ status: 201 });
  const path = `${plans}/${asked.body.id}`;
  const waiting = Array.from({ length: 7 }, () => api.call('GET', `${path}?wait=3`));
  const first = await Promise.race([
    ...waiting.map((each) => each.then(() => 'one that waits')),
    api.call('GET', path).then(() => 'one that does not'),
  ]);
  expect(first).toBe('one that does not');
  for (const { status, body } of await Promise.all(waiting))
    expect({ status, state: body.state }).toEqual({ status: 200, state: 'planning' });
});

test('a read whose turn does not come in time is refused, and never begins', async () => {
  const inTurn = createReadTurns({ all: 1, waitMs: 20 });
  let end = () => {};
  const ends = new Promise<void>((resolve) => {
    end = resolve;
  });
  const long = inTurn('a', () => ends.then(() => 'read'));
  let begun = false;
  const refused = await inTurn('b', async () => {
    begun = true;
    return 'never';
  });
  expect(refused).toMatchObject({ problem: 'rate_limited', headers: { 'retry-after': '1' } });
  end();
  expect(await long).toBe('read');
  expect(await inTurn('b', async () => 'next')).toBe('next');
  expect(begun).toBe(false);
});

test('a read that fails fails, and gives its turn back', async () => {
  const inTurn = createReadTurns({ all: 1, ofTenant: 1 });
  await expect(inTurn('a', () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  expect(await inTurn('a', async () => 'read')).toBe('read');
});
