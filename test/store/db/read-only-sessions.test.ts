import { expect, test } from '@jest/globals';
import { readiness } from '../../../src/readiness.ts';
import { listenOn, notify } from '../../../src/store/db/notices.ts';
import { createPool, type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { listenByItself } from '../../../src/store/sending/live-notices.ts';
import { eventually } from '../../support/eventually.ts';
import { startTcpProxy } from '../../support/receivers/tcp-proxy.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Sessions that began while the server took no writes, and keep that when it takes them again. */

const store = useStore();

/** Has all sessions that begin meanwhile take no writes; the setting says nothing to those that are there. */
async function whileBraked(work: () => Promise<void>): Promise<void> {
  const name = new URL(store.url).pathname.slice(1);
  await store.pool.query(`alter database ${name} set default_transaction_read_only = on`);
  try {
    await work();
  } finally {
    await store.pool.query(`alter database ${name} reset default_transaction_read_only`);
  }
}

/** A pool of one session, which began while the server was braked. */
async function begunWhileBraked(): Promise<Pool> {
  const pool = createPool(store.url, { max: 1 });
  await whileBraked(async () => {
    await pool.query('select 1');
  });
  return pool;
}

test('one whose write was refused in a transaction is given to nobody any more', async () => {
  const pool = await begunWhileBraked();
  try {
    const write = () => withTransaction(pool, (tx) => tx.query('create table written (n int)'));
    await expect(write()).rejects.toMatchObject({ code: '25006' });
    await write();
  } finally {
    await pool.end();
  }
});

test('one whose write was refused by itself is given to nobody any more', async () => {
  const pool = await begunWhileBraked();
  try {
    const write = () => pool.query('create table written_alone (n int)');
    await expect(write()).rejects.toMatchObject({ code: '25006' });
    await write();
  } finally {
    await pool.end();
  }
});

test('one that a probe finds so is given to nobody any more, where nobody writes', async () => {
  const pool = await begunWhileBraked();
  const look = async () =>
    (await readiness(pool, { link: undefined })).find(({ name }) => name === 'postgres')?.state;
  try {
    expect([await look(), await look()]).toEqual(['takes no writes', 'connected']);
  } finally {
    await pool.end();
  }
});

test.each<[string, (url: string, hear: () => void, stop: AbortSignal) => Promise<void>]>([
  ['of its own', (url, hear, stop) => listenByItself(url, { told: hear }, stop)],
  [
    'of a pool',
    async (url, hear, stop) => {
      const pool = createPool(url, { max: 1 });
      await listenOn(pool, 'told', hear, stop);
      await pool.end();
    },
  ],
])('one on which somebody listens, %s, is made anew until it takes writes', async (_, listen) => {
  const url = new URL(store.url);
  const proxy = await startTcpProxy(url.host);
  url.host = proxy.address;
  const stop = new AbortController();
  let heard = 0;
  let over: Promise<void> | undefined;
  try {
    await whileBraked(async () => {
      over = listen(url.href, () => (heard += 1), stop.signal);
      await eventually('a second session began', () => proxy.passed > 1);
    });
    await eventually('one hears', async () => {
      await notify(store.pool, 'told', ['id']);
      return heard > 0;
    });
  } finally {
    stop.abort();
    await over;
    await proxy.close();
  }
});
