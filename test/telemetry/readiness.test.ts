import { expect, test } from '@jest/globals';
import { readiness } from '../../src/readiness.ts';
import { createPool } from '../../src/store/db/pool.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { counted, showGauges } from '../../src/worker/gauges.ts';
import { sampleOf } from '../support/metrics.ts';
import { useStore } from '../support/store/use-store.ts';

/** What is said of a Postgres that is there and does not serve. */

const store = useStore();
const noTemporal = { link: undefined };

test('one that takes no writes is not ready, and no gauge counts as read', async () => {
  const name = new URL(store.url).pathname.slice(1);
  await store.pool.query(`alter database ${name} set default_transaction_read_only = on`);
  const pool = createPool(store.url, { max: 1 });
  const metrics = createMetrics();
  metrics.read.expected();
  try {
    expect(await readiness(pool, noTemporal)).toContainEqual({
      name: 'postgres',
      ready: false,
      state: 'takes no writes',
    });
    const look = counted(metrics, 'quick', () => showGauges(metrics, pool, noTemporal));
    await expect(look()).rejects.toMatchObject({ code: '25006' });
    const text = await metrics.registry.metrics();
    expect(sampleOf(text, 'redrive_gauges_read_timestamp_seconds{part="quick"}')).toBe(0);
    expect(sampleOf(text, 'redrive_gauges_failed_total{part="quick"}')).toBe(1);
  } finally {
    await pool.end();
    await store.pool.query(`alter database ${name} reset default_transaction_read_only`);
  }
  expect(await readiness(store.pool, noTemporal)).toContainEqual({
    name: 'postgres',
    ready: true,
    state: 'connected',
  });
});

test('one that hangs does not answer, and is asked over a new connection next time', async () => {
  const pool = createPool(store.url, { max: 1, answersWithinMs: 500 });
  try {
    await expect(pool.query('select pg_sleep(600)')).rejects.toThrow('Query read timeout');
    expect((await pool.query('select 1')).rowCount).toBe(1);
    const blocker = await store.pool.connect();
    try {
      await blocker.query('begin; lock table workers in access exclusive mode');
      expect(await readiness(pool, noTemporal)).toContainEqual({
        name: 'postgres',
        ready: false,
        state: 'does not answer',
      });
    } finally {
      await blocker.query('rollback');
      blocker.release();
    }
  } finally {
    await pool.end();
  }
});
