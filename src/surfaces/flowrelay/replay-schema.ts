import { z } from 'zod';
import { ENDPOINT_STATES } from '../../domain/endpoints/endpoint-state.ts';
import { GRANTS } from '../../domain/tenancy/grant.ts';
import { shownId, shownTime } from '../native/fields.ts';
import { READINESS_REASONS } from './domain/plan-replay.ts';
import { EndpointSnapshotView, handoffBoundary, ReplayResultView } from './receipt-schema.ts';

const readiness = z
  .strictObject({
    ready: z.boolean().meta({ description: 'It can be confirmed as things are.', example: true }),
    reasons: z
      .array(z.enum(READINESS_REASONS))
      .meta({ description: 'The reasons why it cannot; none where it can.', example: ['endpoint_disabled'] }),
  })
  .meta({ description: 'Present readiness.' });

/** The content of a preview; it is kept as it was shown. */
export const PreviewView = z
  .strictObject({
    kind: z.enum(['handoff', 'afresh']).meta({
      description:
        '`handoff`: one handoff again, with the same `webhook-id`. `afresh`: nothing was ready for the event; it is matched with the present endpoints for its first.',
      example: 'handoff',
    }),
    event: z
      .strictObject({
        eventId: shownId('event', 'The original event.'),
        eventType: z.string().meta({ description: 'Its type.', example: 'invoice.paid' }),
        acceptedAt: shownTime('When it was accepted.'),
      })
      .meta({ description: 'The original event.' }),
    targets: z
      .array(
        z.strictObject({
          deliveryId: shownId('delivery', 'The handoff; null where this would be the first.').nullable(),
          endpoint: EndpointSnapshotView.meta({ description: 'The endpoint as it is configured now.' }),
          endpointState: z.enum(ENDPOINT_STATES).meta({ description: 'Its state now.', example: 'enabled' }),
          readiness,
        }),
      )
      .meta({ description: 'Where it would go.' }),
    readiness,
    sideEffects: z
      .strictObject({
        duplicateRisk: z
          .boolean()
          .meta({ description: 'Processing may already have started.', example: true }),
        explanation: z.string().meta({
          description: 'The risk in words.',
          example: 'The endpoint accepted an earlier handoff of this event: it may act on it twice.',
        }),
      })
      .meta({ description: 'Duplicate side-effect risk.' }),
    authority: z
      .strictObject({
        actor: z.string().meta({ description: 'Who previews.', example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
        grant: z.enum(GRANTS).nullable().meta({
          description: 'Grant of the key, where it was made with one.',
          example: 'recovery_operator',
        }),
        mayConfirm: z.boolean().meta({ description: 'May confirm.', example: true }),
        mayExecute: z.boolean().meta({ description: 'May execute.', example: true }),
      })
      .meta({ description: "The caller's authority." }),
    usage: z
      .strictObject({
        executedInLastDay: z
          .int()
          .meta({ description: 'Replays executed in the last 24 hours.', example: 3 }),
        limit: z
          .int()
          .nullable()
          .meta({ description: 'How many the tenant may have; no limit where null.', example: 100 }),
      })
      .meta({ description: 'Use of the limit.' }),
    idempotencyKeyDigest: z.string().meta({
      description: 'The first 16 hex digits of the SHA-256 of the key that confirm and execute need again.',
      example: '9f86d081884c7d65',
    }),
    audit: z
      .strictObject({
        actor: z
          .string()
          .meta({ description: 'Whose replay it will be.', example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
        requestId: z.string().meta({
          description: 'The request that previewed it.',
          example: 'req_0190f3c2a5b87c1e9d3f4a5b6c7d8e9f',
        }),
      })
      .meta({ description: 'The actor and the request that it will be attributed to.' }),
  })
  .meta({ id: 'FlowRelayReplayPreview' });

/** A replay, from its preview on. */
export const ReplayView = z
  .strictObject({
    replayId: shownId('receiptReplay', 'Id of the replay.'),
    receiptId: shownId('receipt', 'The receipt it starts from.'),
    state: z
      .enum(['previewed', 'confirmed', 'executed'])
      .meta({ description: 'How far it has come.', example: 'previewed' }),
    preview: PreviewView.meta({ description: 'The preview.' }),
    confirmDuplicateRiskRequired: z.boolean().meta({
      description: 'It is confirmed with `confirmDuplicateRisk: true` only.',
      example: false,
    }),
    duplicateRiskConfirmed: z.boolean().meta({ description: 'That was confirmed.', example: false }),
    previewedAt: shownTime('When it was previewed.'),
    previewValidUntil: shownTime('Until when it can be confirmed and executed.'),
    confirmedAt: shownTime('When it was confirmed.').nullable(),
    executedAt: shownTime('When it was executed.').nullable(),
    operationId: shownId(
      'operation',
      'The operation that executes it; `GET` of the replay shows the results.',
    ).nullable(),
    handoffBoundary,
  })
  .meta({ id: 'FlowRelayReplay', description: 'A deliberate replay: previewed, confirmed, executed.' });

/** A replay with its results. */
export const ShownReplay = ReplayView.extend({
  results: z.array(ReplayResultView).nullable().meta({
    description: 'The result of each handoff that it made; null until it is executed.',
  }),
}).meta({ id: 'FlowRelayShownReplay', description: 'A replay with its results.' });
