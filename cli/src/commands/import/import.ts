import { answerOf, type components } from '@redrive/client';
import { allOf, argument, type Command, choice, command, list, onOff, value } from '../../command/command.ts';
import { parseDuration } from '../../core/durations.ts';
import { usage } from '../../core/stop.ts';
import { counted, whole } from '../../core/text.ts';
import { mapOf } from '../../core/upload.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { jsonIn } from '../../shell/files.ts';
import { type Import, importFacts } from './import-view.ts';
import { openSource } from './source.ts';
import { takesNone, Upload } from './upload.ts';

type NewImport = components['schemas']['NewImport'];

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
    'The lines of the file become deliveries that have failed, ready for a plan. Each endpoint of the other system is mapped to one here. Where the upload breaks it goes on by itself, over a restart of the server, too; later by --resume. Exits with 5 where lines were refused, and says which.',
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
    resume: value('<imp_…>', 'go on with an import that is open; of one that is closed its report is shown'),
    patience: value(
      '<duration>',
      'how long to try to reach a server that is away; 5m where left out',
      parseDuration,
    ),
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
    const source = await openSource(context, args.file);
    const body = flags.resume === undefined ? await askedFor(flags) : undefined;
    const api = await context.api();
    const opened = await openedBy(api, body, flags.resume);
    const { id, state } = opened;
    if (state !== 'open' && state !== 'closed') throw takesNone(id, state);
    const again = `${id} is open for a day. Go on by: redrive import ${source.name} --resume ${id}`;
    speaker.say(
      state === 'closed'
        ? `${id} was closed before: nothing is sent.`
        : flags.resume
          ? `It goes on at line ${whole(opened.nextLine)}.`
          : `Opened ${id}.`,
    );
    context.comeBack = () => ['', again];
    const closed =
      state === 'closed'
        ? opened
        : await new Upload(context, api, source, opened, flags.patience).run().catch((error: unknown) => {
            if (!hasEnded(error)) speaker.must(again);
            throw error;
          });
    context.comeBack = undefined;
    await source.close();
    await out.one(closed, importFacts(closed));
    if (closed.refused > 0) await sayRefused(context, api, closed);
    if (closed.accepted > 0)
      speaker.say(`Plan them by: redrive retry plan --batch ${closed.ingestionBatchId}`);
    return closed.refused > 0 ? 'failures' : 'done';
  },
});

function openedBy({ calls }: Api, body: NewImport | undefined, resumed: string | undefined): Promise<Import> {
  return body === undefined
    ? answerOf(calls.GET('/api/v1/imports/{id}', { params: { path: { id: resumed ?? '' } } }))
    : answerOf(calls.POST('/api/v1/imports', { body }));
}

/** Whether nothing can be gone on with: the import has ended meanwhile. */
function hasEnded(error: unknown): boolean {
  const { next, code } = error as { next?: string; code?: string };
  return next !== undefined || code === 'state_conflict';
}

interface Asked {
  from: Import['from'] | undefined;
  map: string[] | undefined;
  mapFile: string | undefined;
  keepIds: boolean | undefined;
  eventType: string | undefined;
  source: string | undefined;
  batch: string | undefined;
}

async function askedFor({
  from,
  map,
  mapFile,
  keepIds,
  eventType,
  source,
  batch,
}: Asked): Promise<NewImport> {
  if (!from) throw usage(`Say what the lines are: --from ${FORMATS.join(', ')}.`);
  const mapped = {
    ...(mapFile ? await mapIn(mapFile) : {}),
    ...mapOf(map ?? [], (text) => usage(`Expected theirs=ours, such as ep_2fD8=warehouse, not "${text}".`)),
  };
  if (Object.keys(mapped).length === 0)
    throw usage('No endpoint is mapped, and an import makes none.', 'say --map theirs=ours for each of them');
  return {
    from,
    map: mapped,
    keepIds: keepIds === true,
    ...(eventType ? { eventType } : {}),
    ...(source ? { source } : {}),
    ...(batch ? { ingestionBatchId: batch } : {}),
  };
}

async function mapIn(file: string): Promise<Record<string, string>> {
  const map = await jsonIn(file);
  const isMap =
    typeof map === 'object' &&
    map !== null &&
    !Array.isArray(map) &&
    Object.values(map).every((ours) => typeof ours === 'string');
  if (!isMap) throw usage(`${file} is no JSON object of names: {"ep_2fD8": "warehouse"}.`);
  return map as Record<string, string>;
}

async function sayRefused({ speaker }: Context, { calls }: Api, { id, refused }: Import): Promise<void> {
  const { items } = await answerOf(
    calls.GET('/api/v1/imports/{id}/lines', {
      params: { path: { id }, query: { result: ['refused'], limit: SAID } },
    }),
  );
  for (const { line, reason, member, theirs, why } of items)
    speaker.say(
      `line ${line}: ${reason}${member ? ` ${member}` : ''}${theirs ? ` ${theirs}` : ''}: ${why ?? ''}`,
    );
  if (refused > items.length) speaker.say(`… and ${counted(refused - items.length, 'more')}`);
  speaker.say(`All of them: redrive imports lines ${id} --result refused`);
}

/** The command that imports a file. */
export const IMPORT: readonly Command[] = [importing];
