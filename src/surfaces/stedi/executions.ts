import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { isProblem, problem } from '../../api/problems/problem.ts';
import { type Route, route } from '../../api/route.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { findExecution } from '../../store/reading/execution-reads.ts';
import { idField, textField } from '../native/fields.ts';
import {
  FileExecutionDetails,
  FileExecutionSummary,
  FileFaults,
  fileExecutionDetails,
  fileExecutionSummary,
  fileFaults,
} from './execution-view.ts';
import { FILE_STATUSES } from './file-status.ts';
import { listedOrLater } from './listed-or-later.ts';
import { pageParameters, readPageToken, writePageToken } from './page-token.ts';
import { partnershipEndpoints } from './partnership-endpoints.ts';
import { ERROR_RESPONSES } from './stedi-error.ts';
import { direction, faultCode, partnershipId, processedRange, refuseReversed } from './stedi-fields.ts';
import { type FileFilter, findFileExecution, listFileExecutions } from './store/file-executions.ts';

/** Shorter parts would be in almost every name. */
const MIN_NAME_PART = 3;

const ListQuery = z
  .strictObject({
    ...pageParameters,
    direction: direction.optional(),
    faultCode: faultCode.optional(),
    partnershipId: partnershipId.optional(),
    status: z
      .enum(FILE_STATUSES)
      .optional()
      .meta({ description: 'The status; nothing is ever STARTED.', example: 'FAILED' }),
    ...processedRange('included'),
    displayName: textField(255, 'A part of the name.', 'inv-2026')
      .min(MIN_NAME_PART)
      .optional()
      .meta({ description: 'A part of `source.name`, regardless of case.', example: 'inv-2026' }),
  })
  .superRefine(refuseReversed);

const ListedExecutions = z
  .strictObject({
    items: z
      .array(FileExecutionSummary)
      .meta({ description: 'Executions: those in progress, then those that ended, newest first.' }),
    nextPageToken: z.string().optional().meta({
      description: 'Where the next page begins; absent on the last one.',
      example: 'WyI1dW1…',
    }),
  })
  .meta({ id: 'StediListedExecutions', description: 'A page of executions.' });

const read = { method: 'get', tag: 'Stedi', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
const params = z.strictObject({ id: idField('execution', 'Id of the execution.') });

/** Executions: listed, shown, and with their faults. */
export function executionRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      ...read,
      path: '/executions',
      summary: 'List executions, newest first',
      request: { query: ListQuery },
      responses: { 200: { description: 'A page.', schema: ListedExecutions }, ...ERROR_RESPONSES },
      async handler({ query: { pageSize, pageToken, ...asked }, tenant }) {
        const listed = ['stedi executions', tenant.id, asked];
        const after = pageToken === undefined ? undefined : readPageToken(listed, pageToken);
        if (after && isProblem(after)) return after;
        const later = await listedOrLater(pool, tenant.id);
        if (later) return later;
        const rows = await listFileExecutions(pool, tenant.id, await filterOf(pool, tenant.id, asked), {
          limit: pageSize + 1,
          ...(after ? { after } : {}),
        });
        const shown = rows.slice(0, pageSize);
        const last = shown.at(-1);
        return {
          status: 200,
          body: {
            items: shown.map(fileExecutionSummary),
            ...(rows.length > pageSize && last ? { nextPageToken: writePageToken(listed, last) } : {}),
          },
        };
      },
    }),
    route({
      ...read,
      path: '/executions/{id}',
      summary: 'Show an execution',
      request: { params },
      responses: {
        200: { description: 'The execution.', schema: FileExecutionDetails },
        ...ERROR_RESPONSES,
      },
      async handler({ params: { id }, tenant }) {
        const found = await findWithAttempts(pool, tenant.id, id);
        return found ? { status: 200, body: fileExecutionDetails(...found) } : problem('not_found');
      },
    }),
    route({
      ...read,
      path: '/executions/{id}/faults',
      summary: 'Show why an execution failed',
      request: { params },
      responses: { 200: { description: 'Its faults.', schema: FileFaults }, ...ERROR_RESPONSES },
      async handler({ params: { id }, tenant }) {
        const found = await findWithAttempts(pool, tenant.id, id);
        return found ? { status: 200, body: fileFaults(...found) } : problem('not_found');
      },
    }),
  ];
}

async function findWithAttempts(db: Queryable, tenantId: Id<'tenant'>, id: Id<'execution'>) {
  const [execution, run] = await Promise.all([
    findFileExecution(db, tenantId, id),
    findExecution(db, tenantId, id),
  ]);
  return execution && run ? ([execution, run.attempts] as const) : undefined;
}

async function filterOf(
  db: Queryable,
  tenantId: Id<'tenant'>,
  asked: Omit<z.output<typeof ListQuery>, 'pageSize' | 'pageToken'>,
): Promise<FileFilter> {
  const endpointIds = await partnershipEndpoints(db, tenantId, asked);
  return {
    ...(asked.status === undefined ? {} : { status: asked.status }),
    ...(asked.faultCode === undefined ? {} : { faultCode: asked.faultCode }),
    ...(endpointIds ? { endpointIds } : {}),
    ...(asked.from === undefined ? {} : { from: { at: asked.from, inclusive: true } }),
    ...(asked.to === undefined ? {} : { to: { at: asked.to, inclusive: true } }),
    ...(asked.displayName === undefined ? {} : { name: asked.displayName }),
  };
}
