import { z } from 'zod';
import { FAULT_CODES } from '../../domain/sending/fault-code.ts';
import { shownId, shownTime } from '../native/fields.ts';
import { READINESS_REASONS } from './domain/plan-replay.ts';
import {
  HANDOFF_BOUNDARY,
  HANDOFF_STATUSES,
  RECEIPT_OUTCOMES,
  RECOVERY_CODES,
  RETENTION_STATES,
} from './domain/receipt.ts';
import { RECOVERY_PATHS, RECOVERY_SITUATIONS, type RecoverySituation } from './domain/recovery-guide.ts';
import { REFUSAL_REASONS, REPLAY_REFUSALS, type RefusalReason } from './domain/replay-refusal.ts';
import { SenderResendView } from './sender-resend-schema.ts';

const REASONS = Object.keys(REFUSAL_REASONS) as [RefusalReason, ...RefusalReason[]];

/** The one sentence on the meaning of "delivered". */
export const handoffBoundary = z
  .literal(HANDOFF_BOUNDARY)
  .meta({ description: 'All that "delivered" says.', example: HANDOFF_BOUNDARY });

const recoveryCode = z.enum(RECOVERY_CODES).nullable().meta({
  description: 'Which family of recovery applies; null where there is nothing to recover.',
  example: 'handoff_failed',
});

/** Whether something can be replayed, and what is in the way. */
export const ReplayAvailabilityView = z
  .strictObject({
    available: z.boolean().meta({
      description: 'A preview can be made, and once everything is ready it can be confirmed and executed.',
      example: true,
    }),
    refusal: z
      .enum(REPLAY_REFUSALS)
      .nullable()
      .meta({ description: 'The code that a preview would be refused by.', example: 'expired_retention' }),
    reason: z
      .enum(REASONS)
      .nullable()
      .meta({ description: 'The exact reason of that refusal.', example: 'payload_gone' }),
    needsDuplicateRiskConfirmation: z.boolean().meta({
      description:
        'Processing may already have started, or the sender sent it again: only an explicit confirmation goes on.',
      example: false,
    }),
    availableInSeconds: z.int().nullable().meta({
      description: 'When the limit of the tenant lets the next one through; null where it is not in the way.',
      example: null,
    }),
  })
  .meta({ id: 'FlowRelayReplayAvailability' });

/** The same, with the faults to correct before a confirmation. */
export const ReplayReadinessView = ReplayAvailabilityView.extend({
  ready: z.boolean().meta({ description: 'It can be confirmed as things are.', example: true }),
  notReady: z
    .array(z.enum(READINESS_REASONS))
    .meta({ description: 'The faults to correct first.', example: ['endpoint_disabled'] }),
}).meta({ id: 'FlowRelayReplayReadiness' });

/** An endpoint as it was, or is, without policy, secrets, headers, and the userinfo and query of its URL. */
export const EndpointSnapshotView = z
  .strictObject({
    endpointId: shownId('endpoint', 'The endpoint.'),
    handle: z.string().meta({ description: 'Its name within the tenant.', example: 'billing' }),
    version: z.int().meta({ description: 'Version of its configuration.', example: 3 }),
    url: z.string().meta({
      description: 'Where it leads, without userinfo, query and fragment.',
      example: 'https://example.com/hooks',
    }),
    eventTypes: z
      .array(z.string())
      .nullable()
      .meta({ description: 'Types of event it wants; all where null.', example: ['invoice.*'] }),
    hasFilter: z.boolean().meta({ description: 'It has conditions on the payload.', example: false }),
  })
  .meta({ id: 'FlowRelayEndpointSnapshot' });

const HandoffView = z
  .strictObject({
    deliveryId: shownId('delivery', 'The handoff; the `webhook-id` of its requests.'),
    status: z.enum(HANDOFF_STATUSES).meta({ description: 'Where it stands.', example: 'delivered' }),
    meaning: z.string().meta({
      description: 'The meaning of that status, and no more.',
      example: 'The endpoint accepted the handoff.',
    }),
    recoveryCode,
    replay: ReplayReadinessView.meta({ description: 'Availability of its replay.' }),
    resentReceiptId: shownId(
      'receipt',
      'The receipt of the later request that stands for it since its sender sent the event again.',
    ).nullable(),
    endpointAtAcceptance: EndpointSnapshotView.meta({
      description: 'The endpoint when the handoff was made.',
    }),
    requests: z.int().meta({ description: 'Requests to the endpoint so far.', example: 1 }),
    lastRequestAt: shownTime('When the last one began.').nullable(),
    statusCode: z.int().nullable().meta({ description: 'Status of the last answer.', example: 503 }),
    faultCode: z
      .enum(FAULT_CODES)
      .nullable()
      .meta({ description: 'Why the last one was not accepted.', example: 'http_5xx' }),
  })
  .meta({ id: 'FlowRelayHandoff', description: 'The event handed to one endpoint.' });

