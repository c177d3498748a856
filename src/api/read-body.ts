import type { IncomingMessage } from 'node:http';
import { MAX_JSON_DEPTH, tooDeepAt } from '../domain/json/json-depth.ts';
import { jsonFaultAt } from '../domain/json/json-fault.ts';
import { type Problem, problem } from './problem.ts';

/** The most bytes that a request may have. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** A body as text and as the value it stands for; undefined where the request has none. */
export interface JsonBody {
  text: string;
  value: unknown;
}

/** Reads a JSON body within the limits, or says why it is refused. Rejects only when the client goes away. */
export async function readJsonBody(req: IncomingMessage): Promise<JsonBody | undefined | Problem> {
  const length = req.headers['content-length'];
  if (req.headers['transfer-encoding'] === undefined && (length === undefined || length === '0'))
    return undefined;
  // Clients that stream send no body as chunks of none, and say no type then: what is not there needs none.
  const untyped = length === undefined && req.headers['content-type'] === undefined;
  const refused = refusedEncoding(req) ?? (untyped ? undefined : refusedType(req));
  if (refused) return refused;
  const bytes = await readBytes(req, Number(length ?? 0));
  if ('problem' in bytes) return bytes;
  if (bytes.length === 0) return undefined;
  return untyped ? problem('unsupported_media_type') : parseJson(bytes);
}

function refusedEncoding(req: IncomingMessage): Problem | undefined {
  const encoding = req.headers['content-encoding']?.trim().toLowerCase();
  return encoding === undefined || encoding === '' || encoding === 'identity'
    ? undefined
    : problem('unsupported_content_encoding', { headers: { 'accept-encoding': 'identity' } });
}

function refusedType(req: IncomingMessage): Problem | undefined {
  const [type, ...parameters] = (req.headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters
    .map((parameter) => parameter.trim())
    .find((parameter) => parameter.startsWith('charset='));
  const utf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  return type?.trim() === 'application/json' && utf8 ? undefined : problem('unsupported_media_type');
}

/**
 * What is too much is read on and forgotten, after the answer: a client that is still writing when its connection is
 * closed would see an error in the place of the answer. The server's limit on the time of a request ends that, too.
 */
function readBytes(req: IncomingMessage, announced: number): Promise<Buffer | Problem> {
  if (announced > MAX_BODY_BYTES) return Promise.resolve(problem('body_too_large'));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let total = 0;
    req.on('data', (chunk: Buffer) => {
      total += chunk.length;
      if (total <= MAX_BODY_BYTES) chunks.push(chunk);
      else {
        chunks.length = 0;
        resolve(problem('body_too_large'));
      }
    });
    req.once('end', () => resolve(Buffer.concat(chunks)));
    req.once('error', reject);
    req.once('aborted', () => reject(new Error('the client went away within its request')));
  });
}

function parseJson(bytes: Buffer): JsonBody | Problem {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return problem('malformed_json', { detail: 'The body is not valid UTF-8.' });
  }
  const deepAt = tooDeepAt(text, MAX_JSON_DEPTH);
  if (deepAt !== undefined)
    return problem('nested_too_deep', {
      detail: `The body nests deeper than ${MAX_JSON_DEPTH} levels ${placeOf(text, deepAt)}: send it flatter.`,
    });
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    const place = placeOf(text, jsonFaultAt(text) ?? text.length);
    return problem('malformed_json', { detail: `The body stops being JSON ${place}.` });
  }
}

/** The position in the terms of an editor; the text itself is never quoted. */
function placeOf(text: string, at: number): string {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  return `at character ${at} (line ${line}, column ${column})`;
}
