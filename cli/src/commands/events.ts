import { answerOf } from '@redrive/client';
import { argument, type Command, command, list, onOff, value } from '../command/command.ts';
import { confirmed } from '../command/confirm.ts';
import { LIMIT_FLAG, writeList } from '../command/listing.ts';
import { memberIn } from '../core/json-text.ts';
import { whole } from '../core/text.ts';
import { parseWhen, shownTime } from '../core/times.ts';
import { SEND } from './send-events.ts';

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
    const text = await answerOf(
      calls.GET('/api/v1/events/{id}', {
        params: { path: { id: args.event }, query: flags.payload ? { include: 'payload' } : {} },
        parseAs: 'text',
      }),
    );
    const shown = JSON.parse(text) as object;
    if (!flags.payload) return out.one(shown);
    // A payload is shown as it was sent: parsed and written again it has lost digits.
    if (out.form !== 'table') return out.json(text);
    await out.one(
      shown,
      Object.entries(shown).map(([name, value]) => [
        name,
        name === 'payload' ? memberIn(text, name)?.replace(/\s*[\r\n]\s*/g, ' ') : value,
      ]),
    );
  },
});

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

/** The commands about events. */
export const EVENTS: readonly Command[] = [listing, get, SEND, erase];
