import { expect, test } from '@jest/globals';
import { LIVE_LANE, type Transaction } from '../../../src/store/db/queryable.ts';
import { dueNext, putOffBlocked } from '../../../src/store/sending/ordering.ts';
import { eventually } from '../../support/eventually.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

test('a delivery that is being put off while the one before it ends is waited for, and is due again', async () => {
  const tenant = await store.newTenant();
  const endpoint = await store.newEndpoint(tenant, { ordered: true });
  const [first = NO_ID, second = NO_ID] = await store.ingest(tenant, 2, { key: 'account-1' });
  const waiting = () =>
    store
      .rows('select put_off_from, due_at <= now() as due from executions where delivery_id = $1', [second])
      .then(([row]) => row);

  const other = await store.pool.connect();
  try {
    await other.query('begin');
    await putOffBlocked(other as unknown as Transaction, LIVE_LANE, [endpoint]);
    const told = dueNext(store.pool, [first]);
    await eventually('the one waits for the other', async () => {
      const [{ waits }] = await store.rows(
        `select count(*)::int as waits from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waits === 1;
    });
    await other.query('commit');
    expect(await told).toBe(true);
  } finally {
    other.release();
  }
  expect(await waiting()).toEqual({ put_off_from: null, due: true });
});
