import { answerOf } from '@redrive/client';
import { readInput } from '../command/body.ts';
import { command, value } from '../command/command.ts';
import { batchesOf, eventTexts } from '../core/event-batches.ts';
import { isJson } from '../core/json-text.ts';
import { parseCount } from '../core/pace.ts';
import { usage } from '../core/stop.ts';
import { counted, whole } from '../core/text.ts';
import type { Api } from '../shell/api.ts';
import type { Context } from '../shell/context.ts';

/** The longest standard input: it is held, as a file is. */
const MOST_BYTES = 256 * 1_024 * 1_024;

const FLAGS = {
  file: value('<file>', 'events; - is standard input'),
  skip: value('<n>', 'leave out the first so many events of the file: they were accepted before', parseCount),
  type: value('<type>', 'type of the event'),
  id: value('<id>', 'your id of it: a repeat is not delivered twice'),
  source: value('<source>', 'where it comes from'),
  key: value('<key>', 'its key: what belongs together, in order'),
  batch: value('<batch>', 'the batch that it belongs to'),
};

/** The command that sends events. */
export const SEND = command({
  path: ['events', 'send'],
  summary: 'Send an event, or many',
  details: [
    'A file holds an event, a list of them, or one a line (NDJSON). Without a file the flags say the event, and its payload is read from standard input. Payloads are delivered byte for byte as they are written there.',
    'Many are sent in several requests. Where one of them fails, those before it were accepted: it says how many, and --skip goes on behind them.',
  ],
  examples: [
    'redrive events send --file events.ndjson',
    'echo \'{"id": 7}\' | redrive events send --type invoice.paid --key account-42',
  ],
  flags: FLAGS,
  covers: ['POST /api/v1/events'],
  async run(context, { flags }) {
    const { out, speaker } = context;
    const { file, skip = 0 } = flags;
    if (file === undefined && skip > 0) throw usage('--skip is for the events of a --file.');
    const events = file === undefined ? [await said(context, flags)] : await eventsIn(context, file);
    const sending = new Sending(await context.api(), events, skip);
    const written = await out.list(sending.accepted(), [
      { head: 'event', cell: ({ eventId }) => eventId },
      { head: 'number', cell: ({ number }) => number, right: true },
      { head: 'deliveries', cell: ({ deliveries }) => deliveries, right: true },
      { head: 'suppressed', cell: ({ suppressed }) => suppressed, right: true },
      { head: 'duplicate of', cell: ({ duplicateOf }) => duplicateOf },
    ]);
    if (sending.broken === undefined) return void speaker.say(`${whole(written)} accepted.`);
    for (const line of sending.brokenWords(written, file)) speaker.must(line);
    throw sending.broken.error;
  },
});

/** Sends events request by request; what was accepted before one that failed is written in any case. */
class Sending {
  /** The request that failed. */
  broken: { error: unknown; first: number; last: number } | undefined;
  readonly #api: Api;
  readonly #events: readonly string[];
  readonly #skip: number;

  constructor(api: Api, events: readonly string[], skip: number) {
    this.#api = api;
    this.#events = events;
    this.#skip = skip;
  }

  async *accepted() {
    for (const { first, events } of batchesOf(this.#events, this.#skip)) {
      const body = `[${events.join(',')}]`;
      try {
        const accepted = await answerOf(
          this.#api.calls.POST('/api/v1/events', {
            body: [],
            // As it is written: parsed and written again, 1.0 is 1, and long numbers are others.
            bodySerializer: () => body,
          }),
        );
        yield* Array.isArray(accepted) ? accepted : [accepted];
      } catch (error) {
        this.broken = { error, first, last: first + events.length - 1 };
        return;
      }
    }
  }

  brokenWords(written: number, file: string | undefined): string[] {
    if (this.broken === undefined || this.#events.length === 1) return [];
    const { error, first, last } = this.broken;
    const { problem } = error as { problem?: { status: number } };
    const isRefused = problem !== undefined && problem.status < 500;
    return [
      `${counted(written, 'event')} accepted, not more: go on by: redrive events send --file ${file} --skip ${first - 1}`,
      ...(isRefused
        ? []
        : [
            `Nobody knows of the events ${whole(first)} to ${whole(last)}: sent again, those without an id may be doubled.`,
          ]),
    ];
  }
}

type Said = Record<'type' | 'id' | 'source' | 'key' | 'batch', string | undefined>;

async function said(context: Context, { type, id, source, key, batch }: Said): Promise<string> {
  if (type === undefined) throw usage('Say --type, or give events by --file.');
  const members = {
    type,
    ...(id ? { id } : {}),
    ...(source ? { source } : {}),
    ...(key ? { key } : {}),
    ...(batch ? { ingestionBatchId: batch } : {}),
  };
  const payload = (await readInput(context, '-')).replace(/^\uFEFF/, '').trim();
  if (!isJson(payload)) throw usage('Standard input is no JSON: nothing was sent.');
  return `${JSON.stringify(members).slice(0, -1)},"payload":${payload}}`;
}

async function eventsIn(context: Context, file: string): Promise<string[]> {
  const text = await readInput(context, file, MOST_BYTES);
  return eventTexts(text, (line) => usage(`Line ${line} of ${file} is no JSON: nothing was sent.`));
}
