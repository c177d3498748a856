import { readFile } from 'node:fs/promises';
import {
  allOf,
  argument,
  type Command,
  choice,
  command,
  list,
  onOff,
  optional,
  value,
} from '../../command/command.ts';
import { LIMIT_FLAG, writeList } from '../../command/listing.ts';
import { queryString } from '../../command/query.ts';
import { usage } from '../../core/stop.ts';
import type { Column } from '../../core/table.ts';
import { counted, safe, whole } from '../../core/text.ts';
import { shownTime } from '../../core/times.ts';
import { mapOf } from '../../core/upload.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { type Import, type ImportLine, importCall } from './import-calls.ts';
import { upload, uploadOf } from './upload.ts';

const FORMATS = allOf<Import['from']>({
  ndjson: true,
  svix: true,
  hookdeck: true,
  convoy: true,
  sqs: true,
  stripe: true,
});
/** Refused lines that are said at the end. */
const SAID = 10;

const importing = command({
  path: ['import'],
  summary: 'Bring failures of another system along; nothing is sent by it',
  details: [
    'The lines of the file become deliveries that have failed, ready for a plan. Each endpoint of the other system is mapped to one here. Where the upload breaks it goes on by itself; later by --resume. Exits with 5 where lines were refused, and says which.',
  ],
  examples: [
    'redrive import attempts.ndjson --from svix --map ep_2fD8=warehouse --keep-ids',
    'redrive import attempts.ndjson --resume imp_…',
    'redrive retry run --batch imp_… --canary 25:10% --wait',
  ],
  args: { file: argument('the file, a JSON object a line; - is standard input') },
  flags: {
    from: choice(FORMATS, 'what the lines are'),
    map: list(
      '<theirs=ours>',
      'an endpoint as the lines name it (* where they name none), and the one here',
      {
        commas: false,
      },
    ),
    mapFile: value('<file>', 'the same for many: a JSON object'),
    keepIds: onOff('send the ids of the other system as webhook-id'),
    eventType: value('<type>', 'the type of events whose lines name none'),
    source: value('<source>', 'the source of events whose lines name none'),
    batch: value('<name>', 'your name for the batch; the id of the import where left out'),
    resume: value('<imp_…>', 'go on with an import that is open'),
  },
  covers: [
    'POST /api/v1/imports',
    'GET /api/v1/imports/{id}',
    'PUT /api/v1/imports/{id}/lines',
    'POST /api/v1/imports/{id}/close',
    'GET /api/v1/imports/{id}/lines',
  ],
  async run(context, { args, flags }) {
    const { speaker, out } = context;
    const file = await uploadOf(args.file);
    const body = flags.resume ? undefined : await askedFor(flags);
    const api = await context.api();
    const opened = flags.resume
      ? await importCall<Import>(api, 'GET', `/${encodeURIComponent(flags.resume)}`)
      : await importCall<Import>(api, 'POST', '', body);
    if (opened.nextLine > 1) speaker.say(`It goes on at line ${whole(opened.nextLine)}.`);
    context.comeBack = () => [
      '',
      `${opened.id} is open for a day. Go on by: redrive import ${args.file} --resume ${opened.id}`,
    ];
    const lines = await upload(context, api, file, opened);
    const closed = await importCall<Import>(api, 'POST', `/${opened.id}/close`, { lines });
    context.comeBack = undefined;
    await out.one(closed, importFacts(closed));
    if (closed.refused > 0) await sayRefused(context, api, closed);
    if (closed.accepted > 0)
      speaker.say(`Plan them by: redrive retry plan --batch ${closed.ingestionBatchId}`);
    return closed.refused > 0 ? 'failures' : 'done';
  },
});

interface Asked {
  from: Import['from'] | undefined;
  map: string[] | undefined;
  mapFile: string | undefined;
  keepIds: boolean | undefined;
  eventType: string | undefined;
  source: string | undefined;
  batch: string | undefined;
}

