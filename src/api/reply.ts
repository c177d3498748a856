import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { endAnswer } from './end-answer.ts';

/** Where a streamed answer is written to. */
export interface StreamOutput {
  /** Waits until the peer has taken enough of it; false when it has gone, and the stream should end. */
  write(chunk: string): Promise<boolean>;
  /** Aborted when the peer has gone, its credential has ended, or the server is shutting down. */
  ended: AbortSignal;
}

/** The answer of a call that succeeds. */
export type Reply = {
  status: number;
  headers?: Record<string, string>;
  /** Says in the words of its surface that authentication failed, which counts against the caller's address. */
  unauthenticated?: boolean;
} & (
  | { body?: unknown }
  /** JSON that is text already, such as a stored answer. */
  | { json: string }
  /** Any other text. */
  | { text: string; contentType: string }
  | {
      contentType: string;
      stream(output: StreamOutput): Promise<void>;
      kind?: StreamKind;
      /** The place that it holds while it goes on, where its kind is counted. */
      place?: StreamPlace;
    }
);

/** A place that a stream has until it leaves. */
export interface StreamPlace {
  /** Aborted when its credential has ended. */
  ended: AbortSignal;
  leave(): void;
}

/** Streams that are counted: an `export` is whole or cut off, `events` go on until somebody ends them. */
export type StreamKind = 'export' | 'events';

/** Writes the answer; the promise is settled when it, or the stream, has ended. */
export async function sendReply(
  res: ServerResponse,
  reply: Reply,
  { head, shutdown }: { head: boolean; shutdown: AbortSignal },
): Promise<void> {
  if ('stream' in reply) {
    res.writeHead(reply.status, {
      'content-type': reply.contentType,
      'cache-control': 'no-store',
      ...reply.headers,
    });
    if (head) res.end();
    else await pump(res, reply, shutdown);
    return;
  }
  const { text, contentType } = contentOf(reply);
  res.writeHead(reply.status, {
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    // Without it an empty body would be sent in chunks; 204 has none at all (RFC 9110 section 8.6).
    ...(reply.status === 204 ? {} : { 'content-length': Buffer.byteLength(text) }),
    'cache-control': 'no-store',
    ...reply.headers,
  });
  endAnswer(res, text);
}

const JSON_TYPE = 'application/json; charset=utf-8';

function contentOf(reply: Exclude<Reply, { stream: unknown }>): { text: string; contentType?: string } {
  if ('text' in reply) return { text: reply.text, contentType: reply.contentType };
  if ('json' in reply) return { text: reply.json, contentType: JSON_TYPE };
  return reply.body === undefined
    ? { text: '' }
    : { text: JSON.stringify(reply.body), contentType: JSON_TYPE };
}

async function pump(
  res: ServerResponse,
  { stream, kind, place }: Extract<Reply, { stream: unknown }>,
  shutdown: AbortSignal,
): Promise<void> {
  const ends = place ? [shutdown, place.ended] : [shutdown];
  const gone = new AbortController();
  const leave = () => gone.abort();
  res.once('close', leave);
  for (const end of ends) end.addEventListener('abort', leave);
  if (ends.some((end) => end.aborted)) leave();
  res.flushHeaders();
  const output: StreamOutput = {
    ended: gone.signal,
    async write(chunk) {
      if (gone.signal.aborted || res.destroyed) return false;
      if (!res.write(chunk)) await once(res, 'drain', { signal: gone.signal }).catch(() => {});
      return !gone.signal.aborted;
    },
  };
  try {
    await stream(output);
    if (kind === 'export' && gone.signal.aborted) res.destroy();
    else res.end();
  } catch (error) {
    // The status has left already: a cut connection is the only way to say that the answer is not whole.
    res.destroy();
    throw error;
  } finally {
    for (const end of ends) end.removeEventListener('abort', leave);
    place?.leave();
  }
}
