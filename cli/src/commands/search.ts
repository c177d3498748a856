import { answerOf } from '@redrive/client';
import { argument, type Command, command } from '../command/command.ts';

const search = command({
  path: ['search'],
  summary: 'Find anything by its id, key, handle or ticket',
  args: { text: argument('an id, a webhook-id, your id of an event, a key, a handle or a ticket: exactly') },
  covers: ['GET /api/v1/search'],
  async run({ api, out, speaker }, { args }) {
    const { calls } = await api();
    const { items } = await answerOf(calls.GET('/api/v1/search', { params: { query: { q: args.text } } }));
    await out.list(items, [
      { head: 'kind', cell: ({ kind }) => kind },
      { head: 'id', cell: ({ id }) => id },
      { head: 'state', cell: ({ state }) => state },
      { head: 'title', cell: ({ title }) => title },
      { head: 'by its', cell: ({ matched }) => matched },
    ]);
    if (items.length === 0) speaker.say('Nothing is called that.');
  },
});

/** The command that finds things by their names. */
export const SEARCH: readonly Command[] = [search];