async function askedFor({ from, map, mapFile, keepIds, eventType, source, batch }: Asked) {
  if (!from) throw usage(`Say what the lines are: --from ${FORMATS.join(', ')}.`);
  const mapped = {
    ...(mapFile ? (JSON.parse(await readFile(mapFile, 'utf8')) as Record<string, string>) : {}),
    ...mapOf(map ?? [], (text) => usage(`Expected theirs=ours, such as ep_2fD8=warehouse, not "${text}".`)),
  };
  if (Object.keys(mapped).length === 0)
    throw usage('No endpoint is mapped, and an import makes none.', 'say --map theirs=ours for each of them');
  return {
    from,
    map: mapped,
    ...(keepIds ? { keepIds } : {}),
    ...(eventType ? { eventType } : {}),
    ...(source ? { source } : {}),
    ...(batch ? { ingestionBatchId: batch } : {}),
  };
}

function importFacts(shown: Import): (readonly [string, unknown])[] {
  return [
    ['import', shown.id],
    ['from', shown.from],
    ['state', shown.state],
    ['lines', whole(shown.lines)],
    ['= accepted', whole(shown.accepted)],
    ['+ duplicates', whole(shown.duplicates)],
    ['+ refused', whole(shown.refused)],
    ['+ blank', whole(shown.blank)],
    ['batch', shown.ingestionBatchId],
    ['opened', shownTime(shown.openedAt)],
    ['ended', shownTime(shown.endedAt)],
  ];
}

async function sayRefused({ speaker }: Context, api: Api, { id, refused }: Import): Promise<void> {
  const { items } = await importCall<{ items: ImportLine[] }>(
    api,
    'GET',
    `/${id}/lines?result=refused&limit=${SAID}`,
  );
  for (const { line, reason, member, theirs, why } of items)
    speaker.say(
      `line ${line}: ${reason}${member ? ` ${safe(member)}` : ''}${theirs ? ` ${safe(theirs)}` : ''}: ${why ?? ''}`,
    );
  if (refused > items.length) speaker.say(`… and ${counted(refused - items.length, 'more')}`);
  speaker.say(`All of them: redrive imports lines ${id} --result refused`);
}

const COLUMNS: Column<Import>[] = [
  { head: 'import', cell: ({ id }) => id },
  { head: 'from', cell: ({ from }) => from },
  { head: 'state', cell: ({ state }) => state },
  { head: 'lines', cell: ({ lines }) => whole(lines), right: true },
  { head: 'accepted', cell: ({ accepted }) => whole(accepted), right: true },
  { head: 'duplicates', cell: ({ duplicates }) => whole(duplicates), right: true },
  { head: 'refused', cell: ({ refused }) => whole(refused), right: true },
  { head: 'opened', cell: ({ openedAt }) => shownTime(openedAt) },
];

const listing = command({
  path: ['imports', 'list'],
  summary: 'List imports, newest first',
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/imports'],
  async run(context, { flags }) {
    const api = await context.api();
    await writeList(context, flags, (page) => importCall(api, 'GET', queryString({ ...page })), COLUMNS);
  },
});

const one = { import: argument('the import, imp_…') };

const get = command({
  path: ['imports', 'get'],
  summary: 'Show an import, with the line to go on with',
  args: one,
  covers: ['GET /api/v1/imports/{id}'],
  async run({ api, out }, { args }) {
    const shown = await importCall<Import>(await api(), 'GET', `/${encodeURIComponent(args.import)}`);
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
    const api = await context.api();
    const path = `/${encodeURIComponent(args.import)}/lines`;
    const query = flags.result ? { result: flags.result } : {};
    await writeList(
      context,
      flags,
      (page) =>
        importCall<{ items: ImportLine[]; nextCursor: string | null }>(
          api,
          'GET',
          `${path}${queryString({ ...query, ...page })}`,
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
    const body = args.lines === undefined ? {} : { lines: Number(args.lines) };
    const closed = await importCall<Import>(
      await api(),
      'POST',
      `/${encodeURIComponent(args.import)}/close`,
      body,
    );
    await out.one(closed, importFacts(closed));
  },
});

const abandon = command({
  path: ['imports', 'abandon'],
  summary: 'End an import that is open; what it took stays',
  args: one,
  covers: ['POST /api/v1/imports/{id}/abandon'],
  async run({ api, out }, { args }) {
    const ended = await importCall<Import>(
      await api(),
      'POST',
      `/${encodeURIComponent(args.import)}/abandon`,
    );
    await out.one(ended, importFacts(ended));
  },
});

export const IMPORT: readonly Command[] = [importing];
export const IMPORTS: readonly Command[] = [listing, get, lines, close, abandon];
