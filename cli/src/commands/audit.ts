import { answerOf, errorOf } from '@redrive/client';
import { argument, type Command, choice, command, list, rest, value } from '../command/command.ts';
import { LIMIT_FLAG, type PageQuery, wholeList, writeList } from '../command/listing.ts';
import { writeVerdict } from '../command/verdict.ts';
import { parseWhen, shownTime } from '../core/times.ts';

const at = (text: string) => parseWhen(text, new Date());

const AUDIT_FLAGS = {
  actor: list('<actor>', 'by these'),
  action: list('<action>', 'these acts'),
  target: list('<id>', 'to these'),
  since: value('<when>', 'since: a duration (6h) or a time with its zone', at),
  until: value('<when>', 'before', at),
};

const listing = command({
  path: ['audit', 'list'],
  summary: 'List who did what, newest first',
  flags: { ...AUDIT_FLAGS, order: choice(['newest', 'oldest'], 'which comes first'), ...LIMIT_FLAG },
  covers: ['GET /api/v1/audit'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    const { actor, action, target, since, until, order = 'newest' } = flags;
    const query = {
      order,
      ...(actor ? { actor } : {}),
      // The server knows its acts: those of a later version can be asked for, too.
      ...(action ? { action: action as never } : {}),
      ...(target ? { target } : {}),
      ...(since ? { from: since } : {}),
      ...(until ? { to: until } : {}),
    };
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/audit', { params: { query: { ...query, ...page } } })),
      [
        { head: 'number', cell: ({ number }) => number, right: true },
        { head: 'at', cell: (entry) => shownTime(entry.at) },
        { head: 'actor', cell: (entry) => entry.actor },
        { head: 'action', cell: (entry) => entry.action },
        { head: 'target', cell: (entry) => entry.target },
        { head: 'reason', cell: ({ words }) => words?.reason },
      ],
    );
  },
});

const exported = command({
  path: ['audit', 'export'],
  summary: 'Write the whole chain, oldest entry first, a line of JSON each: what `audit verify` reads',
  examples: [
    'redrive audit checkpoints -o json > checkpoints.json',
    'redrive audit export > audit.ndjson',
    'redrive audit verify audit.ndjson checkpoints.json --jwks jwks.json',
  ],
  covers: ['GET /api/v1/audit'],
  async run({ api, out }) {
    const { raw } = await api();
    const response = await raw('/api/v1/audit', { headers: { accept: 'application/x-ndjson' } });
    if (!response.ok || !response.body) throw errorOf(await response.json().catch(() => undefined), response);
    await out.jsonBytes(response.body);
  },
});

const checkpoints = command({
  path: ['audit', 'checkpoints'],
  summary: 'List the ends of the chain that were kept, and show its end as it is now',
  details: ['As JSON, for `audit verify`, all of them are written where no --limit is said.'],
  examples: ['redrive audit checkpoints -o json > checkpoints.json'],
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/audit/checkpoints'],
  async run(context, { flags }) {
    const { out } = context;
    const { calls } = await context.api();
    let head: unknown;
    const page = async (query: PageQuery) => {
      const answer = await answerOf(calls.GET('/api/v1/audit/checkpoints', { params: { query } }));
      head ??= answer.head;
      return answer;
    };
    const { limit = Number.POSITIVE_INFINITY } = flags;
    // In the form of one answer, which verifiers read.
    if (out.form === 'json') {
      const list = await wholeList(context, limit, page);
      return out.one({ ...list, head });
    }
    await writeList(context, out.form === 'ndjson' ? { limit } : flags, page, [
      { head: 'number', cell: ({ number }) => number, right: true },
      { head: 'at', cell: (each) => shownTime(each.at) },
      { head: 'hash', cell: ({ hash }) => hash },
      { head: 'signed', cell: ({ jws }) => (jws ? 'yes' : 'no') },
    ]);
  },
});

const verify = command({
  path: ['audit', 'verify'],
  summary: 'Verify an export of the audit offline: files only, nobody is asked',
  details: [
    'Files behind the export hold ends of the chain that were kept elsewhere: checkpoints, signed reports, events of operations, lines of the log. Fetch those before the export, which has their entries then: where one of them names a later entry, the export was cut off or made before. Exits with 11 where something is not as it was, and says what.',
  ],
  examples: ['redrive audit verify audit.ndjson checkpoints.json report.json --jwks jwks.json'],
  args: { file: argument('the export'), kept: rest('files with ends of the chain that were kept elsewhere') },
  flags: { jwks: value('<file>', 'the key set by which each of them has to be signed') },
  async run(context, { args, flags }) {
    const { verifyAuditFiles } = await import('../proof/verify.ts');
    return writeVerdict(context, await verifyAuditFiles(args.file, args.kept, flags.jwks));
  },
});

/** The commands about the audit. */
export const AUDIT: readonly Command[] = [listing, exported, checkpoints, verify];
