import { forward, type ListenedRequest, listen, type ReceiverAnswer } from '@redrive/client';
import { type Command, command, list, value } from '../command/command.ts';
import { parseDuration } from '../core/durations.ts';
import { mistakeOf } from '../core/mistake.ts';
import { usage } from '../core/stop.ts';
import { safe, safeJson } from '../core/text.ts';
import { clock } from '../core/times.ts';
import type { Context } from '../shell/context.ts';
import { writePrivately } from '../shell/profiles.ts';

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
    const { speaker, outIsTerminal } = context;
    if (flags.forward === undefined) throw usage('Say where requests go: --forward http://localhost:3000.');
    const target = targetOf(flags.forward);
    const secret = flags.secretFromFile ? await secretIn(flags.secretFromFile) : undefined;
    const api = await context.api();
    const requests = listen(api, {
      ...(flags.type ? { eventTypes: flags.type } : {}),
      ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
      ...(secret === undefined ? {} : { secret }),
      onListening(listener) {
        speaker.say(`Listening as ${listener.endpointId}, forwarding to ${target}.`);
        if (flags.secretFile) void writePrivately(flags.secretFile, `${listener.secret}\n`);
        else if (outIsTerminal && secret === undefined) speaker.say(`Signed with ${listener.secret}`);
      },
      onLost: ({ error, waitMs }) =>
        speaker.say(
          `${error === undefined ? 'The connection ended' : mistakeOf(error).what} Another listener in ${Math.ceil(waitMs / 1_000)} s; what is sent meanwhile does not come here.`,
        ),
    });
    // Several at a time, as an endpoint gets them: a receiver that waits holds up nobody else.
    for await (const request of requests) void handle(context, request, target);
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
  try {
    const url = new URL(text);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url.href;
  } catch {
    // Said below.
  }
  throw usage(`Expected an address such as http://localhost:3000/webhooks, not "${text}".`);
}

async function secretIn(file: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return (await readFile(file, 'utf8')).trim();
}

export const LISTEN: readonly Command[] = [listening];
