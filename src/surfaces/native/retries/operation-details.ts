import { z } from 'zod';
import type { Operation, OperationBreakdown } from '../../../domain/operations/operation.ts';
import type { Plan } from '../../../domain/operations/plan.ts';
import { EXECUTION_STATES } from '../../../domain/sending/execution-state.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { operationBreakdown } from '../../../store/operations/operation-breakdown.ts';
import {
  CONTROL_ACTS,
  controlsOf,
  type OperationControl,
} from '../../../store/operations/operation-controls.ts';
import { findPlan } from '../../../store/plans/plans.ts';
import { lastHold } from '../../../store/policy/holds.ts';
import { shownId, shownTime } from '../fields.ts';
import { PlanSummary, planSummary } from '../plans/plan-view.ts';
import { HoldView, holdView } from '../policy/hold-view.ts';
import { HaltView, haltView } from './operation-view.ts';

/** An operation of more items than this is broken down when it closes, for that reads every one of them. */
const MOST_ITEMS = 10_000;

const items = (description: string) => z.int().meta({ description, example: 0 });

/** The acts on an operation and the results of its items; in its view and in its report. */
export const OPERATION_DETAILS = {
  controls: z
    .array(
      z.strictObject({
        did: z.enum(CONTROL_ACTS).meta({ description: 'The act.', example: 'pause' }),
        by: z.string().meta({
          description:
            'Who did it, as its credential names it; `redrive` where nobody asked, `temporal` where it was cancelled there.',
          example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s',
        }),
        at: shownTime('When.'),
        ratePerSecond: z.number().nullable().optional().meta({
          description: 'With `rate`: the rate that it was set to; null lifts the limit.',
          example: 50,
        }),
      }),
    )
    .meta({ description: 'The acts on it, in their order; the newest 500.' }),
  halts: z.array(HaltView).meta({ description: 'Each time that it was halted, with the numbers.' }),
  endpointCount: z
    .int()
    .nullable()
    .meta({ description: 'Endpoints that it has items for; null like `endpoints`.', example: 1 }),
  endpoints: z
    .array(
      z.strictObject({
        endpointId: shownId('endpoint', 'The endpoint.'),
        handle: z.string().meta({ description: 'Its handle.', example: 'warehouse' }),
        items: items('Items for it.'),
        delivered: items('Acknowledged.'),
        failed: items('Given up.'),
        unknown: items('May have arrived.'),
        others: items('Open, ignored, cancelled or superseded.'),
      }),
    )
    .nullable()
    .meta({
      description: `The results of its items at each endpoint, the largest 100; null while an operation of more than ${MOST_ITEMS} items runs, or where it closed before this was kept.`,
    }),
  causes: z
    .array(
      z.strictObject({
        state: z.enum(EXECUTION_STATES).meta({ description: 'State of these items.', example: 'failed' }),
        reason: z
          .string()
          .nullable()
          .meta({ description: 'Why they ended as they did.', example: 'exhausted' }),
        faultCode: z
          .string()
          .nullable()
          .meta({ description: 'Why their last attempts did not deliver.', example: 'http_5xx' }),
        httpStatus: z.int().nullable().meta({ description: 'Status of the last answers.', example: 503 }),
        items: items('How many they are.'),
      }),
    )
    .nullable()
    .meta({ description: 'Why items are not delivered, the largest 100 groups; null like `endpoints`.' }),
  plan: z
    .strictObject({
      id: shownId('plan', 'The plan.'),
      items: items('Deliveries that it showed, whether it was executed or not.'),
      planHash: PlanSummary.shape.planHash,
      itemsDigest: PlanSummary.shape.itemsDigest,
      executedAt: PlanSummary.shape.executedAt,
      drift: PlanSummary.shape.drift,
    })
    .nullable()
    .meta({ description: 'The plan that it was, or still is; null where it was started without one.' }),
  approval: HoldView.nullable().meta({
    description: 'What a policy asked of it, the last time, and who approved; null where none held it.',
  }),
};

const Details = z.strictObject(OPERATION_DETAILS);

/** Reads and shows the acts on an operation and the results of its items. */
export async function operationDetails(
  db: Queryable,
  operation: Operation,
): Promise<z.input<typeof Details>> {
  const controls = await controlsOf(db, operation.tenantId, operation.id);
  const breakdown =
    operation.report?.breakdown ??
    (operation.report === undefined && operation.counts.expected <= MOST_ITEMS
      ? await operationBreakdown(db, operation.id)
      : undefined);
  const hold = await lastHold(db, operation.id);
  return {
    controls: controls.map(controlView),
    halts: controls.flatMap(({ halt, at }) => (halt ? [haltView({ ...halt, at: at.toISOString() })] : [])),
    ...breakdownView(breakdown),
    plan: planOf(operation, await findPlan(db, operation.tenantId, operation.id)),
    approval: hold ? holdView(hold) : null,
  };
}

function planOf(operation: Operation, plan: Plan | undefined): z.input<typeof Details>['plan'] {
  if (!plan) return null;
  const { id, count, planHash, itemsDigest, executedAt, drift } = planSummary(operation, plan);
  return { id, items: count.items, planHash, itemsDigest, executedAt, drift };
}

function controlView({
  did,
  actor,
  at,
  ratePerSecond,
}: OperationControl): z.input<typeof OPERATION_DETAILS.controls>[number] {
  return {
    did,
    by: actor,
    at: at.toISOString(),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
  };
}

function breakdownView(
  breakdown: OperationBreakdown | undefined,
): Pick<z.input<typeof Details>, 'endpointCount' | 'endpoints' | 'causes'> {
  if (!breakdown) return { endpointCount: null, endpoints: null, causes: null };
  return {
    endpointCount: breakdown.endpointCount,
    endpoints: breakdown.endpoints.map(({ endpointId, ...tally }) => ({
      endpointId: showId('endpoint', endpointId),
      ...tally,
    })),
    causes: breakdown.causes.map(({ state, reason, faultCode, httpStatus, items: count }) => ({
      state,
      reason: reason ?? null,
      faultCode: faultCode ?? null,
      httpStatus: httpStatus ?? null,
      items: count,
    })),
  };
}
