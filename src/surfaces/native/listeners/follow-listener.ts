import { createHash, randomBytes } from 'node:crypto';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { StreamOutput } from '../../../api/reply.ts';
import type { ActBy } from '../../../domain/audit/audit-action.ts';
import { LISTENER_ASKED_EVERY_MS, REQUESTS_AT_ONCE } from '../../../domain/listeners/listener.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { Wake } from '../../../loops/wake.ts';
import { endListener } from '../../../operations/listeners/end-listener.ts';
import type { Notices } from '../../../store/db/notices.ts';
import { type TakenRequest, takeHanded } from '../../../store/listeners/handed-requests.ts';
import { connectListener, type Listener, whyEnded } from '../../../store/listeners/listeners.ts';
import { errorCode } from '../../../telemetry/error-code.ts';
import { livelyWriter } from '../event-stream.ts';

/** Looks by itself, for notices that were missed and for a listener that has ended. */
const NET_MS = 1_000;

/** The hash under which a token of a request is kept. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * Hands the requests of a listener down its connection; with the connection it ends, and where nobody answers that they
 * are there.
 */
export async function followListener(
  deps: ApiDeps,
  notices: Notices,
  output: StreamOutput,
  listener: Listener,
  by: ActBy,
): Promise<void> {
  const { pool, log, listenersAskedEveryMs = LISTENER_ASKED_EVERY_MS } = deps;
  if (!(await connectListener(pool, listener.id))) {
    await output.write(eventOf('ended', { why: 'connected_elsewhere' }));
    return;
  }
  const wake = new Wake(output.ended);
  const leave = notices.await(listener.id, () => wake.poke());
  const { write, stop } = livelyWriter(output, eventOf('check', {}), listenersAskedEveryMs);
  try {
    await write(
      eventOf('listening', {
        id: showId('listener', listener.id),
        endpointId: showId('endpoint', listener.endpointId),
      }),
    );
    while (!output.ended.aborted) {
      const taken = await next(listener);
      if (taken === 'ended') {
        await write(eventOf('ended', { why: await whyEnded(pool, listener.id) }));
        return;
      }
      for (const event of taken) if (!(await write(event))) return;
      if (taken.length < REQUESTS_AT_ONCE) await wake.wait(NET_MS);
    }
  } finally {
    stop();
    leave();
    await endListener(deps, listener, 'left', by).catch((error: unknown) =>
      // Found again when its time is over.
      log.warn({ event: 'listener.left_behind', code: errorCode(error) }),
    );
  }

  async function next({ id }: Listener): Promise<string[] | 'ended'> {
    const tokens = Array.from({ length: REQUESTS_AT_ONCE }, () => randomBytes(32).toString('base64url'));
    try {
      const taken = await takeHanded(pool, id, tokens.map(hashToken));
      return taken ? taken.map((request) => requestEvent(request, tokens[request.token] ?? '')) : 'ended';
    } catch {
      // Postgres is away: it is asked again soon.
      return [];
    }
  }
}

function requestEvent({ deliveryId, headers, body, expiresAt, leftMs }: TakenRequest, token: string): string {
  return eventOf('request', {
    token,
    deliveryId: showId('delivery', deliveryId),
    headers,
    body,
    answerBy: expiresAt.toISOString(),
    answerWithinMs: leftMs,
  });
}

function eventOf(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
