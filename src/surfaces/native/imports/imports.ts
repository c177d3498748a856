import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { createTurns, type Turns, turnsOf } from '../../../api/limits/turns.ts';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import type { StreamOutput } from '../../../api/reply.ts';
import { type Form, readCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import { MAX_DAY_BYTES, MAX_IMPORT_BYTES } from '../../../domain/imports/import-limits.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import { closeImport, type EndedImport, openImport } from '../../../ingest/imports/open-import.ts';
import { type TakingRefusal, takeLines } from '../../../ingest/imports/take-lines.ts';
import { LINE_RESULTS, type LineResult, listImportLines } from '../../../store/imports/import-lines.ts';
import { findImport, listImports } from '../../../store/imports/imports.ts';
import { idParams } from '../fields.ts';
import {
  countParameter,
  idCursor,
  listParameter,
  MAX_PAGE,
  pageFrom,
  pageOf,
  pageParameters,
} from '../page.ts';
import { askedImport, NewImport } from './import-request.ts';
import { ImportLineView, ImportView, importLineView, importView } from './import-view.ts';

const PATH = '/api/v1/imports';
const NDJSON = 'application/x-ndjson';
const NDJSON_TYPES = [NDJSON, 'application/jsonl', 'application/json-lines'];
const LINE_FORM: Form<string> = /^\d{1,15}$/;

/** Batches that are written at a time, of all imports of a process: others want connections and the loop, too. */
const BATCHES_AT_ONCE = 2;

const params = idParams('import', 'Id of the import.');

/** Imports: failures of another system, taken line by line; `inTurn` are the turns of exports. */
export function importRoutes(deps: ApiDeps, inTurn: Turns): Route[] {
  const { pool } = deps;
  // Batches of one tenant lock the same rows: those that would wait for them wait outside.
  const inTurnOf = turnsOf(createTurns(BATCHES_AT_ONCE));
  const taking = { pool, stop: deps.shutdown };
  const own = { tag: 'Imports', access: { of: 'tenant', scope: 'write:imports' } } as const;
  return [
    route({
      ...own,
      method: 'post',
      path: PATH,
      summary: 'Open an import of failures from another system',
      description:
        'Says what the lines are and which endpoints of this tenant they are for. A tenant has one open import at a time. Nothing is sent by an import: it ends in deliveries that have failed, ready for a plan (`{"select": {"filter": {"ingestionBatchIds": ["imp_…"]}}}`).',
      request: { body: NewImport },
      responses: { 201: { description: 'The import, which takes lines.', schema: ImportView } },
      problems: ['unknown_ids', 'import_open', 'quota_exceeded'],
      async handler({ body, tenant, caller }) {
        const asked = await askedImport(pool, tenant.id, body);
        if (isProblem(asked)) return asked;
        const opened = await openImport(pool, tenant.id, asked, caller);
        if (opened.ok) return { status: 201, body: importView(opened.import) };
        return opened.code === 'other_open'
          ? problem('import_open', {
              detail: `${showId('import', opened.id)} is open: go on with it (PUT ${PATH}/${showId('import', opened.id)}/lines), close it, or abandon it.`,
            })
          : problem('quota_exceeded', {
              detail: `The imports of a tenant take ${MAX_DAY_BYTES / 1024 ** 3} GiB within a day: open the next one later.`,
            });
      },
    }),
    route({
      ...own,
      method: 'get',
      path: PATH,
      summary: 'List imports, newest first',
      request: { query: z.strictObject(pageParameters) },
      responses: { 200: { description: 'A page of imports.', schema: pageOf(ImportView) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor }, tenant }) {
        const listed = ['imports', tenant.id];
        const position = idCursor('import', listed, cursor);
        if (isProblem(position)) return position;
        const rows = await listImports(pool, tenant.id, { before: position.id, limit: limit + 1 });
        return { status: 200, body: pageFrom(rows, limit, listed, ({ id }) => [id], importView) };
      },
    }),
    route({
      ...own,
      method: 'get',
      path: `${PATH}/{id}`,
      summary: 'Show an import, with the line to go on with',
      request: { params },
      responses: { 200: { description: 'The import.', schema: ImportView } },
      handler: ({ params: { id }, tenant }) => shown(tenant.id, id),
    }),
    route({
      ...own,
      method: 'put',
      path: `${PATH}/{id}/lines`,
      summary: 'Send lines of the file',
      description: `The body is the file, one JSON object a line, or its part from line \`from\` on. It is taken while it arrives, in batches: where the connection breaks off, send the file again, from \`nextLine\` or from line 1; lines that were taken are passed over. A line has at most 4 MiB and its payload 1 MiB, an import ${MAX_IMPORT_BYTES / 1024 ** 3} GiB.`,
      request: {
        params,
        query: z.strictObject({
          from: countParameter(
            1,
            999_999_999,
            1,
            'The number of the first line of the body, counted from 1.',
          ),
        }),
      },
      upload: { types: NDJSON_TYPES, description: 'Lines of the format of the import, in UTF-8.' },
      responses: { 200: { description: 'The import, with what was taken.', schema: ImportView } },
      problems: ['state_conflict', 'lines_missing'],
      async handler({ params: { id }, query: { from }, tenant, caller, chunks }) {
        if (!chunks) throw new Error('an upload came without its body');
        const found = await findImport(pool, tenant.id, id);
        if (!found) return problem('not_found');
        if (found.state !== 'open') return ended(found.state);
        const by = caller;
        const refusal = await takeLines({ ...taking, inTurn: inTurnOf(tenant.id) }, tenant.id, found, {
          from,
          chunks,
          by,
          now: Date.now,
        });
        return refusal ? refused(refusal, tenant.id, id) : shown(tenant.id, id);
      },
    }),
    route({
      ...own,
      method: 'get',
      path: `${PATH}/{id}/lines`,
      summary: 'Report on the lines of an import, in their order',
      description: `With \`Accept: ${NDJSON}\` all of them are streamed, one JSON object a line, however many there are; \`limit\` does not apply then. Blank lines are counted only. The report is kept for 30 days after the end of the import. A stream that ends early is cut off without its last chunk.`,
      request: {
        params,
        query: z.strictObject({
          result: listParameter(
            z.enum(LINE_RESULTS).meta({ description: 'A fate of lines.', example: 'refused' }),
            'Fates; all where left out.',
          ),
          ...pageParameters,
        }),
      },
      responses: {
        200: {
          description: 'A page of lines, or all of them.',
          schema: pageOf(ImportLineView),
          alternatives: { [NDJSON]: ImportLineView },
        },
      },
      problems: ['invalid_cursor'],
      async handler({ params: { id }, query: { result, limit, cursor }, header, tenant }) {
        const listed = ['import-lines', tenant.id, id, result ?? null];
        const position = cursor === undefined ? undefined : readCursor(listed, cursor, [LINE_FORM]);
        if (position && isProblem(position)) return position;
        if (!(await findImport(pool, tenant.id, id))) return problem('not_found');
        const results = [...new Set(result ?? [])];
        if (header('accept')?.includes(NDJSON))
          return {
            status: 200,
            contentType: NDJSON,
            kind: 'export',
            stream: (output) => streamLines(output, tenant.id, id, results),
          };
        const after = Number(position?.[0] ?? 0);
        const rows = await listImportLines(pool, tenant.id, id, { results, after, limit: limit + 1 });
        return {
          status: 200,
          body: pageFrom(rows, limit, listed, ({ line }) => [String(line)], importLineView),
        };
      },
    }),
    route({
      ...own,
      method: 'post',
      path: `${PATH}/{id}/close`,
      summary: 'Close an import whose lines have all been sent',
      request: {
        params,
        body: z
          .strictObject({
            lines: z.int().min(0).optional().meta({
              description: 'Lines of the file: it is closed only where all of them were taken.',
              example: 1_000,
            }),
          })
          .meta({ id: 'ImportClosing' }),
      },
      bodyOptional: true,
      responses: { 200: { description: 'It is closed, now or since earlier.', schema: ImportView } },
      problems: ['state_conflict', 'lines_missing'],
      async handler({ params: { id }, body, tenant, caller }) {
        return endedView(await closeImport(pool, tenant.id, id, 'closed', caller, body.lines));
      },
    }),
    route({
      ...own,
      method: 'post',
      path: `${PATH}/{id}/abandon`,
      summary: 'Abandon an import: it takes no further lines, and what it took stays',
      request: { params },
      responses: { 200: { description: 'It has ended, now or since earlier.', schema: ImportView } },
      async handler({ params: { id }, tenant, caller }) {
        return endedView(await closeImport(pool, tenant.id, id, 'abandoned', caller));
      },
    }),
  ];

  async function shown(tenantId: Id<'tenant'>, id: Id<'import'>) {
    const found = await findImport(pool, tenantId, id);
    return found ? { status: 200, body: importView(found) } : problem('not_found');
  }

  async function refused(refusal: TakingRefusal, tenantId: Id<'tenant'>, id: Id<'import'>): Promise<Problem> {
    const now = await findImport(pool, tenantId, id);
    switch (refusal) {
      case 'not_open':
        return ended(now?.state === 'open' ? 'expired' : (now?.state ?? 'expired'));
      case 'gap':
        return linesMissing(now?.lines ?? 0);
      case 'too_large':
        return problem('body_too_large', {
          detail: `An import takes at most ${MAX_IMPORT_BYTES / 1024 ** 3} GiB. Lines up to ${now?.lines ?? 0} were taken: close it, and open another one for the rest of the file.`,
        });
      case 'stopping':
        return problem('temporarily_unavailable', { headers: { 'retry-after': '1' } });
    }
  }

  /** One page is in memory at a time, and the next is read when the peer has taken it and its turn has come. */
  async function streamLines(
    output: StreamOutput,
    tenantId: Id<'tenant'>,
    id: Id<'import'>,
    results: LineResult[],
  ): Promise<void> {
    for (let after = 0; !output.ended.aborted; ) {
      const page = { results, after, limit: MAX_PAGE };
      const rows = await inTurn(() => listImportLines(pool, tenantId, id, page));
      const text = rows.map((row) => `${JSON.stringify(importLineView(row))}\n`).join('');
      if (text !== '' && !(await output.write(text))) return;
      const last = rows.at(-1);
      if (last === undefined || rows.length < MAX_PAGE) return;
      after = last.line;
    }
  }
}

function ended(state: string): Problem {
  return problem('state_conflict', {
    detail: `The import is \`${state}\`, and takes no lines: open another one. Lines that were taken before are known, and count as duplicates there.`,
  });
}

function linesMissing(taken: number): Problem {
  return problem('lines_missing', {
    detail: `${taken} lines were taken: send the file from line ${taken + 1} on, or the whole of it from line 1.`,
  });
}

function endedView(result: EndedImport) {
  if (result.ok) return { status: 200, body: importView(result.import) };
  if (result.code === 'not_found') return problem('not_found');
  if (result.code === 'other_lines') return linesMissing(result.lines);
  return problem('state_conflict', { detail: `The import is \`${result.state}\` already.` });
}