/** The events of a timeline. */
export const TIMELINE_EVENTS = [
  'accepted',
  'rejected',
  'duplicate_suppressed',
  'accepted_by_endpoint',
  'refused_by_endpoint',
  'failed_at_endpoint',
  'handoff_uncertain',
  'handoff_not_sent',
  'handoff_ended',
  'replay_previewed',
  'replay_confirmed',
  'replay_executed',
  'payload_removed',
] as const;

const TimelineEntry = z
  .strictObject({
    at: shownTime('When it happened.'),
    event: z.enum(TIMELINE_EVENTS).meta({ description: 'The event.', example: 'accepted_by_endpoint' }),
    deliveryId: shownId('delivery', 'The handoff it is about.').nullable(),
    replayId: shownId('receiptReplay', 'The replay it is about.').nullable(),
    statusCode: z.int().nullable().meta({ description: "Status of the endpoint's answer.", example: 200 }),
    code: z.string().nullable().meta({ description: 'Cause or result, by code.', example: 'http_5xx' }),
  })
  .meta({ id: 'FlowRelayTimelineEntry' });

/** A receipt in a list. */
export const ReceiptSummary = z
  .strictObject({
    receiptId: shownId('receipt', 'Id of the receipt.'),
    outcome: z
      .enum(RECEIPT_OUTCOMES)
      .meta({ description: 'The outcome of the request.', example: 'delivered' }),
    receivedAt: shownTime('When the request was accepted or rejected.'),
    eventId: shownId('event', 'The accepted event.').nullable(),
    eventType: z.string().nullable().meta({ description: 'Its type.', example: 'invoice.paid' }),
    requestId: z.string().nullable().meta({
      description: 'Id of a rejected request, as its answer showed it.',
      example: 'req_0190f3c2a5b87c1e9d3f4a5b6c7d8e9f',
    }),
    authentication: z
      .enum(['passed', 'failed'])
      .meta({ description: 'Result of authentication.', example: 'passed' }),
    validation: z.enum(['passed', 'failed', 'not_reached']).meta({
      description: 'Result of validation.',
      example: 'passed',
    }),
    rejectionCode: z
      .string()
      .nullable()
      .meta({ description: 'The code that the request was rejected by.', example: 'invalid_request' }),
    recoveryCode,
    retention: z
      .strictObject({
        state: z.enum(RETENTION_STATES).meta({ description: 'State of the payload.', example: 'retained' }),
        retainedUntil: shownTime('When it expires, by the present setting.').nullable(),
        removedAt: shownTime('When it was removed.').nullable(),
        removedFor: z
          .enum(['retention', 'erasure'])
          .nullable()
          .meta({ description: 'Why it was removed.', example: 'retention' }),
      })
      .meta({ description: 'Retention of the payload; the receipt stays.' }),
    replay: ReplayAvailabilityView.meta({
      description: 'Availability of a replay of it, or of one of its handoffs.',
    }),
    firstReceiptId: shownId(
      'receipt',
      'The first receipt with the same id, which this one repeats; null once that is not there any more.',
    ).nullable(),
    resentReceiptId: shownId(
      'receipt',
      'The newest receipt with the same id that came later and stands for this one.',
    ).nullable(),
    handoffBoundary,
  })
  .meta({ id: 'FlowRelayReceiptSummary' });

