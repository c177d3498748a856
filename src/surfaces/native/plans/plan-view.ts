import { z } from 'zod';
import type { Operation } from '../../../domain/operations/operation.ts';
import { OPERATION_STATES } from '../../../domain/operations/operation-state.ts';
import { PLAN_ORIGINS, type Plan, type PlanDrift } from '../../../domain/operations/plan.ts';
import { PLAN_RISKS, type RiskCounts } from '../../../domain/operations/plan-risks.ts';
import type { Hold } from '../../../domain/policy/hold.ts';
import { alias, showId } from '../../../domain/tenancy/typed-id.ts';
import { shownId, shownTime } from '../fields.ts';
import { OperationSummary, OperationView, selectionView } from '../retries/operation-view.ts';

const HEX = /^[0-9a-f]{64}$/;
const digest = (description: string) =>
  z
    .string()
    .regex(HEX)
    .meta({ description, example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' });

const number = (description: string) => z.int().min(0).meta({ description, example: 0 });

const RISK_WORDS: Record<keyof RiskCounts | 'awaitsApproval', string> = {
  mayHaveArrived: 'It failed, but an attempt of it may have arrived: it may arrive twice.',
  unknown: 'Nobody knows its outcome yet: it waits for that.',
  openElsewhere:
    'An execution of it is open elsewhere: it joins that, or takes it over with `takeOverScheduled`.',
  heldByPaused: 'An operation that was stopped holds it.',
  alreadyDelivered: 'It is delivered: a replay sends it again, a retry leaves it alone.',
  endpointDisabled: 'Its endpoint is disabled.',
  endpointDeleted: 'Its endpoint is deleted.',
  circuitOpen: 'Its endpoint is left alone for a while, because it was down.',
  payloadExpired: 'Its payload is gone.',
  payloadExpiresBeforeItsTurn: 'Its payload will be gone before it is sent, at the rate that is asked for.',
  addressChanged: 'It was first sent to another address than it would go to.',
  secretRotated:
    'Its endpoint has got a new signing secret since it was last sent, or another system has sent it last.',
  filterChanged: 'Its endpoint chose events in another way when it was first sent.',
  orderBlocked: 'A delivery of its key before it is in the way.',
  awaitsApproval: 'Somebody has to approve it first.',
};

/** Deliveries by risk. */
export const Risks = z
  .strictObject(
    Object.fromEntries(Object.entries(RISK_WORDS).map(([risk, words]) => [risk, number(words)])) as Record<
      keyof typeof RISK_WORDS,
      ReturnType<typeof number>
    >,
  )
  .meta({ id: 'PlanRisks', description: 'How many deliveries have each risk; none of them is an error.' });

/** Shows deliveries by risk. */
export function risksView(risks: RiskCounts, awaitsApproval: number): z.input<typeof Risks> {
  return { ...risks, awaitsApproval };
}

const Drift = z
  .strictObject({
    gone: z.record(z.string(), z.int()).meta({
      description: 'Deliveries that the plan would have sent and that were left out instead, by reason.',
      example: { already_delivered: 12 },
    }),
    endpointChanged: z
      .array(
        z.strictObject({
          endpointId: shownId('endpoint', 'The endpoint.'),
          from: z.int().meta({ description: 'Its version in the plan.', example: 3 }),
          to: z.int().meta({ description: 'Its version then.', example: 4 }),
          members: z
            .array(z.string())
            .meta({ description: 'What of its address has changed.', example: ['url'] }),
        }),
      )
      .meta({ description: 'Endpoints with another address; nothing of the plan was sent there.' }),
    added: z.int().nullable().meta({
      description:
        'Deliveries that matched then and were not planned: they were not sent. Null where counting took too long.',
      example: 3,
    }),
  })
  .meta({ id: 'PlanDrift', description: 'The change between a plan and its execution.' });

/** Shows the drift of a plan. */
export function driftView({ gone, endpointChanged, added }: PlanDrift): z.input<typeof Drift> {
  return {
    gone: Object.fromEntries(Object.entries(gone).map(([reason, items]) => [reason, items ?? 0])),
    endpointChanged: endpointChanged.map(({ endpointId, ...change }) => ({
      endpointId: showId('endpoint', endpointId),
      ...change,
    })),
    added: added ?? null,
  };
}

/** A plan without its endpoints. */
export const PlanSummary = z
  .strictObject({
    id: shownId('plan', 'Id of the plan.'),
    operationId: shownId('operation', 'The same under the name of its operation.'),
    origin: z.enum(PLAN_ORIGINS).meta({
      description:
        'How it was asked for; `policy` where it was made because a policy looks at what was started without a plan.',
      example: 'plan',
    }),
    state: z.enum(['planning', ...OPERATION_STATES]).meta({
      description:
        '`planning` while it is made, then `planned`; from its execution on the state of its operation.',
      example: 'planned',
    }),
    kind: OperationSummary.shape.kind,
    target: OperationSummary.shape.target,
    newIdentity: OperationSummary.shape.newIdentity,
    select: OperationView.shape.select,
    options: OperationSummary.shape.options,
    reason: OperationSummary.shape.reason,
    ticket: OperationSummary.shape.ticket,
    requestedBy: OperationSummary.shape.requestedBy,
    count: z
      .strictObject({
        items: number('Deliveries that were found.'),
        basis: z.enum(['exact', 'atLeast']).meta({
          description: '`atLeast` while it is made, `exact` once it is planned.',
          example: 'exact',
        }),
        sends: number('Those of them that would be sent; the others would be left out, with the reason.'),
      })
      .meta({ description: 'How many deliveries it is about.' }),
    watermark: z.string().meta({
      description: 'Nothing that was accepted later is in it.',
      example: '2026-11-03T02:00:00.000000Z',
    }),
    planHash: digest('Identifies all that it shows: what is executed is named by it.').nullable(),
    itemsDigest: digest('SHA-256 over the ids of its deliveries, 16 bytes each, ascending.').nullable(),
    risksDigest: digest('SHA-256 over their risks, two bytes each, in the same order.').nullable(),
    risks: Risks,
    endpointCount: number('Endpoints that it has deliveries for.'),
    createdAt: shownTime('When it was asked for.'),
    plannedAt: shownTime('When it was made.').nullable(),
    expiresAt: shownTime('When it is cancelled by itself.').nullable(),
    endedFor: z.enum(['plan_expired', 'approval_expired', 'rejected', 'cancelled']).nullable().meta({
      description: 'Why it ended, where nobody executed it, or where it was not approved.',
      example: null,
    }),
    executedAt: shownTime('When it was executed.').nullable(),
    executedBy: z
      .string()
      .nullable()
      .meta({ description: 'Who executed it, as the credential names it.', example: null }),
    maxDriftPercent: z
      .number()
      .nullable()
      .meta({ description: 'The share of its deliveries that may be gone.', example: 5 }),
    drift: Drift.nullable().meta({
      description: 'What had changed when it was executed; final once its items are made.',
    }),
    driftTooLarge: Drift.nullable().meta({
      description: 'What had changed the last time that its execution was refused for it.',
    }),
    links: z
      .strictObject({
        self: z.string().meta({ description: 'This plan.', example: '/api/v1/retries/plans/pln_…' }),
        items: z
          .string()
          .meta({ description: 'Its deliveries.', example: '/api/v1/retries/plans/pln_…/items' }),
        execute: z
          .string()
          .meta({ description: 'To execute it.', example: '/api/v1/retries/plans/pln_…/execute' }),
        operation: z.string().meta({ description: 'Its operation.', example: '/api/v1/retries/op_…' }),
      })
      .meta({ description: 'Where to go on.' }),
  })
  .meta({ id: 'PlanSummary', description: 'What a retry or replay would do, without its endpoints.' });

/** How the policy stands to a plan. */
export interface PlanPolicy {
  /** All of its deliveries have to be approved before any of them is sent. */
  awaitsApproval: boolean;
  hold?: Hold;
}

/** Shows a plan without its endpoints. */
export function planSummary(
  operation: Operation,
  plan: Plan,
  { awaitsApproval, hold }: PlanPolicy = { awaitsApproval: false },
): z.input<typeof PlanSummary> {
  const { planned, executed, drift, refusedDrift } = plan;
  const id = showId('plan', alias('plan', operation.id));
  const self = `/api/v1/retries/plans/${id}`;
  return {
    id,
    operationId: showId('operation', operation.id),
    origin: plan.origin,
    state: operation.state === 'planned' && !planned ? 'planning' : operation.state,
    kind: operation.kind,
    target: operation.target,
    newIdentity: operation.newIdentity,
    select: selectionView(operation.selection),
    options: operation.options,
    reason: operation.reason ?? null,
    ticket: operation.ticket ?? null,
    requestedBy: operation.requestedBy,
    count: { items: plan.items, basis: planned ? 'exact' : 'atLeast', sends: plan.sends },
    watermark: plan.watermark,
    planHash: planned?.planHash ?? null,
    itemsDigest: planned?.itemsDigest ?? null,
    risksDigest: planned?.risksDigest ?? null,
    risks: risksView(plan.risks, awaitsApproval ? plan.items : 0),
    endpointCount: plan.endpointCount,
    createdAt: operation.createdAt.toISOString(),
    plannedAt: planned?.at.toISOString() ?? null,
    expiresAt: plan.expiresAt?.toISOString() ?? null,
    endedFor: endedFor(operation, plan, hold),
    executedAt: executed?.at.toISOString() ?? null,
    executedBy: executed?.by ?? null,
    maxDriftPercent: executed?.maxDriftPercent ?? null,
    drift: drift ? driftView(drift) : null,
    driftTooLarge: refusedDrift ? driftView(refusedDrift) : null,
    links: {
      self,
      items: `${self}/items`,
      execute: `${self}/execute`,
      operation: `/api/v1/retries/${showId('operation', operation.id)}`,
    },
  };
}

function endedFor(
  { state }: Operation,
  { expired, executed }: Plan,
  hold: Hold | undefined,
): z.input<typeof PlanSummary>['endedFor'] {
  if (expired) return 'plan_expired';
  switch (hold?.ended?.for) {
    case 'rejected':
      return 'rejected';
    case 'expired':
      return 'approval_expired';
    case 'cancelled':
      return 'cancelled';
    default:
      return !executed && (state === 'closing' || state === 'cancelled') ? 'cancelled' : null;
  }
}

/** The risks that deliveries of a plan can be listed by. */
export const ListedRisk = z.enum(PLAN_RISKS).meta({ description: 'A risk.', example: 'mayHaveArrived' });

/** The same with the one that no delivery has by itself. */
export const AskedRisk = z
  .enum([...PLAN_RISKS, 'awaitsApproval'])
  .meta({ description: 'A risk.', example: 'mayHaveArrived' });
