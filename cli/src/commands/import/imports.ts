import { answerOf } from '@redrive/client';
import { argument, type Command, command, list, optional } from '../../command/command.ts';
import { LIMIT_FLAG, writeList } from '../../command/listing.ts';
import { usage } from '../../core/stop.ts';
import { whole } from '../../core/text.ts';
import { IMPORT_COLUMNS, importFacts } from './import-view.ts';

const one = { import: argument('the import, imp_…') };
const path = (id: string) => ({ params: { path: { id } } });

const listing = command({
  path: ['imports', 'list'],
  summary: 'List imports, newest first',
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/imports'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/imports', { params: { query: page } })),
      IMPORT_COLUMNS,
    );
  },
});

const get = command({
  path: ['imports', 'get'],
  summary: 'Show an import, with the line to go on with',
  args: one,
  covers: ['GET /api/v1/imports/{id}'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    const shown = await answerOf(calls.GET('/api/v1/imports/{id}', path(args.import)));
    await out.one(shown, [...importFacts(shown), ['next line', whole(shown.nextLine)]]);
  },
});

const lines = command({
  path: ['imports', 'lines'],
  summary: 'Report on the lines of an import',
  args: one,
  flags: {
    result: list('<fate>', 'lines of this fate', { choices: ['accepted', 'duplicate', 'refused'] as const }),
    ...LIMIT_FLAG,
  },
  covers: ['GET /api/v1/imports/{id}/lines'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const query = flags.result ? { result: flags.result } : {};
    await writeList(
      context,
      flags,
      (page) =>
        answerOf(
          calls.GET('/api/v1/imports/{id}/lines', {
            params: { path: { id: args.import }, query: { ...query, ...page } },
          }),
        ),
      [
        { head: 'line', cell: ({ line }) => line, right: true },
        { head: 'fate', cell: ({ result }) => result },
        { head: 'reason', cell: ({ reason }) => reason },
        { head: 'member', cell: ({ member, theirs }) => member ?? theirs },
        { head: 'delivery', cell: ({ deliveryId }) => deliveryId },
        { head: 'why', cell: ({ why }) => why },
      ],
    );
  },
});

const close = command({
  path: ['imports', 'close'],
  summary: 'Close an import whose lines have all been sent',
  args: { ...one, lines: optional('how many the file has: it is closed only where as many were taken') },
  covers: ['POST /api/v1/imports/{id}/close'],
  async run({ api, out }, { args }) {
    const body = args.lines === undefined ? {} : { lines: linesOf(args.lines) };
    const { calls } = await api();
    const closed = await answerOf(calls.POST('/api/v1/imports/{id}/close', { ...path(args.import), body }));
    await out.one(closed, importFacts(closed));
  },
});

function linesOf(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw usage(`Expected how many lines the file has, not "${text}".`);
  return Number(text);
}

const abandon = command({
  path: ['imports', 'abandon'],
  summary: 'End an import that is open; what it took stays',
  args: one,
  covers: ['POST /api/v1/imports/{id}/abandon'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    const ended = await answerOf(calls.POST('/api/v1/imports/{id}/abandon', path(args.import)));
    await out.one(ended, importFacts(ended));
  },
});

/** The commands about imports. */
export const IMPORTS: readonly Command[] = [listing, get, lines, close, abandon];
