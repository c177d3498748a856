import type { PoolClient } from 'pg';
import type { Pool } from './pool.ts';
import type { Queryable } from './queryable.ts';

const AGAIN_MS = 500;

/** Tells whoever listens on a channel, without more than ids. */
export async function notify(db: Queryable, channel: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db.query('select pg_notify($1, t.id) from unnest($2::text[]) as t(id)', [channel, ids]);
}

/**
 * Listens on a connection of the pool until stopped, and takes another when that is lost. Missed notices are no loss:
 * who listens also looks by itself now and then.
 */
export async function listenOn(
  pool: Pool,
  channel: string,
  onNotice: (id: string) => void,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    let client: PoolClient | undefined;
    try {
      client = await pool.connect();
      await heard(client, channel, onNotice, stop);
    } catch {
      // The next round tries again.
    }
    // Never handed to another: it would go on listening.
    client?.release(true);
    if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
  }
}

async function heard(
  client: PoolClient,
  channel: string,
  onNotice: (id: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const over = new Promise<void>((resolve) => {
    client.once('error', () => resolve());
    client.once('end', () => resolve());
    stop.addEventListener('abort', () => resolve(), { once: true });
    if (stop.aborted) resolve();
  });
  client.on('notification', ({ payload }) => {
    if (payload) onNotice(payload);
  });
  await client.query(`listen ${channel}`);
  await over;
}

/** Hears of single things on a channel, for all of a process by one connection, which is there while anybody waits. */
export class Notices {
  readonly #pool: Pool;
  readonly #channel: string;
  readonly #awaited = new Map<string, () => void>();
  #listening: AbortController | undefined;

  constructor(pool: Pool, channel: string) {
    this.#pool = pool;
    this.#channel = channel;
  }

  /** Calls back at each notice of an id, until the function that it returns is called. */
  await(id: string, onNotice: () => void): () => void {
    this.#awaited.set(id, onNotice);
    if (!this.#listening) {
      this.#listening = new AbortController();
      const { signal } = this.#listening;
      void listenOn(this.#pool, this.#channel, (noticed) => this.#awaited.get(noticed)?.(), signal);
    }
    return () => {
      if (this.#awaited.get(id) === onNotice) this.#awaited.delete(id);
      if (this.#awaited.size > 0) return;
      this.#listening?.abort();
      this.#listening = undefined;
    };
  }
}
