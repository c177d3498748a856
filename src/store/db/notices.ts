import type { ClientBase, PoolClient } from 'pg';
import type { Pool } from './pool.ts';
import type { Queryable } from './queryable.ts';
import { mustTakeWrites } from './takes-writes.ts';

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
      await hearOn(client, { [channel]: (id) => id && onNotice(id) }, stop);
    } catch {
      // The next round tries again.
    }
    // Never handed to another: it would go on listening.
    client?.release(true);
    if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
  }
}

/**
 * Hears on a session of its own until that is lost or it is to stop; fails where the session takes no writes: such a server
 * tells nothing, and another may be the one that does.
 */
export async function hearOn(
  session: ClientBase,
  channels: Readonly<Record<string, (payload: string) => void>>,
  stop: AbortSignal,
): Promise<void> {
  let end = () => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  session.on('error', end);
  session.on('end', end);
  stop.addEventListener('abort', end);
  // Stopped while it connected: that event is over.
  if (stop.aborted) end();
  session.on('notification', ({ channel, payload = '' }) => channels[channel]?.(payload));
  try {
    await mustTakeWrites(session as unknown as Queryable);
    for (const channel of Object.keys(channels)) await session.query(`listen ${channel}`);
    await over;
  } finally {
    stop.removeEventListener('abort', end);
  }
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
