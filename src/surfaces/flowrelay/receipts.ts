import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { isProblem, problem } from '../../api/problems/problem.ts';
import { idForm, MICROS_FORM, readCursor } from '../../api/requests/cursor.ts';
import { type Route, route } from '../../api/route.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Pool } from '../../store/db/pool.ts';
import { idField, idParams, textField, timeField } from '../native/fields.ts';
import { pageFrom, pageOf, pageParameters } from '../native/page.ts';
import { readinessOf } from './domain/plan-replay.ts';
import type { ReceiptFacts } from './domain/receipt.ts';
import { guidanceFor } from './domain/recovery-guide.ts';
import { errorResponses } from './flowrelay-problem.ts';
import { GuideView, ReceiptSummary, ReceiptView } from './receipt-schema.ts';
import { SHOWN } from './receipt-timeline.ts';
import { factsOf, guideView, type ReceiptParts, receiptSummary, receiptView } from './receipt-view.ts';
import { loadMaterial } from './replaying/plan-receipt-replay.ts';
import { senderResendFate } from './replaying/sender-resend-fate.ts';
import { handoffsOfEvent } from './store/handoffs.ts';
import { replaysOfEvent, replayUsage } from './store/receipt-replays.ts';
import { findReceipt, listReceipts, type Receipt } from './store/receipts.ts';
import { replayResults } from './store/replay-results.ts';
import { timelineSteps } from './store/timeline.ts';

const params = idParams('receipt', 'Id of the receipt.');

const query = z
  .strictObject({
    request: z
      .enum(['accepted', 'rejected'])
      .optional()
      .meta({ description: 'Of accepted or of rejected requests only.', example: 'rejected' }),
    eventId: idField('event', 'The receipt of this event.').optional(),
    requestId: textField(
      64,
      'The receipt of a rejected request.',
      'req_0190f3c2a5b87c1e9d3f4a5b6c7d8e9f',
    ).optional(),
    from: timeField('Received at this time or later.').optional(),
    to: timeField('Received before this time.').optional(),
    ...pageParameters,
  })
  .refine(({ from, to }) => from === undefined || to === undefined || Date.parse(from) <= Date.parse(to), {
    path: ['to'],
    message: 'Expected a time that is not before `from`.',
    params: { code: 'out_of_range' },
  });

/** Receipts, and the decision guide that starts from one. */
export function receiptRoutes({ pool }: ApiDeps): Route[] {
  const read = { tag: 'FlowRelay', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  return [
    route({
      ...read,
      method: 'get',
      path: '/flowrelay/v1/receipts',
      summary: 'List receipts, newest first',
      request: { query },
      responses: {
        200: { description: 'A page of receipts.', schema: pageOf(ReceiptSummary) },
        ...errorResponses(),
      },
      async handler({ query: { limit, cursor, ...given }, tenant }) {
        const filter = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
        const listed = ['receipts', tenant.id, filter];
        const position =
          cursor === undefined ? undefined : readCursor(listed, cursor, [MICROS_FORM, idForm('receipt')]);
        if (position && isProblem(position)) return position;
        const usage = await replayUsage(pool, tenant.id);
        const rows = await listReceipts(pool, tenant.id, filter, {
          limit: limit + 1,
          ...(position ? { after: { atMicros: position[0], id: position[1] } } : {}),
        });
        const positionOf = (receipt: Receipt) => [receipt.atMicros, receipt.id];
        return {
          status: 200,
          body: pageFrom(rows, limit, listed, positionOf, (receipt) => receiptSummary(receipt, usage)),
        };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/flowrelay/v1/receipts/{id}',
      summary: 'Show a receipt',
      description:
        'Of an accepted event, or of a request that was rejected once its tenant was known. It outlives the payload.',
      request: { params },
      responses: { 200: { description: 'The receipt.', schema: ReceiptView }, ...errorResponses() },
      async handler({ params: { id }, tenant }) {
        const receipt = await findReceipt(pool, tenant.id, id);
        if (!receipt) return problem('not_found');
        return { status: 200, body: receiptView(receipt, await partsOf(pool, tenant.id, receipt)) };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/flowrelay/v1/receipts/{id}/guide',
      summary: 'Choose the right recovery path for a receipt',
      description: 'Starts with the receipt, then chooses the lowest-risk recovery path.',
      request: {
        params,
        query: z.strictObject({
          intent: z
            .enum(['recovery', 'new_business_event'])
            .default('recovery')
            .meta({ description: 'The intention of the source system.', example: 'recovery' }),
        }),
      },
      responses: {
        200: { description: 'The next step, and the reason.', schema: GuideView },
        ...errorResponses(),
      },
      async handler({ params: { id }, query: { intent }, tenant }) {
        const receipt = await findReceipt(pool, tenant.id, id);
        if (!receipt) return problem('not_found');
        const replay = await replayPartsOf(pool, tenant.id, receipt);
        const guidance = guidanceFor(factsOf(receipt), {
          usage: replay.usage,
          newBusinessEvent: intent === 'new_business_event',
          standing: await standingFacts(pool, tenant.id, receipt),
          senderResend: replay.senderResend,
        });
        return { status: 200, body: guideView(receipt, guidance, replay) };
      },
    }),
  ];
}

/** The parts that a receipt is shown with: of a rejected request no more than its tenant's limit. */
export async function partsOf(db: Pool, tenantId: Id<'tenant'>, receipt: Receipt): Promise<ReceiptParts> {
  const replay = await replayPartsOf(db, tenantId, receipt);
  if (receipt.request === 'rejected') return { handoffs: [], steps: [], replays: [], results: [], ...replay };
  const [handoffs, steps, replays] = await Promise.all([
    handoffsOfEvent(db, tenantId, receipt.id, SHOWN.handoffs + 1),
    timelineSteps(db, tenantId, receipt.id, SHOWN.steps + 1),
    replaysOfEvent(db, tenantId, receipt.id, SHOWN.replays),
  ]);
  const results = await replayResults(
    db,
    tenantId,
    replays.flatMap(({ operationId }) => operationId ?? []),
  );
  return { handoffs, steps, replays, results, ...replay };
}

type ReplayParts = Pick<ReceiptParts, 'usage' | 'readiness' | 'senderResend'>;

async function replayPartsOf(db: Pool, tenantId: Id<'tenant'>, receipt: Receipt): Promise<ReplayParts> {
  const senderResend = await senderResendFate(db, tenantId, receipt);
  if (receipt.request === 'rejected')
    return {
      usage: await replayUsage(db, tenantId),
      readiness: { whole: [], byEndpoint: new Map() },
      senderResend,
    };
  const { usage, material } = await loadMaterial(db, tenantId, receipt);
  return { usage, readiness: readinessOf(material), senderResend };
}

/** The facts of the receipt that stands for a suppressed duplicate. */
export async function standingFacts(
  db: Pool,
  tenantId: Id<'tenant'>,
  receipt: Receipt,
): Promise<ReceiptFacts | undefined> {
  if (receipt.request === 'rejected' || !receipt.suppressed || !receipt.standingEventId) return undefined;
  const standing = await findReceipt(db, tenantId, receipt.standingEventId);
  return standing && factsOf(standing);
}
