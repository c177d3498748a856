import { forward, type ListenedRequest, listen, type ReceiverAnswer } from '@redrive/client';
import { type Command, command, list, value } from '../command/command.ts';
import { parseDuration } from '../core/durations.ts';
import { mistakeOf } from '../core/mistake.ts';
import { usage } from '../core/stop.ts';
import { safe, safeJson } from '../core/text.ts';
import { clock } from '../core/times.ts';
import type { Context } from '../shell/context.ts';
import { textIn } from '../shell/files.ts';
import { openNamed } from '../shell/private-file.ts';

/** Of a body so much is shown. */
const SHOWN = 400;

const listening = command({
  path: ['listen'],
  summary: "Receive a tenant's new events on this machine, while one develops",
  details: [
    'Makes an endpoint that ends with this command. Each event is delivered to the address behind --forward by this machine, signed as always, and its answer is the answer. Nothing is tried again by itself, and nothing fails elsewhere. Ctrl-C ends it.',
    'The secret of its signatures is shown on a terminal, or written by --secret-file; with --secret-from-file it is one that a receiver knows already.',
  ],
  examples: ['redrive listen --forward http://localhost:3000/webhooks --type "invoice.*"'],
  flags: {
    forward: value('<address>', 'where requests are sent to, on this machine'),
    type: list('<type>', 'types of event: invoice.paid, invoice.*', { commas: false }),
    timeout: value('<duration>', 'time for an answer; 30s where left out', parseDuration),
    secretFile: value('<file>', 'where the secret is written (0600)'),
    secretFromFile: value('<file>', 'a file that holds the secret to sign with'),
  },
  covers: [
    'POST /api/v1/listeners',
    'GET /api/v1/listeners/{id}/stream',
    'POST /api/v1/listeners/{id}/answers',
  ],
  async run(context, { flags }) {
    const { speaker } = context;
    if (flags.forward === undefined) throw usage('Say where requests go: --forward http://localhost:3000.');
    const target = targetOf(flags.forward);
    const secret = flags.secretFromFile === undefined ? undefined : await secretIn(flags.secretFromFile);
    const file = flags.secretFile === undefined ? undefined : await openNamed(flags.secretFile);
    const api = await context.api();
    const ended = new AbortController();
    let failure: unknown;
    /** Until it was said what requests are signed with, none is forwarded: a receiver may read it from its file. */
    let told: Promise<void> | undefined;
    const tell = async (listener: { endpointId: string; secret: string }, isFirst: boolean) => {
      // From then on it is the same, however often the connection breaks.
      if (isFirst) await file?.write(`${listener.secret}\n`);
      speaker.say(`Listening as ${listener.endpointId}, forwarding to ${target}.`);
      if (isFirst && file === undefined && secret === undefined && speaker.screen.terminal)
        speaker.must(`Signed with ${listener.secret}`);
    };
    const requests = listen(api, {
      ...(flags.type ? { eventTypes: flags.type } : {}),
      ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
      ...(secret === undefined ? {} : { secret }),
      signal: ended.signal,
      onListening(listener) {
        told = tell(listener, told === undefined).catch((error: unknown) => {
          failure = error;
          ended.abort();
        });
      },
      onLost: ({ error, waitMs }) =>
        speaker.say(
          `${error === undefined ? 'The connection ended' : mistakeOf(error).what} Another listener in ${Math.ceil(waitMs / 1_000)} s; what is sent meanwhile does not come here.`,
        ),
    });
    try {
      // Several at a time, as an endpoint gets them: a receiver that waits holds up nobody else.
      for await (const request of requests) void told?.then(() => handle(context, request, target));
    } finally {
      if (told === undefined) await file?.discard();
    }
    if (failure) throw failure;
    speaker.say('The listener was ended.');
  },
});

async function handle(
  { out, speaker, now }: Context,
  request: ListenedRequest,
  target: string,
): Promise<void> {
  const { deliveryId, headers, body } = request;
  try {
    const began = performance.now();
    const answer = await forward(request, target);
    const ms = Math.round(performance.now() - began);
    const inTime = answer === undefined ? false : await request.answer(answer);
    const shown = shownAnswer(answer);
    if (out.form === 'table')
      await out.lines([
        `${clock(now())}Z  ${deliveryId}  ${headers['webhook-id'] === deliveryId ? '' : `${safe(headers['webhook-id'] ?? '')}  `}${body.length} bytes  →  ${shown.status}  ${ms} ms${inTime || answer === undefined ? '' : '  too late'}`,
        ...Object.entries(headers).map(([name, said]) => `  ${safe(name)}: ${safe(said)}`),
        `  ${safeJson(body.slice(0, SHOWN))}${body.length > SHOWN ? '…' : ''}`,
        `  ← ${safeJson(shown.body.slice(0, SHOWN))}`,
      ]);
    else await out.one({ deliveryId, headers, body, answer: shown, ms, inTime });
  } catch (error) {
    speaker.say(`${deliveryId}: ${mistakeOf(error).what}`);
  }
}

function shownAnswer(answer: ReceiverAnswer | undefined): { status: number | string; body: string } {
  if (answer === undefined) return { status: 'no answer', body: '' };
  if (answer === 'unreachable') return { status: 'unreachable', body: '' };
  const { status, body = '' } = answer;
  return { status, body: typeof body === 'string' ? body : new TextDecoder().decode(body) };
}

function targetOf(text: string): string {
  const url = urlIn(text);
  if (url && (url.username !== '' || url.password !== ''))
    throw usage('An address to forward to holds no user and no password: no request is sent to such a one.');
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href;
  throw usage(`Expected an address such as http://localhost:3000/webhooks, not "${text}".`);
}

function urlIn(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

async function secretIn(file: string): Promise<string> {
  const secret = (await textIn(file)).trim();
  if (secret === '') throw usage(`${file} is empty.`);
  return secret;
}

/** The command that receives on this machine. */
export const LISTEN: readonly Command[] = [listening];
