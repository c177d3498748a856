import { z } from 'zod';
import { ENDPOINT_STATES } from '../../domain/endpoints/endpoint-state.ts';
import { shownId, shownTime } from '../native/fields.ts';
import { GuidanceView, ReceiptSummary, ReceiptView } from './receipt-schema.ts';

const Handoff = ReceiptView.shape.handoffs.element;

/** The content of diagnostics: a receipt without anything that a sender, a receiver or an operator has written. */
export const DiagnosticsContent = ReceiptSummary.omit({ eventType: true })
  .extend({
    schema: z
      .literal('flowrelay.diagnostics.v1')
      .meta({ description: 'Form of this content.', example: 'flowrelay.diagnostics.v1' }),
    generatedAt: shownTime('When it was put together.'),
    guidance: GuidanceView.meta({ description: 'The next step, as the decision guide said then.' }),
    handoffs: z
      .array(
        Handoff.omit({ endpointAtAcceptance: true }).extend({
          endpoint: z
            .strictObject({
              endpointId: shownId('endpoint', 'The endpoint.'),
              versionAtAcceptance: z
                .int()
                .meta({ description: 'Its version when the handoff was made.', example: 1 }),
              currentVersion: z.int().meta({ description: 'Its version then.', example: 2 }),
              state: z.enum(ENDPOINT_STATES).meta({ description: 'Its state then.', example: 'enabled' }),
            })
            .meta({ description: 'The endpoint, by ids and states only.' }),
        }),
      )
      .meta({ description: 'The handoffs.' }),
    moreHandoffs: ReceiptView.shape.moreHandoffs,
    replay: ReceiptView.shape.replay,
    senderResend: ReceiptView.shape.senderResend,
    replays: z
      .array(ReceiptView.shape.replays.element.omit({ actor: true }))
      .meta({ description: 'Its newest replays, without who asked for them.' }),
    timeline: ReceiptView.shape.timeline,
    moreTimeline: ReceiptView.shape.moreTimeline,
  })
  .meta({ id: 'FlowRelayDiagnosticsContent' });

/** Diagnostics of one receipt. */
export const DiagnosticsView = z
  .strictObject({
    diagnosticsId: shownId('diagnostics', 'Id of the diagnostics.'),
    receiptId: shownId('receipt', 'The receipt they are about.'),
    state: z.enum(['previewed', 'frozen']).meta({
      description: 'Previewed ones are forgotten after 24 hours; frozen ones never change.',
      example: 'frozen',
    }),
    actor: z.string().meta({ description: 'Who made them.', example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
    previewedAt: shownTime('When they were previewed.'),
    frozenAt: shownTime('When they were frozen.').nullable(),
    content: DiagnosticsContent.nullable().meta({
      description: 'Their content; null for callers who may not make diagnostics.',
    }),
  })
  .meta({ id: 'FlowRelayDiagnostics' });
