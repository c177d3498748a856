import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { hasEnded, OPERATION_ENDS } from '../../../domain/operations/operation-state.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { addendumTo } from '../../../store/operations/addenda.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { findJws, findSeal, type ReportSeal } from '../../../store/proof/closure-reports.ts';
import { idParams, shownId, shownTime } from '../fields.ts';
import { hash, JOSE, Jws, notSigned, signatureView } from '../proof/signed-view.ts';
import { OPERATION_DETAILS, operationDetails } from './operation-details.ts';
import {
  OperationSummary,
  OperationView,
  RemainderView,
  remainderView,
  selectionView,
} from './operation-view.ts';

const Report = z
  .strictObject({
    operationId: shownId('operation', 'The operation.'),
    state: z.enum(OPERATION_ENDS).meta({ description: 'How it ended.', example: 'completed' }),
    createdAt: shownTime('When it was accepted.'),
    closedAt: shownTime('When it ended.'),
    counts: OperationSummary.shape.counts,
    mayHaveArrived: z.int().meta({ description: 'Failed although an attempt may have arrived.', example: 0 }),
    exclusions: z
      .record(z.string(), z.int())
      .meta({ description: 'Exclusions by reason.', example: { already_delivered: 3 } }),
    kind: OperationSummary.shape.kind,
    target: OperationSummary.shape.target,
    newIdentity: OperationSummary.shape.newIdentity,
    select: OperationView.shape.select,
    options: OperationSummary.shape.options,
    reason: OperationSummary.shape.reason,
    ticket: OperationSummary.shape.ticket,
    requestedBy: OperationSummary.shape.requestedBy,
    ...OPERATION_DETAILS,
    remainder: RemainderView.nullable().meta({
      description:
        'The selected deliveries that were not delivered when it closed; null in reports that are older than this member. `{"select": {"remainderOf": …}}` takes all of them.',
    }),
    addendum: z.record(z.string(), z.int()).meta({
      description:
        'By how much each count differs now, because an acknowledgement, a status request or an operator settled items after it had closed. Empty where none was settled, and where an unsigned report has items that are gone.',
      example: { unknown: -2, delivered: 2 },
    }),
    ledger: z
      .strictObject({
        lines: z.int().meta({ description: 'Items and exclusions.', example: 100 }),
        merkleRoot: hash('Root of the hash tree (RFC 9162) over the lines of `GET …/items`.'),
      })
      .nullable()
      .meta({ description: 'The lines that it stands for; null where it is not signed.' }),
    signature: z
      .strictObject({
        kid: shownId('signingKey', 'The key: `GET /.well-known/redrive/jwks.json` has its public part.'),
        digest: hash('SHA-256 of the signed payload, by which addenda name the report.'),
        signedAt: shownTime('When it was signed.'),
      })
      .nullable()
      .meta({
        description: `The signature of this report, which \`Accept: ${JOSE}\` gets whole; null in reports of operations that closed before reports were signed.`,
      }),
    attempts: z.int().meta({ description: 'HTTP requests in all.', example: 100 }),
    firstAttemptAt: z
      .string()
      .nullable()
      .meta({ description: 'When the first request began.', example: '2026-11-03T02:00:00.000Z' }),
    lastAttemptAt: z
      .string()
      .nullable()
      .meta({ description: 'When the last request began.', example: '2026-11-03T02:10:00.000Z' }),
  })
  .meta({
    id: 'ClosureReport',
    description: 'The result of an operation, frozen when it closed; its counts add up.',
  });

/** The result of an operation, plain and signed. */
export function retryReportRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      tag: 'Retries',
      access: { of: 'tenant', scope: 'read:deliveries' },
      method: 'get',
      path: '/api/v1/retries/{id}/report',
      summary: "Show an operation's closure report",
      description: `With \`Accept: ${JOSE}\` the report as it was signed when the operation closed: a JWS (RFC 7515) in flattened JSON, whose payload has every number of the result, the acts that led to it, and the root of a hash tree over its ledger (docs/proof.md).`,
      request: { params: idParams('operation', 'Id of the operation.') },
      responses: {
        200: { description: 'The report.', schema: Report, alternatives: { [JOSE]: Jws } },
      },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant, header }) {
        const operation = await findOperation(pool, tenant.id, id);
        if (!operation) return problem('not_found');
        if (!hasEnded(operation.state))
          return problem('state_conflict', {
            detail: `The operation is \`${operation.state}\`: its report is written when it ends.`,
          });
        if (header('accept')?.includes(JOSE)) {
          const jws = await findJws(pool, tenant.id, id);
          return jws === undefined ? notSigned() : { status: 200, text: jws, contentType: JOSE };
        }
        const counts = operation.report?.counts;
        const seal = await findSeal(pool, tenant.id, id);
        const addendum = counts
          ? await addendumTo(pool, tenant.id, id, { counts, signed: seal !== undefined })
          : {};
        const report = reportView(operation, addendum, seal);
        return report
          ? { status: 200, body: { ...report, ...(await operationDetails(pool, operation)) } }
          : problem('internal');
      },
    }),
  ];
}

function reportView(
  operation: Operation,
  addendum: Partial<Record<string, number>>,
  seal: ReportSeal | undefined,
): Omit<z.input<typeof Report>, keyof typeof OPERATION_DETAILS> | undefined {
  const { report, closedAt, state } = operation;
  if (!report || !closedAt || !hasEnded(state)) return undefined;
  return {
    operationId: showId('operation', operation.id),
    state: state as (typeof OPERATION_ENDS)[number],
    createdAt: operation.createdAt.toISOString(),
    closedAt: closedAt.toISOString(),
    kind: operation.kind,
    target: operation.target,
    newIdentity: operation.newIdentity,
    select: selectionView(operation.selection),
    options: operation.options,
    reason: operation.reason ?? null,
    ticket: operation.ticket ?? null,
    requestedBy: operation.requestedBy,
    counts: report.counts,
    mayHaveArrived: report.mayHaveArrived,
    exclusions: Object.fromEntries(
      Object.entries(report.exclusions).map(([reason, count]) => [reason, count ?? 0]),
    ),
    remainder: remainderView(report.remainder),
    addendum: Object.fromEntries(Object.entries(addendum).map(([part, change]) => [part, change ?? 0])),
    ledger: seal ? { lines: seal.lines, merkleRoot: seal.merkleRoot.toString('hex') } : null,
    signature: seal ? signatureView(seal) : null,
    attempts: report.attempts,
    firstAttemptAt: report.firstAttemptAt ?? null,
    lastAttemptAt: report.lastAttemptAt ?? null,
  };
}
