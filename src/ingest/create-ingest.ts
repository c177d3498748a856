import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import { matchEndpoints } from './match-endpoints.ts';
import type { IncomingEvent, MatchedEvent } from './matched-event.ts';
import { type AcceptedEvent, writeCalls } from './write-calls.ts';

/** The most events that one call may bring. */
export const MAX_EVENTS_PER_CALL = 1_000;

/** How many events, and bytes, of waiting calls are written together, in addition to a first call of any size. */
const MAX_EVENTS_TOGETHER = 1_000;
const MAX_BYTES_TOGETHER = 8 * 1024 * 1024;

/** The parts that accepting events needs. */
export interface IngestDeps {
  pool: Pool;
  /** Wakes the live lanes; never throws. */
  pokeLiveLane(): void;
}

/**
 * Accepts the events of one call, all or none, with the deliveries they make: events are committed before they are
 * answered. An event for a disabled endpoint leaves an ignored delivery there, so that it can be recovered once the
 * endpoint is back.
 */
export type AcceptEvents = (
  tenantId: Id<'tenant'>,
  incoming: readonly IncomingEvent[],
) => Promise<AcceptedEvent[]>;

type Call = {
  events: MatchedEvent[];
  bytes: number;
  resolve(accepted: AcceptedEvent[]): void;
  reject(error: unknown): void;
};

/**
 * Makes the one acceptor of a process. Transactions of one tenant follow one another, for they number its events; so
 * calls that would wait for each other share the next one, and with it the time that a commit takes.
 */
export function createIngest({ pool, pokeLiveLane }: IngestDeps): AcceptEvents {
  const waiting = new Map<string, Call[]>();

  async function writeTogether(tenantId: Id<'tenant'>, calls: Call[]): Promise<void> {
    try {
      const accepted = await writeCalls(
        pool,
        tenantId,
        calls.map(({ events }) => events),
      );
      if (accepted.some((events) => events.some(({ deliveries }) => deliveries > 0))) pokeLiveLane();
      for (const [index, call] of calls.entries()) call.resolve(accepted[index] ?? []);
    } catch (error) {
      if (calls.length === 1 || !refusedByPostgres(error)) {
        for (const call of calls) call.reject(error);
        return;
      }
      // Nothing was written: a call that cannot be written must not take the others with it.
      for (const call of calls) await writeTogether(tenantId, [call]);
    }
  }

  async function drain(tenantId: Id<'tenant'>, queue: Call[]): Promise<void> {
    while (queue.length > 0) await writeTogether(tenantId, queue.splice(0, countTogether(queue)));
    waiting.delete(tenantId);
  }

  return async (tenantId, incoming) => {
    const events = await matchEndpoints(pool, tenantId, incoming);
    const bytes = events.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);
    return new Promise((resolve, reject) => {
      const call = { events, bytes, resolve, reject };
      const queue = waiting.get(tenantId);
      if (queue) {
        queue.push(call);
        return;
      }
      const started = [call];
      waiting.set(tenantId, started);
      void drain(tenantId, started);
    });
  };
}

/**
 * Whether Postgres refused the write: bad data, a constraint, a limit. After any other error it may have been
 * committed, or would fail again after as long a wait, so that nothing is written a second time.
 */
function refusedByPostgres(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^(22|23|54|P0)...$/.test(code);
}

function countTogether(queue: readonly Call[]): number {
  let [events, bytes, count] = [0, 0, 0];
  for (const call of queue) {
    events += call.events.length;
    bytes += call.bytes;
    if (count > 0 && (events > MAX_EVENTS_TOGETHER || bytes > MAX_BYTES_TOGETHER)) break;
    count += 1;
  }
  return count;
}
