import type { IncomingMessage } from 'node:http';
import { MAX_JSON_DEPTH, tooDeepAt } from '../../domain/json/json-depth.ts';
import { jsonFaultAt } from '../../domain/json/json-fault.ts';
import { MAX_JSON_MEMBERS } from '../../domain/json/json-members.ts';
import { type Problem, problem } from '../problems/problem.ts';
import { type BodyLimits, BodyMeter } from './body-meter.ts';

/** Limits of the body of a call with a credential; a route can say otherwise. */
export const BODY_LIMITS: BodyLimits = { bytes: 8 * 1024 * 1024, members: MAX_JSON_MEMBERS };

/** Limits of the body of a call that anyone can make: it is read before anything is known of its sender. */
export const OPEN_BODY_LIMITS: BodyLimits = { bytes: 1024 * 1024, members: MAX_JSON_MEMBERS };

/** A body as text and as the value it stands for; undefined where the request has none. */
export interface JsonBody {
  text: string;
  value: unknown;
}

/** Reads a JSON body within the limits, or says why it is refused. Rejects only when the client goes away. */
export async function readJsonBody(
  req: IncomingMessage,
  limits: BodyLimits = BODY_LIMITS,
): Promise<JsonBody | undefined | Problem> {
  const length = req.headers['content-length'];
  if (req.headers['transfer-encoding'] === undefined && (length === undefined || length === '0'))
    return undefined;
  // Clients that stream send an absent body as zero chunks, and without a type: an absent body needs none.
  const untyped = length === undefined && req.headers['content-type'] === undefined;
  const refused = refusedEncoding(req) ?? (untyped ? undefined : refusedType(req));
  if (refused) return refused;
  const bytes = await readBytes(req, Number(length ?? 0), limits);
  if ('problem' in bytes) return bytes;
  if (bytes.length === 0) return undefined;
  return untyped ? problem('unsupported_media_type') : parseJson(bytes);
}

/** How long an upload may stand still before it is given up; what came before is taken. */
const STANDS_STILL_MS = 60_000;

/** The body of an upload, chunk by chunk, or why it is refused; it rejects when the client goes away, or stands still. */
export function readUpload(
  req: IncomingMessage,
  types: readonly string[],
  standsStillMs = STANDS_STILL_MS,
): AsyncIterable<Buffer> | Problem {
  const [type] = (req.headers['content-type'] ?? '').toLowerCase().split(';');
  const refused = refusedEncoding(req);
  if (refused) return refused;
  if (type?.trim() && !types.includes(type.trim()))
    return problem('unsupported_media_type', {
      detail: `Send \`Content-Type: ${types[0]}\`, in UTF-8, or leave it out.`,
    });
  req.setTimeout(standsStillMs, () => req.destroy(new Error('an upload stood still')));
  req.once('end', () => req.setTimeout(0));
  // Whoever stops in the middle of it answers: a request that was destroyed cannot be read to its end.
  return req.iterator({ destroyOnReturn: false });
}

/** The same chunks, as long as the signal is not aborted: the one behind that throws. */
export async function* chunksUntil(
  ended: AbortSignal,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    ended.throwIfAborted();
    yield chunk;
  }
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

/** The rest of a body that is too large is read and forgotten behind the answer: see `endAnswer`. */
function readBytes(req: IncomingMessage, announced: number, limits: BodyLimits): Promise<Buffer | Problem> {
  if (announced > limits.bytes) return Promise.resolve(tooLarge(limits));
  return new Promise((resolve, reject) => {
    const meter = new BodyMeter(limits);
    let chunks: Buffer[] = [];
    let refused = false;
    req.on('data', (chunk: Buffer) => {
      if (refused) return;
      chunks.push(chunk);
      const excess = meter.add(chunk);
      if (excess === undefined) return;
      refused = true;
      if (excess === 'bytes') resolve(tooLarge(limits));
      else if (excess === 'members') resolve(tooManyMembers(limits));
      else resolve(tooDeep(Buffer.concat(chunks).toString('utf8')));
      chunks = [];
    });
    req.once('end', () => resolve(Buffer.concat(chunks)));
    req.once('error', reject);
    req.once('aborted', () => reject(new Error('the client went away within its request')));
  });
}

function tooLarge({ bytes }: BodyLimits): Problem {
  if (bytes === BODY_LIMITS.bytes) return problem('body_too_large');
  return problem('body_too_large', {
    detail: `This call takes at most ${bytes / 1_048_576} MiB: send it in parts.`,
  });
}

function tooManyMembers({ members }: BodyLimits): Problem {
  return problem('too_many_members', {
    detail: `The body of this call may hold ${members} members and entries in all: send it in parts.`,
  });
}

function tooDeep(text: string): Problem {
  const place = placeOf(text, tooDeepAt(text, MAX_JSON_DEPTH) ?? text.length);
  return problem('nested_too_deep', {
    detail: `The body nests deeper than ${MAX_JSON_DEPTH} levels ${place}: send it flatter.`,
  });
}

function parseJson(bytes: Buffer): JsonBody | Problem {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return problem('malformed_json', { detail: 'The body is not valid UTF-8.' });
  }
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    const place = placeOf(text, jsonFaultAt(text) ?? text.length);
    return problem('malformed_json', { detail: `The body stops being JSON ${place}.` });
  }
}

/** The position in the terms of an editor; the text itself is never quoted. */
function placeOf(text: string, at: number): string {
  let line = 1;
  for (let end = text.indexOf('\n'); end !== -1 && end < at; end = text.indexOf('\n', end + 1)) line += 1;
  const column = at - text.lastIndexOf('\n', at - 1);
  return `at character ${at} (line ${line}, column ${column})`;
}
