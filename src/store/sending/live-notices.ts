import pg from 'pg';
import { hearOn } from '../db/notices.ts';
import type { Queryable } from '../db/queryable.ts';

/** The channel on which live lanes hear of new work. */
export const LIVE_CHANNEL = 'redrive_live';

/** Tells every live lane that there is new work, without saying which. */
export async function notifyLiveLanes(db: Queryable): Promise<void> {
  await db.query(`select pg_notify('${LIVE_CHANNEL}', '')`);
}

/**
 * Listens on a connection of its own until stopped, and makes a new one when that is lost. Missed notices are no loss:
 * whoever listens also looks by itself.
 */
export async function listenByItself(
  url: string,
  channels: Readonly<Record<string, (payload: string) => void>>,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'redrive-listen',
      keepAlive: true,
    });
    try {
      await client.connect();
      await hearOn(client, channels, stop);
    } catch {
      // The next round tries again; the looks of those who listen are the net meanwhile.
    }
    await client.end().catch(() => {});
    if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
