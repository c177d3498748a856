import { z } from 'zod';
import { OPERATION_STATES } from '../../../domain/operations/operation-state.ts';
import {
  ON_RECOVERED,
  OUTAGE_CAUSES,
  OUTAGE_ENDS,
  OUTAGE_STATES,
} from '../../../domain/outages/outage-state.ts';
import { DELIVERY_STATES, type DeliveryState } from '../../../domain/sending/delivery-state.ts';
import { alias, showId } from '../../../domain/tenancy/typed-id.ts';
import type { OutageOperation } from '../../../store/outages/outage-operations.ts';
import type { Outage, WindowCounts } from '../../../store/outages/outages.ts';
import { shownId, shownTime } from '../fields.ts';

const number = (description: string) => z.int().min(0).meta({ description, example: 0 });

/** An outage without its counts. */
export const OutageSummary = z
  .strictObject({
    id: shownId('outage', 'Id of the outage.'),
    endpointId: shownId('endpoint', 'The endpoint that was down.'),
    cause: z.enum(OUTAGE_CAUSES).meta({
      description:
        'What opened it: its circuit, its answer 410, an operator who disabled it, or 20 attempts in a row over a minute that were not delivered.',
      example: 'circuit_open',
    }),
    state: z.enum(OUTAGE_STATES).meta({
      description:
        '`open` while the endpoint is down, `recovered` once it is back, `closed` when nothing of its window is left, or `dismissed`.',
      example: 'recovered',
    }),
    window: z
      .strictObject({
        from: shownTime('The first failure, or when it was disabled.'),
        to: shownTime('When it was back, or the outage ended; null while it is open.').nullable(),
      })
      .meta({ description: 'From the first failure to the recovery.' }),
    openedAt: shownTime('When it was opened.'),
    openings: z.int().min(1).meta({
      description: 'How often: again where the endpoint failed within a day after it was back.',
      example: 1,
    }),
    recoveredAt: shownTime('When the endpoint was back.').nullable(),
    onRecovered: z
      .enum(ON_RECOVERED)
      .nullable()
      .meta({ description: 'What its endpoint asked for then; null while it is open.', example: 'propose' }),
    endedAt: shownTime('When it was closed or dismissed.').nullable(),
    endedFor: z.enum(OUTAGE_ENDS).nullable().meta({ description: 'Why.', example: null }),
    links: z
      .strictObject({
        self: z.string().meta({ description: 'This outage.', example: '/api/v1/outages/out_…' }),
        dismiss: z.string().meta({ description: 'To dismiss it.', example: '/api/v1/outages/out_…/dismiss' }),
      })
      .meta({ description: 'Where to go on.' }),
  })
  .meta({ id: 'OutageSummary', description: 'An outage of an endpoint, without its counts.' });

const Deliveries = z
  .strictObject({
    count: number('Deliveries of its window.'),
    basis: z.enum(['exact', 'atLeast']).meta({
      description: '`atLeast` where there are more than are counted (100,000).',
      example: 'exact',
    }),
    byState: z
      .strictObject(
        Object.fromEntries(
          DELIVERY_STATES.map((state) => [state, number(`Those that are ${state} now.`)]),
        ) as Record<DeliveryState, ReturnType<typeof number>>,
      )
      .meta({
        description:
          'By their state now. Those that were accepted before the window and are delivered by now are looked for among the last 100,000 before it.',
      }),
    byFault: z.record(z.string(), z.int()).meta({
      description: 'Those that are not delivered, by the cause of their last failure.',
      example: { http_5xx: 480 },
    }),
  })
  .meta({ description: 'The deliveries of its window.' });

/** An outage as it is shown by itself. */
export const OutageView = OutageSummary.extend({
  deliveries: Deliveries,
  missedWhileDisabled: number(
    'Those of them that were ignored because the endpoint was disabled, and that it has not got yet.',
  ),
  operations: z
    .array(
      z.strictObject({
        operationId: shownId('operation', 'The operation.'),
        planId: shownId('plan', 'The same as a plan; null where it is none.').nullable(),
        kind: z.enum(['retry', 'replay']).meta({ description: 'Its kind.', example: 'retry' }),
        state: z.enum(OPERATION_STATES).meta({ description: 'Its state now.', example: 'planned' }),
        madeByRecovery: z.boolean().meta({
          description: 'The recovery has led to it, and nobody asked for it.',
          example: true,
        }),
      }),
    )
    .meta({ description: 'The operations that selected what it left, newest first; the newest 50.' }),
}).meta({ id: 'Outage', description: 'An outage of an endpoint.' });

/** Shows an outage without its counts. */
export function outageSummary(outage: Outage): z.input<typeof OutageSummary> {
  const { window, recoveredAt, endedAt } = outage;
  const self = `/api/v1/outages/${showId('outage', outage.id)}`;
  return {
    id: showId('outage', outage.id),
    endpointId: showId('endpoint', outage.endpointId),
    cause: outage.cause,
    state: outage.state,
    window: {
      from: window.from.toISOString(),
      to: outage.state === 'open' ? null : window.to.toISOString(),
    },
    openedAt: outage.openedAt.toISOString(),
    openings: outage.openings,
    recoveredAt: recoveredAt?.toISOString() ?? null,
    onRecovered: outage.onRecovered ?? null,
    endedAt: endedAt?.toISOString() ?? null,
    endedFor: outage.endedFor ?? null,
    links: { self, dismiss: `${self}/dismiss` },
  };
}

/** Shows an outage with its counts and its operations. */
export function outageView(
  outage: Outage,
  { counts, more }: WindowCounts,
  operations: OutageOperation[],
): z.input<typeof OutageView> {
  const byState = Object.fromEntries(DELIVERY_STATES.map((state) => [state, 0])) as Record<
    DeliveryState,
    number
  >;
  const byFault: Record<string, number> = {};
  for (const { state, faultCode, deliveries } of counts) {
    byState[state] += deliveries;
    if (faultCode !== undefined) byFault[faultCode] = (byFault[faultCode] ?? 0) + deliveries;
  }
  return {
    ...outageSummary(outage),
    deliveries: {
      count: counts.reduce((sum, { deliveries }) => sum + deliveries, 0),
      basis: more ? 'atLeast' : 'exact',
      byState,
      byFault,
    },
    // Only those that were ignored for that are of the window.
    missedWhileDisabled: byState.ignored,
    operations: operations.map(({ operationId, isPlan, kind, state, made }) => ({
      operationId: showId('operation', operationId),
      planId: isPlan ? showId('plan', alias('plan', operationId)) : null,
      kind,
      state,
      madeByRecovery: made,
    })),
  };
}
