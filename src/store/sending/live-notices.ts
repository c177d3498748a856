import pg from 'pg';
import type { Queryable } from '../db/queryable.ts';

const CHANNEL = 'redrive_live';

/** Tells every live lane that there is new work, without saying which. */
export async function notifyLiveLanes(db: Queryable): Promise<void> {
  await db.query(`select pg_notify('${CHANNEL}', '')`);
}

/**
 * Listens on a connection of its own until stopped, and makes a new one when that is lost. Missed notices are no loss:
 * the live lane also polls.
 */
export async function listenForLiveWork(url: string, onNotice: () => void, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'redrive-listen',
      keepAlive: true,
    });
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      client.on('notification', onNotice);
      await new Promise<void>((resolve) => {
        client.once('error', () => resolve());
        client.once('end', () => resolve());
        stop.addEventListener('abort', () => resolve(), { once: true });
        // Stopped while it connected: that event is over.
        if (stop.aborted) resolve();
      });
    } catch {
      // The next round tries again; the poll of the live lane is the net meanwhile.
    }
    await client.end().catch(() => {});
    if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
