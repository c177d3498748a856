import { DEMO_HANDLES, type DemoHandle } from './demo-endpoints.ts';

/** During the outage, or since it is over. */
export type DemoPhase = 'outage' | 'back';

/** The parts of a request by which the receiver decides its answer. */
export type DemoRequest = { path: string; webhookId: string; attempt: number; body: string };

/** How the receiver answers, and after how long. */
export type DemoAnswer = { status: number; text: string; afterMs: number; retryAfterSeconds?: number };

/** Longer than `reports` waits, and far less than a person does. */
const TOO_SLOW_MS = 1_800;

/**
 * How each receiver answers. Chance is drawn from the delivery's id and the attempt, so the demo meets the same share
 * of faults each time, and a flaky receiver fails a first attempt and not the one behind it.
 */
export function answerOf(phase: DemoPhase, request: DemoRequest): DemoAnswer {
  const handle = DEMO_HANDLES.find((name) => request.path === `/${name}`);
  if (handle === undefined) return { status: 404, text: '{"error":"there is no such receiver"}', afterMs: 0 };
  return phase === 'outage' ? inOutage(handle, request) : sinceBack(handle, request);
}

function inOutage(handle: DemoHandle, request: DemoRequest): DemoAnswer {
  switch (handle) {
    case 'search':
      return failing(503, 'the index is being rebuilt');
    case 'chat':
      return chance(request) < 0.8 ? failing(500, 'no connection to the chat server') : accepted();
    case 'reports':
      return accepted(TOO_SLOW_MS);
    case 'builds':
      return busy();
    default:
      return accepted();
  }
}

function sinceBack(handle: DemoHandle, request: DemoRequest): DemoAnswer {
  const drawn = chance(request);
  const firstTry = request.attempt === 1;
  switch (handle) {
    case 'search':
      // Of all these payloads only GitHub's `gollum`, a changed wiki, has pages.
      if (hasPages(request.body)) return failing(422, 'wiki pages are not indexed here');
      return firstTry && drawn < 0.04 ? failing(503, 'the index is being rebuilt') : accepted(20 * drawn);
    case 'chat':
      return firstTry && drawn < 0.1 ? failing(500, 'no connection to the chat server') : accepted();
    case 'reports':
      return accepted(40 + 80 * drawn);
    case 'builds':
      return firstTry && drawn < 0.02 ? busy() : accepted();
    default:
      return accepted(10 * drawn);
  }
}

function accepted(afterMs = 0): DemoAnswer {
  return { status: 200, text: '{"ok":true}', afterMs };
}

function failing(status: number, error: string): DemoAnswer {
  return { status, text: JSON.stringify({ error }), afterMs: 0 };
}

function busy(): DemoAnswer {
  return { ...failing(429, 'too many builds at once'), retryAfterSeconds: 1 };
}

function hasPages(body: string): boolean {
  try {
    return Array.isArray((JSON.parse(body) as { pages?: unknown }).pages);
  } catch {
    return false;
  }
}

/** A number in [0, 1) that depends on nothing but the attempt (FNV-1a). */
function chance({ webhookId, attempt }: DemoRequest): number {
  let hash = 0x811c9dc5;
  for (const char of `${webhookId}/${attempt}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  // The last bits of FNV hardly differ between ids that do: mix them once more.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 12)) >>> 0) / 2 ** 32;
}
