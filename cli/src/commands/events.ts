import { answerOf } from '@redrive/client';
import { readBody } from '../command/body.ts';
import { argument, type Command, command, list, onOff, value } from '../command/command.ts';
import { confirmed } from '../command/confirm.ts';
import { LIMIT_FLAG, writeList } from '../command/listing.ts';
import { usage } from '../core/stop.ts';
import { whole } from '../core/text.ts';
import { parseWhen, shownTime } from '../core/times.ts';

const at = (text: string) => parseWhen(text, new Date());
const event = { event: argument('the event, evt_…, or your id of it') };

const listing = command({
  path: ['events', 'list'],
  summary: 'List events, newest first',
  flags: {
    type: list('<type>', 'of these types, exactly', { commas: false }),
    source: list('<source>', 'from these sources', { commas: false }),
    batch: list('<batch>', 'of these batches', { commas: false }),
    key: value('<key>', 'of this key'),
    since: value('<when>', 'accepted since: a duration (6h) or a time with its zone', at),
    until: value('<when>', 'accepted before', at),
    ...LIMIT_FLAG,
  },
  covers: ['GET /api/v1/events'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    const { type, source, batch, key, since, until } = flags;
    const query = {
      ...(type ? { eventTypes: type } : {}),
      ...(source ? { sources: source } : {}),
      ...(batch ? { ingestionBatchIds: batch } : {}),
      ...(key ? { key } : {}),
      ...(since ? { from: since } : {}),
      ...(until ? { to: until } : {}),
    };
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/events', { params: { query: { ...query, ...page } } })),
      [
        { head: 'event', cell: ({ id }) => id },
        { head: 'number', cell: ({ number }) => number, right: true },
        { head: 'type', cell: (row) => row.type },
        { head: 'key', cell: (row) => row.key },
        { head: 'your id', cell: ({ externalId }) => externalId },
        { head: 'accepted', cell: ({ acceptedAt }) => shownTime(acceptedAt) },
        { head: 'bytes', cell: ({ payloadBytes }) => whole(payloadBytes), right: true },
        { head: 'deliveries', cell: ({ deliveries }) => states(deliveries) },
      ],
    );
  },
});

function states(deliveries: Record<string, number>): string {
  return Object.entries(deliveries)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${whole(count)} ${state}`)
    .join(', ');
}

const get = command({
  path: ['events', 'get'],
  summary: 'Show an event with its deliveries',
  args: event,
  flags: { payload: onOff('with its payload: that is entered in the audit') },
  covers: ['GET /api/v1/events/{id}'],
  async run({ api, out }, { args, flags }) {
    const { calls } = await api();
    await out.one(
      await answerOf(
        calls.GET('/api/v1/events/{id}', {
          params: { path: { id: args.event }, query: flags.payload ? { include: 'payload' } : {} },
        }),
      ),
    );
  },
});

const send = command({
  path: ['events', 'send'],
  summary: 'Send an event, or many',
  details: [
    'A file holds an event, a list of them, or one a line (NDJSON). Without a file the flags say the event, and its payload is read from standard input.',
  ],
  examples: [
    'redrive events send --file events.ndjson',
    'echo \'{"id": 7}\' | redrive events send --type invoice.paid --key account-42',
  ],
  flags: {
    file: value('<file>', 'events; - is standard input'),
    type: value('<type>', 'type of the event'),
    id: value('<id>', 'your id of it: a repeat is not delivered twice'),
    source: value('<source>', 'where it comes from'),
    key: value('<key>', 'its key: what belongs together, in order'),
    batch: value('<batch>', 'the batch that it belongs to'),
  },
  covers: ['POST /api/v1/events'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    const events = flags.file ? await eventsIn(context, flags.file) : [await said(context, flags)];
    const written = await context.out.list(sent(calls, events), [
      { head: 'event', cell: ({ eventId }) => eventId },
      { head: 'number', cell: ({ number }) => number, right: true },
      { head: 'deliveries', cell: ({ deliveries }) => deliveries, right: true },
      { head: 'suppressed', cell: ({ suppressed }) => suppressed, right: true },
      { head: 'duplicate of', cell: ({ duplicateOf }) => duplicateOf },
    ]);
    context.speaker.say(`${whole(written)} accepted.`);
  },
});

type Calls = Awaited<ReturnType<Parameters<typeof send.run>[0]['api']>>['calls'];
type NewEvent = { type: string; payload: unknown };

/** Events of one request: more of them would be a body that is too long. */
const AT_ONCE = 100;

async function* sent(calls: Calls, events: readonly NewEvent[]) {
  for (let from = 0; from < events.length; from += AT_ONCE) {
    const body = events.slice(from, from + AT_ONCE);
    const accepted = await answerOf(calls.POST('/api/v1/events', { body: body as never }));
    yield* Array.isArray(accepted) ? accepted : [accepted];
  }
}

async function said(
  context: Parameters<typeof readBody>[0],
  { type, id, source, key, batch }: Record<'type' | 'id' | 'source' | 'key' | 'batch', string | undefined>,
): Promise<NewEvent> {
  if (type === undefined) throw usage('Say --type, or give events by --file.');
  return {
    type,
    ...(id ? { id } : {}),
    ...(source ? { source } : {}),
    ...(key ? { key } : {}),
    ...(batch ? { ingestionBatchId: batch } : {}),
    payload: await readBody(context, '-'),
  };
}

async function eventsIn(context: Parameters<typeof readBody>[0], file: string): Promise<NewEvent[]> {
  const { readInput } = await import('../command/body.ts');
  const text = (await readInput(context, file)).replace(/^\uFEFF/, '');
  try {
    const whole = JSON.parse(text) as NewEvent | NewEvent[];
    return Array.isArray(whole) ? whole : [whole];
  } catch {
    // One a line, then.
  }
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      return [JSON.parse(line) as NewEvent];
    } catch {
      throw usage(`Line ${index + 1} of ${file} is no JSON: nothing was sent.`);
    }
  });
}

const erase = command({
  path: ['events', 'erase'],
  summary: 'Erase the payload of an event for ever',
  args: event,
  flags: { yes: onOff('do not ask') },
  covers: ['DELETE /api/v1/events/{id}/payload'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const question = `Erase the payload of ${args.event}? It cannot be delivered again.`;
    await confirmed(context, flags.yes, question, { says: 'Not confirmed: nothing was erased.' });
    await answerOf(calls.DELETE('/api/v1/events/{id}/payload', { params: { path: { id: args.event } } }));
    context.speaker.say('Erased.');
  },
});

export const EVENTS: readonly Command[] = [listing, get, send, erase];