/** The result of one handoff that a replay made. */
export const ReplayResultView = z
  .strictObject({
    deliveryId: shownId('delivery', 'The handoff that was made again.'),
    status: z
      .enum([...HANDOFF_STATUSES, 'taken_over'])
      .meta({ description: 'Where this replay of it stands.', example: 'delivered' }),
    meaning: z.string().meta({
      description: 'The meaning of that status, and no more.',
      example: 'The endpoint accepted the handoff.',
    }),
    requests: z.int().meta({ description: 'Requests of this replay so far.', example: 1 }),
    statusCode: z.int().nullable().meta({ description: 'Status of the last answer to it.', example: 200 }),
    faultCode: z
      .enum(FAULT_CODES)
      .nullable()
      .meta({ description: 'Why the last request was not accepted.', example: null }),
    endedAt: shownTime('When it ended.').nullable(),
  })
  .meta({ id: 'FlowRelayReplayResult', description: 'The result of a replay at one endpoint.' });

/** A receipt. */
export const ReceiptView = ReceiptSummary.extend({
  replay: ReplayReadinessView.meta({
    description: 'Availability of its replay: of several handoffs those that were not delivered decide.',
  }),
  senderResend: SenderResendView,
  handoffs: z.array(HandoffView).meta({ description: 'Its handoffs, one an endpoint.' }),
  moreHandoffs: z.boolean().meta({ description: 'There are more than are shown.', example: false }),
  replays: z
    .array(
      z.strictObject({
        replayId: shownId('receiptReplay', 'The replay.'),
        state: z
          .enum(['previewed', 'confirmed', 'executed'])
          .meta({ description: 'How far it came.', example: 'executed' }),
        actor: z
          .string()
          .meta({ description: 'Who asked for it.', example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
        operationId: shownId('operation', 'The operation that executed it.').nullable(),
        results: z
          .array(ReplayResultView)
          .nullable()
          .meta({ description: 'Its results; null until it is executed.' }),
      }),
    )
    .meta({ description: 'Its newest replays.' }),
  timeline: z.array(TimelineEntry).meta({ description: 'Its timeline, oldest first.' }),
  moreTimeline: z.boolean().meta({ description: 'Older entries are not shown.', example: false }),
}).meta({ id: 'FlowRelayReceipt', description: 'The facts about one request; they outlive its payload.' });

const SITUATIONS = Object.keys(RECOVERY_SITUATIONS) as [RecoverySituation, ...RecoverySituation[]];

/** The next step, and the reason. */
export const GuidanceView = z
  .strictObject({
    recommended: z
      .enum(RECOVERY_PATHS)
      .meta({ description: 'The path of lowest risk.', example: 'flowrelay_replay' }),
    situation: z.enum(SITUATIONS).nullable().meta({
      description: 'The row of the table that applies; null where there is nothing to recover.',
      example: 'not_ready',
    }),
    why: z.string().meta({
      description: 'The reason.',
      example: 'FlowRelay does not have a trusted accepted event to replay.',
    }),
    explicitConfirmation: z.boolean().meta({
      description: 'A replay needs an explicit confirmation of the duplicate risk.',
      example: false,
    }),
  })
  .meta({ id: 'FlowRelayGuidance' });

/** The decision guide for a receipt. */
export const GuideView = GuidanceView.extend({
  receiptId: shownId('receipt', 'The receipt it starts from.'),
  outcome: z.enum(RECEIPT_OUTCOMES).meta({ description: 'The outcome of the request.', example: 'failed' }),
  firstReceiptId: shownId(
    'receipt',
    'The first receipt with the same id, which this one repeats; null once that is not there any more.',
  ).nullable(),
  standingReceiptId: shownId(
    'receipt',
    'The receipt that stands for this one, where it is a suppressed duplicate and that is still there.',
  ).nullable(),
  resentReceiptId: shownId(
    'receipt',
    'The newest receipt with the same id that came later and stands for this one.',
  ).nullable(),
  replay: ReplayReadinessView.meta({ description: 'Availability of its replay.' }),
  senderResend: SenderResendView,
  handoffBoundary,
  paths: z
    .array(
      z.strictObject({
        situation: z.enum(SITUATIONS).meta({ description: 'Its name.', example: 'rejected' }),
        when: z.string().meta({ description: 'The situation.', example: 'FlowRelay rejected the request' }),
        use: z.string().meta({ description: 'The way to recover.', example: 'Sender resend' }),
        why: z.string().meta({
          description: 'Why.',
          example: 'FlowRelay does not have a trusted accepted event to replay.',
        }),
        applies: z.boolean().meta({ description: 'It is the situation of this receipt.', example: true }),
      }),
    )
    .meta({ description: 'All situations, and which of them is this one.' }),
}).meta({ id: 'FlowRelayGuide' });
