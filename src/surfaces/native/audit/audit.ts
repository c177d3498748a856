import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Turns } from '../../../api/limits/turns.ts';
import { isProblem } from '../../../api/problems/problem.ts';
import type { StreamOutput } from '../../../api/reply.ts';
import { readCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import { AUDIT_ACTIONS, type AuditAction } from '../../../domain/audit/audit-action.ts';
import { type Id, readAnyId } from '../../../domain/tenancy/typed-id.ts';
import { ReportSigner } from '../../../proof/report-signer.ts';
import { signedEndOf } from '../../../proof/sign-checkpoint.ts';
import { listCheckpoints } from '../../../store/audit/checkpoints.ts';
import { type AuditFilter, type AuditPage, listAuditEntries } from '../../../store/audit/reading.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { actorField, actorsMeant } from '../actors.ts';
import { refuseReversedRanges } from '../deliveries/delivery-filter.ts';
import { timeField } from '../fields.ts';
import { listParameter, MAX_PAGE, pageFrom, pageOf, pageParameters } from '../page.ts';
import { AuditCheckpointView, AuditEntryView } from './audit-view.ts';

const NDJSON = 'application/x-ndjson';
const PATH = '/api/v1/audit';
/** The number of an entry in a cursor. */
const NUMBER_FORM = /^\d{1,15}$/;

const target = z
  .string()
  .max(100)
  .transform((text, context) => {
    const id = readAnyId(text);
    if (id !== undefined) return id;
    context.addIssue({
      code: 'custom',
      message: 'Expected an id, such as op_01k9z3e5hbe7r9qk2m4n6p8r0s, or its uuid.',
      params: { code: 'wrong_format' },
    });
    return z.NEVER;
  })
  .meta({ description: 'An id of any kind.', example: 'op_01k9z3e5hbe7r9qk2m4n6p8r0s' });

const query = z
  .strictObject({
    actor: listParameter(actorField, 'Who did it; anybody where left out.'),
    action: listParameter(
      z
        .enum(Object.keys(AUDIT_ACTIONS) as [AuditAction, ...AuditAction[]])
        .meta({ description: 'An action.', example: 'operation.accepted' }),
      'What was done; anything where left out.',
    ),
    target: listParameter(target, 'What it was done to; anything where left out.'),
    from: timeField('Done at this time or later.').optional(),
    to: timeField('Done before this time.').optional(),
    order: z.enum(['oldest', 'newest']).default('oldest').meta({
      description: 'Which entries come first. A chain is verified from the oldest on.',
      example: 'newest',
    }),
    ...pageParameters,
  })
  .superRefine(refuseReversedRanges);

/** Who did what: the acts of a tenant, chained, and the checkpoints of the chain; `inTurn` are the turns of exports. */
export function auditRoutes({ pool, sealer }: ApiDeps, inTurn: Turns): Route[] {
  const signer = new ReportSigner(sealer);
  const read = { tag: 'Audit', access: { of: 'tenant', scope: 'read:audit' } } as const;
  return [
    route({
      ...read,
      method: 'get',
      path: PATH,
      summary: 'List who did what, oldest first',
      description: `An act is listed when it has its place in the chain, within a second while a worker runs; what was read once is never preceded by another entry later, so that the last cursor, or a number, says how far one has read. With \`Accept: ${NDJSON}\` all of them are streamed, one JSON object a line, however many there are; \`limit\` does not apply then. A stream that ends early is cut off without its last chunk. Without a filter the lines are the whole chain, which can be verified offline.`,
      request: { query },
      responses: {
        200: {
          description: 'A page of entries, or all of them.',
          schema: pageOf(AuditEntryView),
          alternatives: { [NDJSON]: AuditEntryView },
        },
      },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor, order, ...asked }, header, tenant }) {
        const listed = ['audit', tenant.id, order, asked];
        const position = cursor === undefined ? undefined : readCursor(listed, cursor, [NUMBER_FORM]);
        if (position && isProblem(position)) return position;
        const filter = filterOf(asked);
        const from = { order, ...(position ? { after: Number(position[0]) } : {}) };
        if (header('accept')?.includes(NDJSON))
          return {
            status: 200,
            contentType: NDJSON,
            kind: 'export',
            stream: (output) => streamEntries(output, tenant.id, filter, from),
          };
        const rows = await listAuditEntries(pool, tenant.id, filter, { ...from, limit: limit + 1 });
        const positionOf = ({ number }: { number: number }) => [String(number)];
        return { status: 200, body: pageFrom(rows, limit, listed, positionOf, (entry) => entry) };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: `${PATH}/checkpoints`,
      summary: 'List the checkpoints of the audit, newest first',
      description:
        'A checkpoint is kept, signed, and written to the log, once an hour where there are new entries. One that was stored elsewhere shows whether the chain was written anew since then; `head` is the end of the chain now, signed when it is asked for.',
      request: { query: z.strictObject(pageParameters) },
      responses: {
        200: {
          description: 'A page of checkpoints, and the end of the chain.',
          schema: pageOf(AuditCheckpointView).extend({
            head: z.union([AuditCheckpointView, z.null()]).meta({
              description: 'The end of the chain now; null before the first entry.',
            }),
          }),
        },
      },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor }, tenant }) {
        const listed = ['audit-checkpoints', tenant.id];
        const position = cursor === undefined ? undefined : readCursor(listed, cursor, [NUMBER_FORM]);
        if (position && isProblem(position)) return position;
        const rows = await listCheckpoints(pool, tenant.id, {
          limit: limit + 1,
          ...(position ? { before: Number(position[0]) } : {}),
        });
        const page = pageFrom(
          rows,
          limit,
          listed,
          ({ number }) => [String(number)],
          (checkpoint) => checkpoint,
        );
        const head = await withTransaction(pool, (tx) => signedEndOf(tx, signer, tenant.id));
        return { status: 200, body: { ...page, head: head ?? null } };
      },
    }),
  ];

  /** One page is in memory at a time, and the next is read when the peer has taken it and its turn has come. */
  async function streamEntries(
    output: StreamOutput,
    tenantId: Id<'tenant'>,
    filter: AuditFilter,
    from: Omit<AuditPage, 'limit'>,
  ): Promise<void> {
    for (let page = { ...from, limit: MAX_PAGE }; ; ) {
      if (output.ended.aborted) return;
      const rows = await inTurn(() => listAuditEntries(pool, tenantId, filter, page));
      const lines = rows.map((entry) => `${JSON.stringify(entry)}\n`).join('');
      if (lines !== '' && !(await output.write(lines))) return;
      const last = rows.at(-1);
      if (last === undefined || rows.length < MAX_PAGE) return;
      page = { ...page, after: last.number };
    }
  }
}

function filterOf({
  actor,
  action,
  target: targets,
  from,
  to,
}: Omit<z.output<typeof query>, 'limit' | 'cursor' | 'order'>): AuditFilter {
  return {
    ...(actor ? { actors: actorsMeant(actor) } : {}),
    ...(action ? { actions: action } : {}),
    ...(targets ? { targets } : {}),
    ...(from === undefined ? {} : { from: { at: from, inclusive: true } }),
    ...(to === undefined ? {} : { to: { at: to, inclusive: false } }),
  };
}
